// kubernetes of the configuration.
#pragma once

#include <filesystem>

#include "golden/yaml_reader.h"
#include "verifier/cluster/kubernetes_api.h"

namespace assay {

// A mapping with `api`, `ca_file` and `token_file`, all required; relative paths are taken from `folder`.
// Fails with kConfigInvalid, naming line and key. Opens no file: check_kubernetes_api() does.
Setter kubernetes_api(KubernetesApi& out, const std::filesystem::path& folder);

}  // namespace assay
