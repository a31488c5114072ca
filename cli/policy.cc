#include "cli/policy.h"

#include <yaml-cpp/yaml.h>

#include <set>
#include <string>

#include "core/text.h"

namespace assay {
namespace {

std::string line_of(const YAML::Node& node) {
  return "line " + std::to_string(node.Mark().line + 1) + ": ";
}

Result<bool> parse_switch(const std::string& key, const YAML::Node& value) {
  if (value.IsScalar() && value.Scalar() == "true") return true;
  if (value.IsScalar() && value.Scalar() == "false") return false;
  return fail(FaultId::kConfigInvalid, line_of(value) + key + " has to be true or false");
}

Result<QuotePolicy> read_policy(const YAML::Node& document) {
  QuotePolicy out;
  if (document.IsNull()) return out;
  if (!document.IsMap()) return fail(FaultId::kConfigInvalid, "not a map of keys to values");
  std::set<std::string> seen;
  for (const auto& member : document) {
    const YAML::Node& key = member.first;
    if (!key.IsScalar() || key.Scalar() != "allow_sha1") {
      return fail(FaultId::kConfigInvalid, line_of(key) + "unknown key \"" +
                                               (key.IsScalar() ? escape_bytes(key.Scalar()) : "") +
                                               "\"; known: allow_sha1");
    }
    if (!seen.insert(key.Scalar()).second) {
      return fail(FaultId::kConfigInvalid, line_of(key) + key.Scalar() + " is given twice");
    }
    ASSAY_TRY(out.allow_sha1, parse_switch(key.Scalar(), member.second));
  }
  return out;
}

}  // namespace

Result<QuotePolicy> parse_policy(std::string_view yaml) {
  try {  // yaml-cpp throws for anything that it cannot read
    return read_policy(YAML::Load(std::string(yaml)));
  } catch (const YAML::Exception& e) {
    return fail(FaultId::kConfigInvalid,
                "line " + std::to_string(e.mark.line + 1) + ": " + escape_bytes(e.msg));
  }
}

}  // namespace assay
