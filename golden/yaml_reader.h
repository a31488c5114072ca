// YAML documents with known keys: every mistake is named with its line and what to write instead.
#pragma once

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "core/result.h"

namespace assay {

// What may stand under a mapping's key, and what it sets.
using Setter = std::function<Status(const YAML::Node&)>;
using Keys = std::map<std::string, Setter>;

// Parses a document. Fails with kConfigInvalid, naming the line.
Result<YAML::Node> parse_yaml(std::string_view text);

// "line 7: "
std::string at_line(const YAML::Node& node);

// Reads a mapping, whose keys are all known and stand once. `where` names it in messages: "tls: ", or
// nothing for the document. Fails with what a setter fails with, or kConfigInvalid.
Status read_mapping(const YAML::Node& node, const std::string& where, const Keys& keys);

// Calls `read` with each item of a list.
Status read_list(const YAML::Node& node, const Setter& read);

// One value that is not empty.
Result<std::string> scalar(const YAML::Node& node);

Setter mapping(std::string where, Keys keys);
Setter text(std::string& out);
Setter flag(bool& out);

template <typename T>
Setter number(T& out, T smallest, T largest) {
  return [&out, smallest, largest](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    T parsed = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (error != std::errc{} || end != value.data() + value.size() || parsed < smallest ||
        parsed > largest) {
      return fail(FaultId::kConfigInvalid, "write a whole number from " + std::to_string(smallest) +
                                               " to " + std::to_string(largest));
    }
    out = parsed;
    return {};
  };
}

}  // namespace assay
