// Values of the configuration that stand in more than one place of it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "golden/yaml_reader.h"
#include "verifier/access/name_scope.h"

namespace assay {

// A path; a relative one is taken from `folder`.
Setter file_path(std::filesystem::path& out, const std::filesystem::path& folder);

// Text of 1 to 512 printable ASCII characters without spaces.
Result<std::string> printable(const YAML::Node& node);
Setter printable_text(std::string& out);

// A list of set names and prefixes, which are put behind those in `out`.
Setter name_scopes(std::vector<NameScope>& out);

}  // namespace assay
