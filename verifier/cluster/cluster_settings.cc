#include "verifier/cluster/cluster_settings.h"

#include "verifier/config_setters.h"

namespace assay {
namespace {

constexpr const char* kWhere = "kubernetes: ";

tl::unexpected<Fault> invalid(const YAML::Node& node, const std::string& what) {
  return fail(FaultId::kConfigInvalid, at_line(node) + kWhere + what);
}

}  // namespace

Setter kubernetes_api(KubernetesApi& out, const std::filesystem::path& folder) {
  return [&out, folder](const YAML::Node& node) -> Status {
    KubernetesApi api;
    ASSAY_OK(read_mapping(node, kWhere,
                          {{"api", printable_text(api.url)},
                           {"ca_file", file_path(api.ca_file, folder)},
                           {"token_file", file_path(api.token_file, folder)}}));
    if (api.url.empty() || api.ca_file.empty() || api.token_file.empty()) {
      return invalid(node, "api, ca_file and token_file are required");
    }
    if (!api.url.starts_with("https://")) {
      return invalid(node, "api: write the API server's https:// URL");
    }
    out = std::move(api);
    return {};
  };
}

}  // namespace assay
