// What every command shares: how it ends, and how it speaks.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "core/result.h"

namespace assay {

// Exit statuses, as docs/evidence-bundle.md has them.
enum class Exit : std::uint8_t {
  kOk = 0,       // the question was answered; evidence: trusted
  kRefused = 1,  // the verifier refused, or found nothing; evidence: authentic, with violations;
                 // two sets: not the same
  kInvalid = 2,  // evidence that is not authentic, or cannot be read
  kUsage = 3,    // a bad option, a file that cannot be used, a verifier that cannot be reached
};

using Action = std::function<Exit()>;

enum class Format : std::uint8_t { kTable, kJson };

// Writes one line "assay: …" to standard error. `line` is safe for a terminal: what comes from files,
// peers or the user has been through escape_bytes().
Exit complain(Exit exit, std::string_view line);

// Writes `text` to standard output. main() finds out whether it got there.
void print(std::string_view text);

// Says what is wrong, and which status that is: kRefused for what a verifier answered, kUsage for
// anything else.
Exit complain(const Fault& fault);

// The same fault, with `subject` (a file's name, as given by the user: escaped here) in front of what it says.
Fault with_subject(Fault fault, std::string_view subject);

}  // namespace assay
