// Replay: the measurement log against the PCRs a TPM signed.
#pragma once

#include <cstdint>

#include "core/ima_log.h"
#include "core/tpm_quote.h"

namespace assay {

// What the log of a boot has shown of its IMA policy so far.
enum class ImaPolicyState : std::uint8_t {
  kNotJudged,  // there was no rule when the boot's first entries were judged
  kAwaited,    // none was loaded yet, and there is time
  kMissing,    // none was loaded, and that was reported
  kLoaded,
};

// How far a boot's log has been proven. A fresh one stands before the first entry of a boot.
struct LogCheckpoint {
  std::uint64_t entries = 0;  // proven entries
  std::uint64_t bytes = 0;    // their size in the log
  PcrValues running = {};     // what they extend the PCRs to; a PCR not in here is still zero
  ImaPolicyState ima_policy = ImaPolicyState::kNotJudged;  // what appraise() made of them
};

// Log entries whose digests lead to the PCRs that a TPM signed. Only replay_ima_log() makes one.
// Borrows the log's bytes.
class AttestedImaLog {
 public:
  std::uint64_t first_entry() const { return first_entry_; }
  std::uint64_t size() const { return next_.entries - first_entry_; }

  // The proven entries, in log order. They have parsed before, so next() cannot fail on them.
  ImaLogReader entries() const { return ImaLogReader(proven_, first_entry_); }

  // Where the next replay goes on.
  const LogCheckpoint& next() const { return next_; }

  // Records after the proven ones: logged after the quote was taken. A later quote proves them;
  // until then they are neither trusted nor blamed.
  std::uint64_t tail_entries() const { return tail_entries_; }

 private:
  friend Result<AttestedImaLog> replay_ima_log(ByteView, const QuotedPcrs&, const LogCheckpoint&);
  AttestedImaLog(ByteView proven, std::uint64_t first_entry, LogCheckpoint next,
                 std::uint64_t tail_entries)
      : proven_(proven),
        first_entry_(first_entry),
        next_(std::move(next)),
        tail_entries_(tail_entries) {}

  ByteView proven_;
  std::uint64_t first_entry_;
  LogCheckpoint next_;
  std::uint64_t tail_entries_;
};

// Extends PCRs with the entries of `log`, from `from` on, and keeps the prefix that ends on the
// quoted values.
//
//   log      untrusted; starts with entry `from.entries`; borrowed by the result
//   quoted   the proof; the IMA PCR has to match in its primary bank
//   from     fresh, or the next() of an earlier replay of the same boot
//
// From a fresh checkpoint every other quoted bank that holds the IMA PCR is replayed too and has to
// match at the same entry; a SHA-384 or SHA-512 bank may hold zero-padded SHA-1 digests instead,
// which is what a kernel extends when it lacks that algorithm.
//
// Fails with, as met in log order:
//   kImaTooLarge, kImaMalformed, kImaUnknownTemplate  as ImaLogReader::next(), in the tail as well
//   kImaTemplateDigestMismatch  a record's SHA-1 is not that of its data
//   kImaPcrNotQuoted            a record names a PCR that the quote's primary bank does not cover
// and after the last record:
//   kImaPcrMismatch             no prefix leads to the quoted values
//   kImaLogTruncated            the same, with nothing in `log` although the PCR has moved on
//   kImaNothingMeasured         the quote proves an empty log, and `from` is fresh
//
// Pure; O(bytes of log), no allocation per entry. Append happens before extend under one mutex
// (Linux ima_queue.c ima_add_template_entry()), so a log read after the quote is never behind it.
Result<AttestedImaLog> replay_ima_log(ByteView log, const QuotedPcrs& quoted,
                                      const LogCheckpoint& from);

}  // namespace assay
