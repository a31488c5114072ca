#include "core/ima_log.h"

#include <doctest/doctest.h>

#include <sstream>

#include "tests/support/evidence_case.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

std::string fault_of(const Bytes& log) {
  ImaLogReader reader(log);
  while (!reader.at_end()) {
    const auto entry = reader.next();
    if (!entry) return std::string(fault_name(entry.error().id));
  }
  return "";
}

Bytes one(std::string_view name, const std::vector<Bytes>& fields) {
  return ImaBuilder().record(kImaPcr, name, fields).bytes();
}

Bytes joined(ByteView a, ByteView b) {
  Bytes out(a.begin(), a.end());
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

std::string fields_of(const ImaEntry& entry) {
  std::string out;
  for (const ImaFieldValue& f : entry.all_fields()) {
    out += std::string(f.name) + (f.field == ImaField::kUnknown ? "? " : " ");
  }
  return out;
}

Bytes with(Bytes log, std::size_t at, std::uint8_t value) {
  log[at] = value;
  return log;
}

}  // namespace

TEST_CASE("ImaLogReader: every record of real logs reads as an independent reader read it") {
  for (const std::string& name : all_cases()) {
    if (name.starts_with("p-")) continue;
    CAPTURE(name);
    const EvidenceCase evidence = load_case(name);
    std::istringstream lines{
        std::string(as_text(read_test_data("evidence/" + name + "/entries.tsv")))};
    std::string line;
    std::getline(lines, line);  // the column names
    ImaLogReader reader(evidence.ima_log);
    for (std::uint64_t index = 0; std::getline(lines, line); ++index) {
      CAPTURE(line);
      std::vector<std::string> columns;
      std::istringstream row(line);
      for (std::string column; std::getline(row, column, '\t');) columns.push_back(column);
      REQUIRE(columns.size() >= 9);
      CHECK(reader.offset() == std::stoull(columns[1]));
      const auto entry = reader.next();
      REQUIRE(entry.has_value());
      CHECK(entry->index == index);
      CHECK(std::to_string(entry->pcr.value()) == columns[2]);
      CHECK(entry->template_name == columns[3]);
      CHECK(to_hex(entry->header_digest) == columns[4]);
      CHECK((entry->violation ? "1" : "0") == columns[5]);
      if (!entry->violation) CHECK(to_hex(entry->file_digest.value().bytes()) == columns[7]);
      CHECK(to_hex(as_bytes(entry->name)) == columns[8]);
    }
    CHECK(reader.at_end());
  }
}

