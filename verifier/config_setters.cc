#include "verifier/config_setters.h"

namespace assay {

Setter file_path(std::filesystem::path& out, const std::filesystem::path& folder) {
  return [&out, folder](const YAML::Node& node) -> Status {
    ASSAY_TRY(const std::string value, scalar(node));
    out = folder / value;  // an absolute path stands as it is
    return {};
  };
}

Setter name_scopes(std::vector<NameScope>& out) {
  return [&out](const YAML::Node& list) {
    return read_list(list, [&out](const YAML::Node& name) -> Status {
      ASSAY_TRY(const std::string pattern, scalar(name));
      const auto scope = NameScope::parse(pattern);
      if (!scope) {
        return fail(FaultId::kConfigInvalid, "write a set's name, a prefix such as shop/, or *");
      }
      out.push_back(*scope);
      return {};
    });
  };
}

}  // namespace assay
