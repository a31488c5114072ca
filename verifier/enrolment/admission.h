// Which rule lets a TPM in.
#pragma once

#include <string_view>

#include "core/policy.h"
#include "core/result.h"

namespace assay {

// RFC 1123 subdomain: what Kubernetes accepts as the name of a node.
bool is_node_name(std::string_view name);

enum class AdmissionRule : std::uint8_t {
  kListed,     // the policy names its endorsement key
  kJoinToken,  // it came with a token, which has to be good
  kApproval,   // an operator has to say so
};

enum class JoinTokenGiven : std::uint8_t { kNo, kYes };

// The first rule that applies to a TPM which claims to be `node`. Fails with kEnrolNotAdmitted when
// the policy lists it as another node, or refuses whom no rule admits. Pure.
Result<AdmissionRule> choose_admission_rule(const AdmissionPolicy& policy, const Digest& ek,
                                            std::string_view node, JoinTokenGiven token);

}  // namespace assay
