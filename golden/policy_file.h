// The policy as people keep it: one YAML document. deploy/policy.yaml.example explains every key.
#pragma once

#include <string>
#include <string_view>

#include "core/policy.h"

namespace assay {

// Reads a policy. `yaml` is at most 1 MiB. A key that is left out has its safe default.
//
// Fails with kConfigInvalid, naming line and key, for text that is not YAML, a key that is unknown or
// given twice, a value of the wrong form, a digest whose algorithm does not fit, two classes of one
// name, a class that can have no member because one before it has every node, or a namespace in two rules.
// Pure.
Result<Policy> parse_policy(std::string_view yaml);

}  // namespace assay
