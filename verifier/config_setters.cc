#include "verifier/config_setters.h"

#include <algorithm>

namespace assay {
namespace {

constexpr std::size_t kMaxPrintableBytes = 512;

}  // namespace

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

Result<std::string> printable(const YAML::Node& node) {
  ASSAY_TRY(const std::string value, scalar(node));
  const bool good = value.size() <= kMaxPrintableBytes &&
                    std::ranges::all_of(value, [](char c) { return c > ' ' && c <= '~'; });
  if (good) return value;
  return fail(FaultId::kConfigInvalid, "write at most 512 printable characters without spaces");
}

Setter printable_text(std::string& out) {
  return [&out](const YAML::Node& node) -> Status {
    ASSAY_TRY(out, printable(node));
    return {};
  };
}

}  // namespace assay
