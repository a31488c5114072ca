// What a node has booted, for people and programs. For .cc files that see generated protobuf.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/boot/boot_facts.h"

namespace assay {

namespace v1 {
class BootFacts;
class GetNodeBootResponse;
}  // namespace v1

nlohmann::ordered_json to_json(const v1::GetNodeBootResponse& boot);
std::string describe(const v1::GetNodeBootResponse& boot);

// Fails with kRequestInvalid for what no verifier sends.
Result<BootFacts> decode_boot_facts(const v1::BootFacts& facts);

}  // namespace assay
