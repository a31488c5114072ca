#include "tests/bench/replay_bench.h"

#include <array>
#include <optional>

#include "core/appraise.h"
#include "core/openssl.h"
#include "tests/bench/rounds.h"
#include "tests/support/fake_tpm.h"

namespace assay::bench {
namespace {

using testing::FakeTpm;

constexpr std::size_t kLegacyNameBytes = 256;

// OpenSSL as it comes, with a context that is used again.
class Bare {
 public:
  explicit Bare(HashAlg alg) {
    const std::string name(hash_name(alg));
    ASSAY_CHECK(EVP_DigestInit_ex2(context_.get(), EVP_get_digestbyname(name.c_str()), nullptr) ==
                1);
  }

  void operator()(ByteView a, ByteView b, std::uint8_t* out) {
    EVP_DigestInit_ex2(context_.get(), nullptr, nullptr);
    EVP_DigestUpdate(context_.get(), a.data(), a.size());
    if (!b.empty()) EVP_DigestUpdate(context_.get(), b.data(), b.size());
    EVP_DigestFinal_ex(context_.get(), out, nullptr);
  }

 private:
  openssl::EvpMdCtx context_{EVP_MD_CTX_new()};
};

}  // namespace

Result<BenchLog> BenchLog::make(ByteView log, HashAlg bank, std::uint64_t least_entries) {
  BenchLog out;
  out.bank_ = bank;
  out.form_ = guess_ima_log_form(log);
  std::uint64_t entries = 0;
  for (ImaLogReader reader(log, out.form_); !reader.at_end(); ++entries) {
    ASSAY_TRY([[maybe_unused]] const ImaEntry entry, reader.next());
  }
  if (entries == 0) return fail(FaultId::kImaMalformed, "the log has no entry");
  const std::uint64_t times = (least_entries + entries - 1) / entries;
  out.bytes_.reserve(log.size() * times);
  for (std::uint64_t i = 0; i < times; ++i) {
    out.bytes_.insert(out.bytes_.end(), log.begin(), log.end());
  }
  for (ImaLogReader reader(out.bytes_, out.form_); !reader.at_end();) {
    ASSAY_TRY(const ImaEntry entry, reader.next());
    ByteView data = entry.template_data;
    if (entry.legacy) {
      auto padded =
          std::make_unique<Bytes>(entry.fields[0].value.begin(), entry.fields[0].value.end());
      padded->insert(padded->end(), entry.name.begin(), entry.name.end());
      padded->resize(hash_size(HashAlg::kSha1) + kLegacyNameBytes);
      data = *padded;
      out.padded_.push_back(std::move(padded));
    }
    out.hashed_.push_back({.data = data, .pcr = entry.pcr, .violation = entry.violation});
    if (entry.file_digest) {
      out.hashed_.back().buffer = entry.find(ImaField::kBuf).value_or(ByteView());
      out.hashed_.back().buffer_alg = entry.file_digest->alg();
    }
    if (entry.file_digest && out.entries_ < entries)
      out.file_digests_.push_back(*entry.file_digest);
    ++out.entries_;
  }
  out.pcrs_ = out.digest_only();
  return out;
}

PcrValues BenchLog::digest_only() const {
  Bare sha1(HashAlg::kSha1);
  Bare in_bank(bank_);
  std::array<std::optional<Bare>, std::size(kAllHashAlgs)> of_buffers;
  std::array<std::uint8_t, kMaxHashSize> header{};
  std::array<std::uint8_t, kMaxHashSize> value{};
  std::array<std::optional<std::array<std::uint8_t, kMaxHashSize>>, PcrIndex::kCount> pcrs;
  const std::size_t size = hash_size(bank_);
  for (const Hashed& entry : hashed_) {
    if (entry.violation) {
      value.fill(0xff);
    } else {
      sha1(entry.data, {}, header.data());
      if (bank_ != HashAlg::kSha1) in_bank(entry.data, {}, value.data());
    }
    if (!entry.buffer.empty()) {
      std::array<std::uint8_t, kMaxHashSize> unused{};
      auto& of_buffer = of_buffers[static_cast<std::size_t>(entry.buffer_alg)];
      if (!of_buffer) of_buffer.emplace(entry.buffer_alg);
      (*of_buffer)(entry.buffer, {}, unused.data());
    }
    auto& pcr = pcrs[entry.pcr.value()];
    if (!pcr) pcr.emplace();
    const bool reuse = bank_ == HashAlg::kSha1 && !entry.violation;
    in_bank(ByteView(*pcr).first(size), ByteView(reuse ? header : value).first(size), pcr->data());
  }
  PcrValues out;
  for (std::uint32_t i = 0; i < PcrIndex::kCount; ++i) {
    if (!pcrs[i]) continue;
    out.emplace(PcrSlot{bank_, *PcrIndex::from(i)},
                *Digest::from(bank_, ByteView(*pcrs[i]).first(size)));
  }
  return out;
}

QuotedPcrs BenchLog::quote() const {
  FakeTpm tpm;
  tpm.pcrs = pcrs_;
  const Nonce nonce = testing::nonce_of(1);
  return verify_quote(tpm.quote(nonce), tpm.ak(), nonce, {.allow_sha1 = true}).value();
}

Result<nlohmann::ordered_json> replay_bench(const BenchLog& log, const GoldenSnapshot& golden) {
  const QuotedPcrs proof = log.quote();
  const ReplayRules rules{.form = log.form()};
  const LogExpectation expected{.golden = &golden};
  const LogAppraiser appraiser(proof, expected);
  ASSAY_TRY(const AttestedImaLog once, replay_ima_log(log.bytes(), proof, {}, rules, &appraiser));
  const std::uint64_t faults = appraiser.appraise(once).faults.total();
  const Rates rates = measure(
      static_cast<double>(log.entries()),
      [&] {
        const auto proven = replay_ima_log(log.bytes(), proof, {}, rules, &appraiser);
        ASSAY_CHECK(proven.has_value() && proven->size() == log.entries());
        ASSAY_CHECK(appraiser.appraise(*proven).faults.total() == faults);
      },
      [&] { ASSAY_CHECK(log.digest_only() == log.pcrs()); });
  nlohmann::ordered_json out;
  out["bench"] = "replay";
  out["bank"] = hash_name(log.bank());
  out["entries"] = log.entries();
  out["bytes"] = log.bytes().size();
  out["golden_digests"] = golden.digest_count();
  out["faults"] = faults;
  add_rates(rates, out);
  return out;
}

}  // namespace assay::bench
