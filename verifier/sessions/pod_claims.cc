#include "verifier/sessions/pod_claims.h"

#include <algorithm>

#include "core/text.h"
#include "verifier/sessions/uid_mapping.h"

namespace assay {
namespace {

constexpr std::size_t kMaxShownUid = 64;

Result<UidClaim> read_claim(const PodClaims::Pod& pod) {
  const auto label = PodLabel::pod(pod.uid);
  if (!label) return fail(FaultId::kEvidenceMalformed, "no UID of a pod");
  ASSAY_TRY(const UidMapping ids, parse_uid_mapping(pod.mapping));
  return UidClaim{.pod = *label, .ids = ids};
}

}  // namespace

std::size_t size_of(const PodClaims& claims) {
  std::size_t out = 0;
  for (const PodClaims::Pod& pod : claims.pods) out += pod.uid.size() + pod.mapping.size();
  return out;
}

Status check_limits(const PodClaims& claims) {
  const bool too_large = std::ranges::any_of(claims.pods, [](const PodClaims::Pod& pod) {
    return pod.uid.size() > kMaxPodUidBytes || pod.mapping.size() > kMaxUidMappingBytes;
  });
  if (too_large || claims.pods.size() > kMaxClaimedPods || size_of(claims) > kMaxPodClaimsBytes) {
    return fail(FaultId::kEvidenceTooLarge, "pod claims over their limits");
  }
  return {};
}

std::optional<Fault> learn(const PodClaims& claims, UidRanges& ranges) {
  std::optional<Fault> first;
  std::vector<UidClaim> readable;
  for (const PodClaims::Pod& pod : claims.pods) {
    auto claim = read_claim(pod);
    if (claim) {
      readable.push_back(*claim);
    } else if (!first) {
      first = Fault{.id = claim.error().id,
                    .detail = "claims of pod " + shorten(escape_bytes(pod.uid), kMaxShownUid) +
                              ": " + claim.error().detail};
    }
  }
  if (const Status learnt = ranges.learn(readable); !learnt) return learnt.error();
  if (!first && claims.incomplete) {
    first = Fault{.id = FaultId::kEvidenceTooLarge,
                  .detail = "pod claims are incomplete: the node has more pods than they hold"};
  }
  return first;
}

}  // namespace assay
