#include "verifier/sessions/pod_claims.h"

#include <doctest/doctest.h>

#include "tests/support/userns_file.h"

using namespace assay;
using assay::testing::userns_file;

namespace {

const std::string kPodA = "11111111-2222-4333-8444-555555555555";
const std::string kPodB = "21111111-2222-4333-8444-555555555555";

PodClaims::Pod pod(const std::string& uid, std::uint32_t host) {
  const std::string text = userns_file(host);
  return {.uid = uid, .mapping = Bytes(text.begin(), text.end())};
}

bool has(const UidRanges& ranges, std::uint32_t uid, const std::string& pod) {
  const PodLabel* found = ranges.pod_of(*PodLabel::uid_range(uid));
  return found != nullptr && found->text() == pod;
}

}  // namespace

TEST_CASE("learn: pods and their ranges") {
  UidRanges ranges;
  CHECK_FALSE(learn({.pods = {pod(kPodA, 65536), pod(kPodB, 131072)}}, ranges));
  CHECK(has(ranges, 65536, kPodA));
  CHECK(has(ranges, 131072, kPodB));
}

TEST_CASE("learn: a claim that cannot be read takes nothing from the others, and is told of") {
  struct Row {
    std::string name;
    PodClaims::Pod bad;
    FaultId want;
    std::string says;
  };
  const Row rows[] = {
      {"a name that is no UID", pod("0-\n", 196608), FaultId::kEvidenceMalformed,
       "claims of pod 0-\\x0a: no UID of a pod"},
      {"a file that is no JSON",
       {kPodA, {'x'}},
       FaultId::kEvidenceMalformed,
       "claims of pod " + kPodA + ": not a JSON object"},
      {"the host's ids", pod(kPodA, 0), FaultId::kEvidenceMalformed, "ids that no pod is given"},
      {"a file that is too long",
       {kPodA, Bytes(4097, ' ')},
       FaultId::kEvidenceTooLarge,
       "over 4 KiB"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    UidRanges ranges;
    const auto fault = learn({.pods = {row.bad, pod(kPodB, 131072)}}, ranges);
    REQUIRE(fault.has_value());
    CHECK(fault->id == row.want);
    CHECK(fault->detail.find(row.says) != std::string::npos);
    CHECK(ranges.size() == 1);
    CHECK(has(ranges, 131072, kPodB));
  }
}

TEST_CASE("learn: incomplete claims count, and are told of") {
  UidRanges ranges;
  REQUIRE_FALSE(learn({.pods = {pod(kPodA, 65536), pod(kPodB, 131072)}}, ranges));
  const auto fault = learn({.pods = {pod(kPodA, 65536)}, .incomplete = true}, ranges);
  REQUIRE(fault.has_value());
  CHECK(fault->id == FaultId::kEvidenceTooLarge);
  CHECK(has(ranges, 65536, kPodA));
  CHECK(has(ranges, 131072, kPodB));
}

TEST_CASE("learn: a pod under two spellings of its UID is claimed twice") {
  std::string spelled = kPodA;
  spelled[8] = '_';
  UidRanges ranges;
  REQUIRE_FALSE(learn({.pods = {pod(kPodA, 65536), pod(spelled, 131072)}}, ranges));
  CHECK_FALSE(has(ranges, 65536, kPodA));
  CHECK_FALSE(has(ranges, 131072, kPodA));
}
