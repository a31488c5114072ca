// assay evidence log: the entries of a measurement log, in words.
#pragma once

#include <string>

#include "cli/command.h"
#include "core/ima_log.h"

namespace assay {

// One entry as a line for people, or as JSON: number, PCR, template, digest, name, and what a buffer
// says or a violation means. Ended by a newline; everything escaped and bounded but for the name.
std::string format_entry(const ImaEntry& entry);
std::string format_entry_json(const ImaEntry& entry);

// Prints the entries of `path`, a log or a bundle that has one. Nothing in it is proven. Answers kUsage
// for a file that cannot be read, and kInvalid, after the entries before it, for a record that cannot be.
Exit print_log(const std::string& path, Format format);

}  // namespace assay
