// Replay: the measurement log against the PCRs a TPM signed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/entry_notes.h"
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
  // SHA-256 of the last proven record as the log has it: finds the place again in a log from which
  // earlier records were removed. Nothing before the first, and where it was not kept.
  std::optional<Digest> last_record = {};
};

// Where the bytes given to replay_ima_log() begin.
enum class LogStart : std::uint8_t {
  kAtCheckpoint,
  // With the oldest record that the node still has: since Linux 7.2 root may remove records that
  // were exported (CONFIG_IMA_STAGING). The PCR tells where in it the checkpoint is.
  kUnknown,
};

struct ReplayRules {
  ImaLogForm form = {};
  LogStart start = LogStart::kAtCheckpoint;
  bool allow_sha1 = false;  // a log that the primary bank proves by SHA-1 digests only
};

// What records claim of themselves, proven or not.
struct LogCounts {
  static constexpr std::size_t kMaxTemplates = 64;

  std::uint64_t violations = 0;  // records of files that the kernel could not measure
  // Entries by template name; those of names beyond kMaxTemplates under "other".
  std::map<std::string, std::uint64_t, std::less<>> templates = {};
};

// Which entries are accepted by what they are alone, wherever they stand. Asked in the replay, while an
// entry is at hand, so that appraisal looks at the others only. Called for entries that are not proven yet,
// and may prove to be nothing: it has to be cheap, and decides nothing by itself.
class EntryFilter {
 public:
  virtual ~EntryFilter() = default;
  // The number of the rule that accepts `entry`, counted from 0 without gaps; nothing: it is open, and
  // nothing is noted of it.
  virtual std::optional<std::size_t> rule_for(const ImaEntry& entry, EntryNotes& notes) const = 0;
};

// Where the entries of a log are that a filter has not settled: the first kMax of them by place, and all
// entries when there are more.
class OpenEntries {
 public:
  static constexpr std::size_t kMax = 16384;
  struct Place {
    std::size_t offset;  // of the record, in the replayed bytes
    std::uint64_t index;
  };

  void add(Place place);                  // behind those that are there
  void keep_before(std::uint64_t index);  // forgets those from this entry on
  bool is_all() const { return all_; }
  const std::vector<Place>& places() const { return places_; }

 private:
  std::vector<Place> places_;
  bool all_ = false;
};

// Reads the open entries of a proven log in log order. Borrows both.
class OpenEntryReader {
 public:
  OpenEntryReader(ByteView proven, ImaLogForm form, std::uint64_t first_entry,
                  const OpenEntries& open)
      : proven_(proven), form_(form), open_(open), all_(proven, form, first_entry) {}

  bool at_end() const { return open_.is_all() ? all_.at_end() : next_ == open_.places().size(); }
  // The next one; not at_end(). They have parsed before.
  void read(ImaEntry& entry);

 private:
  ByteView proven_;
  ImaLogForm form_;
  const OpenEntries& open_;
  ImaLogReader all_;
  std::size_t next_ = 0;
};

// Log entries whose digests lead to the PCRs that a TPM signed. Only replay_ima_log() makes one.
// Borrows the log's bytes.
class AttestedImaLog {
 public:
  std::uint64_t first_entry() const { return first_entry_; }
  std::uint64_t size() const { return next_.entries - first_entry_; }

  // The proven entries, in log order. They have parsed before, so next() cannot fail on them.
  ImaLogReader entries() const { return ImaLogReader(proven_, form_, first_entry_); }

  // Those that `filter()` has not settled, and how many each of its rules has; without a filter all are
  // open.
  OpenEntryReader open_entries() const {
    return OpenEntryReader(proven_, form_, first_entry_, open_);
  }
  // By number of the rule; those that no entry needed may be missing.
  const std::vector<std::uint64_t>& settled() const { return settled_; }
  // What the filter noted of the proven entries that it settled.
  const EntryNotes& notes() const { return notes_; }
  const EntryFilter* filter() const { return filter_; }

  // Where the next replay goes on.
  const LogCheckpoint& next() const { return next_; }

  // Of the proven entries and of the tail.
  const LogCounts& counts() const { return counts_; }

  // Records after the proven ones: logged after the quote was taken. A later quote proves them;
  // until then they are neither trusted nor blamed.
  std::uint64_t tail_entries() const { return tail_entries_; }

 private:
  friend class ReplayedPart;
  AttestedImaLog() = default;

  ByteView proven_;
  ImaLogForm form_;
  std::uint64_t first_entry_ = 0;
  LogCheckpoint next_;
  std::uint64_t tail_entries_ = 0;
  LogCounts counts_;
  const EntryFilter* filter_ = nullptr;
  OpenEntries open_;
  std::vector<std::uint64_t> settled_;
  EntryNotes notes_;
};

// Extends PCRs with the entries of `log`, from `from` on, and keeps the prefix that ends on the
// quoted values.
//
//   log      untrusted; starts with entry `from.entries`, or as rules.start says; borrowed by the
//            result
//   quoted   the proof; in its primary bank the IMA PCR has to match, and so has each other PCR that
//            an entry names, unless it is still zero and its first entry is in the tail
//   from     fresh, or the next() of an earlier replay of the same boot
//   filter   null: nothing is settled
//
// A kernel that lacks a TPM bank's algorithm extends that bank with SHA-1 digests, zero-padded. From
// a fresh checkpoint every other quoted bank that holds the IMA PCR is replayed too and has to match
// at the same entry, in one of the two ways; a primary bank that matches in the second way only is
// accepted with rules.allow_sha1.
//
// In a log of unknown start the checkpoint is looked for at the log's beginning and after records
// that equal the last proven one, the newest kMaxResumePoints of them.
//
// Fails with, as met in log order:
//   kImaTooLarge, kImaMalformed  as ImaLogReader::next(), in the tail as well
//   kImaTemplateDigestMismatch   a record's digest is not that of its data
//   kImaPcrNotQuoted             a record names a PCR that the quote's primary bank does not cover
// and after the last record:
//   kQuoteSha1Refused            SHA-1 digests lead to the quoted values, and nothing else does
//   kImaPcrMismatch              no prefix leads to the quoted values
//   kImaLogTruncated             the same, with nothing in `log` although the PCR has moved on
//   kImaNothingMeasured          the quote proves an empty log, and `from` is fresh
//
// Pure; O(bytes of log) for each place where it may resume, no allocation per entry. Append happens
// before extend under one mutex (Linux ima_queue.c ima_add_template_entry()), so a log read after the
// quote is never behind it.
Result<AttestedImaLog> replay_ima_log(ByteView log, const QuotedPcrs& quoted,
                                      const LogCheckpoint& from, const ReplayRules& rules = {},
                                      const EntryFilter* filter = nullptr);
inline constexpr std::size_t kMaxResumePoints = 16;

}  // namespace assay
