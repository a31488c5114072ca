#include "golden/yaml_reader.h"

#include <set>

#include "core/text.h"

namespace assay {
namespace {

std::string listed(const Keys& keys) {
  std::string out;
  for (const auto& [key, setter] : keys) out += (out.empty() ? "" : ", ") + key;
  return out;
}

}  // namespace

std::string at_line(const YAML::Node& node) {
  return "line " + std::to_string(node.Mark().line + 1) + ": ";
}

// yaml-cpp throws; its exceptions end here.
Result<YAML::Node> parse_yaml(std::string_view text) {
  try {
    return YAML::Load(std::string(text));
  } catch (const YAML::Exception& error) {
    return fail(FaultId::kConfigInvalid, "line " + std::to_string(error.mark.line + 1) +
                                             ": is not YAML: " + escape_bytes(error.msg));
  }
}

Status read_mapping(const YAML::Node& node, const std::string& where, const Keys& keys) {
  if (!node.IsMap()) {
    return fail(FaultId::kConfigInvalid, at_line(node) + where + "has to be a mapping of keys");
  }
  std::set<std::string> seen;
  for (const auto& item : node) {
    if (!item.first.IsScalar()) {
      return fail(FaultId::kConfigInvalid,
                  at_line(item.first) + where + "has a key that is no word");
    }
    const std::string& key = item.first.Scalar();
    const auto known = keys.find(key);
    if (known == keys.end()) {
      return fail(FaultId::kConfigInvalid, at_line(item.first) + where + "unknown key '" +
                                               shorten(escape_bytes(key), 64) + "'; known are " +
                                               listed(keys));
    }
    if (!seen.insert(key).second) {
      return fail(FaultId::kConfigInvalid, at_line(item.first) + where + "key '" + key + "' twice");
    }
    if (Status status = known->second(item.second); !status) {
      return fail(status.error().id,
                  status.error().detail.starts_with("line ")
                      ? status.error().detail
                      : at_line(item.second) + where + key + ": " + status.error().detail);
    }
  }
  return {};
}

Status read_list(const YAML::Node& node, const Setter& read) {
  if (!node.IsSequence()) return fail(FaultId::kConfigInvalid, "has to be a list");
  for (const YAML::Node& item : node) ASSAY_OK(read(item));
  return {};
}

Result<std::string> scalar(const YAML::Node& node) {
  if (!node.IsScalar() || node.Scalar().empty()) {
    return fail(FaultId::kConfigInvalid, "has to be one value");
  }
  return node.Scalar();
}

Setter text(std::string& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(out, scalar(node));
    return {};
  };
}

Setter flag(bool& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    if (value != "true" && value != "false") {
      return fail(FaultId::kConfigInvalid, "write true or false");
    }
    out = value == "true";
    return {};
  };
}

Setter mapping(std::string where, Keys keys) {
  return [where = std::move(where), keys = std::move(keys)](const YAML::Node& node) {
    return read_mapping(node, where, keys);
  };
}

}  // namespace assay
