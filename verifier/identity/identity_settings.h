// golden.identities of the configuration.
#pragma once

#include <filesystem>
#include <vector>

#include "golden/yaml_reader.h"
#include "verifier/identity/identity_rules.h"

namespace assay {

// A list of issuers, each once. Fails with kConfigInvalid, naming line and key: also for a rule that does
// not name whom it admits by what cannot be given to somebody else.
Setter identities(std::vector<IdentitySettings>& out, const std::filesystem::path& folder);

}  // namespace assay
