// Faults as commands print them, whether they were found here or came from a verifier.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/fault.h"

namespace assay {

struct FaultRow {
  std::string id;  // a newer verifier may have ids that this program does not know
  std::string severity = {};
  std::optional<std::uint64_t> entry = {};
  std::string path = {};  // raw bytes
  std::string digest = {};
  std::string detail = {};
};

FaultRow row_of(const Fault& fault);

// {"id","severity","entry","path","digest","detail"}: null for what the fault has not; a fault
// without a detail of its own gets its id's meaning.
nlohmann::ordered_json to_json(const FaultRow& fault);

// A table of `faults`, then what each id in it means, then how many of `total` are not shown.
std::string format_faults(const std::vector<FaultRow>& faults, std::uint64_t total);

// JSON as text, on one line. Never fails: what is not UTF-8 is replaced.
std::string format_json(const nlohmann::ordered_json& json);

}  // namespace assay
