#include "verifier/enrolment/admission.h"

#include <algorithm>

namespace assay {

bool is_node_name(std::string_view name) {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 253 && alphanumeric(name.front()) &&
         alphanumeric(name.back()) &&
         std::ranges::all_of(name, [&](char c) { return alphanumeric(c) || c == '-' || c == '.'; });
}

Result<AdmissionRule> choose_admission_rule(const AdmissionPolicy& policy, const Digest& ek,
                                            std::string_view node, JoinTokenGiven token) {
  if (const auto listed = policy.endorsement_keys.find(ek);
      listed != policy.endorsement_keys.end()) {
    if (!listed->second || *listed->second == node) return AdmissionRule::kListed;
    return fail(FaultId::kEnrolNotAdmitted, "endorsement key " + format_digest(ek) +
                                                " is listed as node " + *listed->second +
                                                ", and claims to be " + std::string(node));
  }
  if (token == JoinTokenGiven::kYes) return AdmissionRule::kJoinToken;
  if (policy.otherwise == AdmissionPolicy::Otherwise::kPending) return AdmissionRule::kApproval;
  return fail(FaultId::kEnrolNotAdmitted,
              "list its endorsement key " + format_digest(ek) +
                  " under admission.endorsement_keys, or give its agent a join token");
}

}  // namespace assay
