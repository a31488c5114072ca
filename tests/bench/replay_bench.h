// Replay and judgement of a log against the digests that they cannot do without.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/golden_set.h"
#include "core/ima_log.h"
#include "core/result.h"
#include "core/tpm_quote.h"

namespace assay::bench {

// A log that is long enough to time, and the PCRs that it leads to.
class BenchLog {
 public:
  // `log` over and over, until it has at least `least_entries`. Fails as ImaLogReader::next(), and with
  // kImaMalformed for a log without entries.
  static Result<BenchLog> make(ByteView log, HashAlg bank, std::uint64_t least_entries);

  ByteView bytes() const { return bytes_; }
  ImaLogForm form() const { return form_; }
  HashAlg bank() const { return bank_; }
  std::uint64_t entries() const { return entries_; }
  const PcrValues& pcrs() const { return pcrs_; }

  // A quote of its PCRs.
  QuotedPcrs quote() const;

  // Digests that every file of the log has.
  const std::vector<Digest>& file_digests() const { return file_digests_; }

  // What OpenSSL has to do for it whoever asks: SHA-1 and the bank's digest of each entry, the extend,
  // and the digest of a buffer that the log holds, which its entry claims. Gives PCR values.
  PcrValues digest_only() const;

 private:
  // One entry as the limit sees it.
  struct Hashed {
    ByteView data;  // what is hashed
    PcrIndex pcr;
    bool violation;
    ByteView buffer = {};  // not empty: its digest is the entry's
    HashAlg buffer_alg = HashAlg::kSha256;
  };

  Bytes bytes_;
  ImaLogForm form_;
  HashAlg bank_ = HashAlg::kSha256;
  std::uint64_t entries_ = 0;
  PcrValues pcrs_;
  std::vector<Digest> file_digests_;
  std::vector<Hashed> hashed_;
  std::vector<std::unique_ptr<Bytes>> padded_;  // of entries of template "ima"
};

// Ours: replay_ima_log() and LogAppraiser. The limit: digest_only().
Result<nlohmann::ordered_json> replay_bench(const BenchLog& log, const GoldenSnapshot& golden);

}  // namespace assay::bench