TEST_CASE("ImaLogReader: a record that is not its template's is refused for its own reason") {
  const Bytes d = d_ng(digest_of("x"));
  const Bytes n = n_ng("/bin/x");
  const Bytes good = one("ima-ng", {d, n});
  const Bytes short_digest(d.begin(), d.end() - 1);
  const Bytes no_nul(n.begin(), n.end() - 1);
  const Bytes typed = joined(as_bytes("verity:"), d);
  const Bytes foreign = joined(as_bytes("btrfs:"), d);
  struct Row {
    std::string name;
    Bytes log;
    std::string want;
  };
  const Row rows[] = {
      {"a well-formed record", good, ""},
      {"PCR 24", with(good, 0, 24), "ima.malformed"},
      {"PCR over 255", with(good, 1, 1), "ima.malformed"},
      {"a template name over the limit", with(good, 25, 2), "ima.too_large"},
      {"a format string of more fields than a kernel allows",
       one("d-ng|n-ng|a|b|c|d|e|f|g|h|i|j|k|l|m|o", std::vector<Bytes>(16)), "ima.malformed"},
      {"ima-ns of as many fields as no patch gives it", one("ima-ns", {d}), "ima.malformed"},
      {"a field too many", one("ima-ng", {d, n, {}}), "ima.malformed"},
      {"a field too few", one("ima-sig", {d, n}), "ima.malformed"},
      {"a digest cut short", one("ima-ng", {short_digest, n}), "ima.malformed"},
      {"a digest without algorithm", one("ima-ng", {Bytes(32, 1), n}), "ima.malformed"},
      {"an empty digest field", one("ima-ng", {{}, n}), "ima.malformed"},
      {"a name without NUL", one("ima-ng", {d, no_nul}), "ima.malformed"},
      {"an empty name field", one("ima-ng", {d, {}}), "ima.malformed"},
      {"an ngv2 digest without type", one("ima-ngv2", {d, n}), "ima.malformed"},
      {"an ng digest with a type", one("ima-ng", {typed, n}), "ima.malformed"},
      {"an ngv2 digest of a foreign type", one("ima-ngv2", {foreign, n}), "ima.malformed"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(fault_of(row.log) == row.want);
  }
}

TEST_CASE("ImaLogReader: template data over 1 MiB is refused before it is looked at") {
  const Bytes big = one("ima-sig", {d_ng(digest_of("x")), n_ng("/x"), Bytes((1 << 20) + 1)});
  CHECK(fault_of(big) == "ima.too_large");
}

TEST_CASE("ImaLogReader: a name is bytes, with anything in it but its final NUL") {
  const std::string name("/tmp/a\n10 \x1b[31m\xff\0b", 17);
  const Bytes log = one("ima-ng", {d_ng(digest_of("x")), n_ng(name)});
  CHECK(ImaLogReader(log).next()->name == name);
}

TEST_CASE("ImaLogReader: a file digest of an algorithm that is not known is left for judgement") {
  Bytes sm3 = n_ng("sm3:");
  sm3.insert(sm3.end(), 32, 7);
  const Bytes log = one("ima-ng", {sm3, n_ng("/x")});
  const auto entry = ImaLogReader(log).next();
  REQUIRE(entry.has_value());
  CHECK(entry->digest_state == FileDigestState::kUnsupported);
  CHECK_FALSE(entry->file_digest.has_value());
}

TEST_CASE("ImaLogReader: a field that is not known is carried, and the others are still read") {
  const Bytes log = one("d-ng|nope|n-ng", {d_ng(digest_of("x")), {1, 2}, n_ng("/x")});
  const auto entry = ImaLogReader(log).next();
  REQUIRE(entry.has_value());
  CHECK(fields_of(*entry) == "d-ng nope? n-ng ");
  CHECK(to_hex(*entry->find(ImaField::kUnknown)) == "0102");
  CHECK(entry->file_digest == digest_of("x"));
  CHECK(entry->name == "/x");
}

TEST_CASE("ImaLogReader: of a template that nobody knows, no field means anything") {
  for (const std::string name : {"ima-nx", "", "IMA-NG", "ima-ng "}) {
    CAPTURE(name);
    const Bytes log = one(name, {d_ng(digest_of("x")), n_ng("/x")});
    const auto entry = ImaLogReader(log).next();
    REQUIRE(entry.has_value());
    CHECK(fields_of(*entry) == "? ? ");
    CHECK(entry->digest_state == FileDigestState::kNoField);
    CHECK(entry->name.empty());
  }
}

TEST_CASE("ImaLogReader: foreign template data that is no fields is carried whole") {
  Bytes log = one("ima-nx", {{1, 2, 3}});
  log[log.size() - 7] = 9;  // the field's length
  const auto entry = ImaLogReader(log).next();
  REQUIRE(entry.has_value());
  CHECK(entry->field_count == 0);
  CHECK(entry->template_data.size() == 7);
}

TEST_CASE(
    "ImaLogReader: foreign template data of more fields than a template has is carried whole") {
  const Bytes log = one("ima-nx", std::vector<Bytes>(kMaxImaFields + 1));
  const auto entry = ImaLogReader(log).next();
  REQUIRE(entry.has_value());
  CHECK(entry->field_count == 0);
  CHECK(entry->template_data.size() == 4 * (kMaxImaFields + 1));
}

TEST_CASE("ImaLogReader: out-of-tree templates are read by their fields") {
  const Bytes d = d_ng(digest_of("x"));
  const Bytes n = n_ng("/x");
  const Bytes uuid(16, 0xe4);
  struct Row {
    std::string name;
    std::vector<Bytes> fields;
    std::string want;
    ImaField label;
    std::string value;
  };
  const Row rows[] = {
      {"ima-cgpath",
       {n_ng("/bin/sh:swapper/0"), n_ng("/kubepods.slice/x.scope"), d, n},
       "dep cg-path d-ng n-ng ",
       ImaField::kCgPath,
       "/kubepods.slice/x.scope"},
      {"ima-dep-cgn",
       {n_ng("/bin/sh:swapper/0"), n_ng("x.scope"), d, n},
       "dep cgn d-ng n-ng ",
       ImaField::kCgn,
       "x.scope"},
      {"ima-ns", {d, n, n_ng("f0000075")}, "d-ng n-ng ns ", ImaField::kNs, "f0000075"},
      {"ima-ns", {d, n, uuid}, "d-ng n-ng ns ", ImaField::kNs, std::string(16, '\xe4')},
      {"ima-ns", {d, n, n_ng("web-0")}, "d-ng n-ng ns ", ImaField::kNs, "web-0"},
      {"ima-ns", {uuid, d, n, {}}, "ns d-ng n-ng sig ", ImaField::kNs, std::string(16, '\xe4')},
      {"d-ng|n-ng|cg-path",
       {d, n, n_ng("/x.scope")},
       "d-ng n-ng cg-path ",
       ImaField::kCgPath,
       "/x.scope"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.want);
    const Bytes log = one(row.name, row.fields);
    const auto entry = ImaLogReader(log).next();
    REQUIRE(entry.has_value());
    CHECK(fields_of(*entry) == row.want);
    CHECK(entry->file_digest == digest_of("x"));
    CHECK(entry->name == "/x");
    CHECK(as_text(*entry->find(row.label)).starts_with(row.value));
  }
}

TEST_CASE("ImaLogReader: a record renamed to point at another digest contradicts its data") {
  const Bytes real = d_ng(digest_of("malware"));
  const Bytes golden = d_ng(digest_of("golden"));
  const Bytes sha1(20, 7);
  struct Row {
    std::string name;
    std::vector<Bytes> fields;
  };
  const Row rows[] = {
      {"sig|n-ng|d-ng", {real, n_ng("kexec-cmdline"), golden}},
      {"nope|n-ng|d-ng", {real, n_ng("kexec-cmdline"), golden}},
      {"nope|n-ng|d-ngv2", {real, n_ng("x"), joined(as_bytes("ima:"), golden)}},
      {"d|n-ng|nope", {sha1, n_ng("x"), real}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Bytes log = one(row.name, row.fields);
    const auto entry = ImaLogReader(log).next();
    REQUIRE(entry.has_value());
    CHECK(entry->digest_state == FileDigestState::kContradicted);
    CHECK_FALSE(entry->file_digest.has_value());
  }
  const Bytes modsig = one("ima-modsig", {real, n_ng("x.ko"), {}, golden, {1}});
  CHECK(ImaLogReader(modsig).next()->file_digest == digest_of("malware"));
}

TEST_CASE(
    "ImaLogReader: with a plain SHA-1 beside it, the digest that names its algorithm counts") {
  const Bytes sha1(20, 7);
  const Bytes log = one("d|d-ng|n", {sha1, d_ng(digest_of("x")), n_ng("/x")});
  CHECK(ImaLogReader(log).next()->file_digest == digest_of("x"));
}

TEST_CASE("ImaLogReader: a plain SHA-1 is the digest only where nothing stands before it") {
  const Bytes sha1(20, 7);
  const Bytes first = one("d|n", {sha1, n_ng("/x")});
  CHECK(ImaLogReader(first).next()->digest_state == FileDigestState::kKnown);
  const Bytes behind = one("sig|n-ng|d", {Bytes(4, 3), n_ng("/x"), sha1});
  CHECK(ImaLogReader(behind).next()->digest_state == FileDigestState::kNoField);
}

TEST_CASE("guess_ima_log_form: the form in which the first record parses") {
  for (const ByteOrder order : {ByteOrder::kLittle, ByteOrder::kBig}) {
    for (const HashAlg digests : kAllHashAlgs) {
      const ImaLogForm form{order, digests};
      ImaBuilder log({HashAlg::kSha256}, form);
      log.file("/bin/a", digest_of("a")).file("/bin/b", digest_of("b"));
      CHECK(guess_ima_log_form(log.bytes()) == form);
      ImaBuilder legacy({HashAlg::kSha256}, form);
      legacy.legacy("/bin/a", hash(HashAlg::kSha1, as_bytes("a")));
      CHECK(guess_ima_log_form(legacy.bytes()) == form);
    }
  }
  CHECK(guess_ima_log_form({}) == ImaLogForm{});
  CHECK(guess_ima_log_form(Bytes(100, 0xff)) == ImaLogForm{});
}

TEST_CASE("ImaLogReader: a custom format string is read field by field") {
  const Bytes log =
      one("d-ng|n-ng|iuid|igid|imode",
          {d_ng(digest_of("x")), n_ng("/x"), {1, 0, 0, 0}, {2, 0, 0, 0}, {0xed, 0x81}});
  const auto entry = ImaLogReader(log).next();
  REQUIRE(entry.has_value());
  CHECK(entry->find(ImaField::kIuid)->front() == 1);
  CHECK(entry->find(ImaField::kIgid)->front() == 2);
  CHECK_FALSE(entry->find(ImaField::kSig).has_value());
}
