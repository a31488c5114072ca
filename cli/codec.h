// The verifier's answers as commands print them. Only this file's source and the nouns' see
// generated protobuf.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/fault_row.h"

namespace assay {

namespace v1 {
class GoldenImage;
class GoldenSummary;
class Node;
class Violation;
}  // namespace v1

using Fields = std::vector<std::pair<std::string_view, std::string>>;

nlohmann::ordered_json to_json(const v1::GoldenSummary& set);
nlohmann::ordered_json to_json(const v1::GoldenImage& image);
nlohmann::ordered_json to_json(const v1::Node& node);
nlohmann::ordered_json to_json(const v1::Violation& violation);

Fields fields_of(const v1::GoldenSummary& set);
Fields fields_of(const v1::GoldenImage& image);

// Everything about one node or violation, for people.
std::string describe(const v1::Node& node);
std::string describe(const v1::Violation& violation);

// A violation's fault.
FaultRow row_of(const v1::Violation& violation);

}  // namespace assay
