// Golden sets learned from what a machine measured: for a machine that is known to be good.
#pragma once

#include <cstdint>
#include <vector>

#include "golden/set_file.h"

namespace assay {

struct LearnedFiles {
  std::vector<GoldenFile> files;     // as a set has them; size and mode unknown
  std::uint64_t entries = 0;         // of the log
  std::uint64_t violations = 0;      // left out: the kernel could not measure the file
  std::uint64_t without_digest = 0;  // left out: no digest of an algorithm that Assay knows
  std::uint64_t without_name = 0;    // left out: a name that is empty or over kMaxSetPathBytes
};

// The files that a binary_runtime_measurements log has measured, with their digests; and keys, command
// lines and critical data under the names that golden_path() gives them.
//
//   log   from the first entry of a boot
//
// What is left out is counted, never taken in: an appraisal against the set will name it. Proves
// nothing about the log, which no quote vouches for here. Fails as ImaLogReader::next(), with
// kImaTemplateDigestMismatch for a record that is damaged, and with kImaBufferDigestMismatch for a
// digest that is not that of its buffer; a log without any usable entry is
// kGoldenMalformed, over kMaxSetFiles kGoldenTooLarge. Pure.
Result<LearnedFiles> learn_ima_log(ByteView log);

}  // namespace assay
