// Random logs of random templates, written by arithmetic that shares nothing with the parser.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "core/ima_replay.h"
#include "tests/support/fake_tpm.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

// What was written of one entry.
struct Written {
  PcrIndex pcr = kImaPcr;
  std::string template_name;
  std::vector<Bytes> fields;
  std::optional<Digest> file_digest;
  std::string name;
  bool violation = false;
};

class Writer {
 public:
  explicit Writer(std::uint32_t seed) : random_(seed) {
    form_.order = chance(2) ? ByteOrder::kLittle : ByteOrder::kBig;
    form_.digests = chance(2) ? HashAlg::kSha1 : any_alg();
    for (const HashAlg alg : kAllHashAlgs) {
      if (alg == HashAlg::kSha256 || chance(2)) banks_.push_back(alg);
      if (alg != HashAlg::kSha1 && alg != HashAlg::kSha256 && chance(3)) lacking_.push_back(alg);
    }
    log_ = ImaBuilder(banks_, form_, lacking_);
    for (std::size_t i = below(40) + 1; i-- > 0;) write_entry();
  }

  const ImaBuilder& log() const { return log_; }
  ImaLogForm form() const { return form_; }
  const std::vector<Written>& written() const { return written_; }
  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

 private:
  bool chance(std::size_t one_in) { return below(one_in) == 0; }
  HashAlg any_alg() { return kAllHashAlgs[below(std::size(kAllHashAlgs))]; }

  Bytes any_bytes(std::size_t most) {
    Bytes out(below(most + 1));
    for (std::uint8_t& b : out) b = static_cast<std::uint8_t>(below(256));
    return out;
  }

  std::string any_name() {
    std::string out = "/";
    for (std::size_t i = below(30); i-- > 0;) out += static_cast<char>(below(255) + 1);
    return out;
  }

  Digest any_digest(HashAlg alg) { return *Digest::padded(alg, any_bytes(hash_size(alg))); }

  // A value of the field that `name` names; the first digest and the last name are the entry's.
  Bytes any_value(const std::string& name, Written& out) {
    if (name == "d-ng" || name == "d-ngv2") {
      const Digest digest = any_digest(any_alg());
      if (!out.file_digest) out.file_digest = digest;
      Bytes value = d_ng(digest);
      const std::string type = chance(2) ? "ima:" : "verity:";
      if (name == "d-ngv2") value.insert(value.begin(), type.begin(), type.end());
      return value;
    }
    if (name == "n-ng" || name == "n") {
      out.name = any_name();
      return n_ng(out.name);
    }
    if (name == "iuid" || name == "igid") return log_.number(below(1 << 30), 4);
    if (name == "imode") return log_.number(below(1 << 16), 2);
    if (name == "dep" || name == "cgn" || name == "cg-path") return n_ng(any_name());
    if (name == "ns") return chance(2) ? Bytes(16, 0xe4) : n_ng(any_name());
    return any_bytes(300);
  }

  void write_entry() {
    if (chance(10)) {
      const std::string name = any_name();
      log_.violation(name);
      written_.push_back({.template_name = "ima-ng", .name = name, .violation = true});
      return;
    }
    if (chance(10)) {
      const Digest digest = any_digest(HashAlg::kSha1);
      const std::string name = any_name();
      log_.legacy(name, digest);
      written_.push_back({.template_name = "ima", .file_digest = digest, .name = name});
      return;
    }
    Written out{.pcr = chance(5) ? PcrIndex::of<11>() : kImaPcr};
    std::vector<std::string> format;
    choose_template(out.template_name, format);
    for (const std::string& field : format) out.fields.push_back(any_value(field, out));
    log_.record(out.pcr, out.template_name, out.fields);
    written_.push_back(std::move(out));
  }

