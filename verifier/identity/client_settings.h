// golden.clients of the configuration.
#pragma once

#include <filesystem>
#include <vector>

#include "golden/yaml_reader.h"
#include "verifier/identity/client_rules.h"

namespace assay {

// A list of authorities with rules. Fails with kConfigInvalid, naming line and key.
Setter clients(std::vector<ClientSettings>& out, const std::filesystem::path& folder);

}  // namespace assay
