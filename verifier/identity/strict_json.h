// JSON of tokens and key sets: what two parsers could read in two ways is refused.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/bytes.h"
#include "core/result.h"

namespace assay {

inline constexpr std::size_t kMaxJsonDepth = 8;

// Reads one JSON object, untrusted; the caller has limited its size. Fails with `malformed`: not an object in
// UTF-8 and nothing behind it, a NUL byte, a member twice in any object, or nested deeper than
// kMaxJsonDepth. Pure.
Result<nlohmann::json> parse_strict_object(ByteView text, FaultId malformed);

// The member's text; null when it is not there or is no text. Borrows from `object`.
const std::string* text_member(const nlohmann::json& object, const char* name);

}  // namespace assay