  void choose_template(std::string& name, std::vector<std::string>& format) {
    struct Named {
      std::string name;
      std::vector<std::string> format;
    };
    static const Named kNamed[] = {
        {"ima-ng", {"d-ng", "n-ng"}},
        {"ima-sig", {"d-ng", "n-ng", "sig"}},
        {"ima-ngv2", {"d-ngv2", "n-ng"}},
        {"ima-sigv2", {"d-ngv2", "n-ng", "sig"}},
        {"ima-buf", {"d-ng", "n-ng", "buf"}},
        {"ima-modsig", {"d-ng", "n-ng", "sig", "d-modsig", "modsig"}},
        {"evm-sig",
         {"d-ng", "n-ng", "evmsig", "xattrnames", "xattrlengths", "xattrvalues", "iuid", "igid",
          "imode"}},
        {"ima-cgpath", {"dep", "cg-path", "d-ng", "n-ng"}},
        {"ima-dep-cgn", {"dep", "cgn", "d-ng", "n-ng"}},
        {"ima-ns", {"d-ng", "n-ng", "ns"}},
        {"ima-ns", {"ns", "d-ng", "n-ng", "sig"}},
    };
    if (!chance(3)) {
      const Named& named = kNamed[below(std::size(kNamed))];
      name = named.name;
      format = named.format;
      return;
    }
    static const std::string kMore[] = {"sig", "iuid", "igid", "imode", "dep", "nope", "x-y", "ns"};
    format = {"d-ng", "n-ng"};
    for (std::size_t i = below(13); i-- > 0;) format.push_back(kMore[below(std::size(kMore))]);
    std::ranges::shuffle(format, random_);
    for (const std::string& field : format) name += (name.empty() ? "" : "|") + field;
  }

  std::mt19937 random_;
  ImaLogForm form_;
  std::vector<HashAlg> banks_;
  std::vector<HashAlg> lacking_;
  ImaBuilder log_;
  std::vector<Written> written_;
};

QuotedPcrs quoted(const PcrValues& values) {
  FakeTpm tpm;
  tpm.set(values);
  const Nonce nonce = nonce_of(1);
  return verify_quote(tpm.quote(nonce), tpm.ak(), nonce, {}).value();
}

void check_entry(const ImaEntry& entry, const Written& written) {
  CHECK(entry.pcr == written.pcr);
  CHECK(entry.template_name == written.template_name);
  CHECK(entry.violation == written.violation);
  CHECK(entry.name == written.name);
  CHECK(entry.file_digest == written.file_digest);
  if (written.fields.empty()) return;  // a violation's and a legacy entry's were not kept
  REQUIRE(entry.field_count == written.fields.size());
  for (std::size_t i = 0; i < written.fields.size(); ++i) {
    CHECK(std::ranges::equal(entry.fields[i].value, written.fields[i]));
  }
}

}  // namespace

TEST_CASE("IMA log: random logs of random templates replay to the writer's PCRs and read back") {
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    CAPTURE(seed);
    Writer writer(seed);
    const auto got = replay_ima_log(writer.log().bytes(), quoted(writer.log().pcrs()), {},
                                    {.form = writer.form()});
    REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
    REQUIRE(got->size() == writer.written().size());
    ImaLogReader entries = got->entries();
    for (const Written& written : writer.written()) {
      const auto entry = entries.next();
      REQUIRE(entry.has_value());
      check_entry(*entry, written);
    }
    CHECK(entries.at_end());
  }
}

TEST_CASE("IMA log: any one changed byte of a random log's hashed data is not proven") {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    Writer writer(seed);
    const QuotedPcrs proof = quoted(writer.log().pcrs());
    ImaLogReader reader(writer.log().bytes(), writer.form());
    Bytes log = writer.log().bytes();
    while (!reader.at_end()) {
      const ImaEntry entry = reader.next().value();
      if (entry.violation || entry.template_data.empty()) continue;
      const auto at =
          static_cast<std::size_t>(entry.template_data.data() - writer.log().bytes().data()) +
          writer.below(entry.template_data.size());
      log[at] ^= 0x20;
      const auto got = replay_ima_log(log, proof, {}, {.form = writer.form()});
      REQUIRE_FALSE(got.has_value());
      CHECK((got.error().id == FaultId::kImaTemplateDigestMismatch ||
             got.error().id == FaultId::kImaMalformed));
      log[at] ^= 0x20;
    }
  }
}
