#include "core/attribution/uid_ranges.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"

using namespace assay;
using assay::testing::fault_of;

namespace {

constexpr std::uint64_t kUids = PodLabel::kUidsPerPod;

PodLabel pod(std::uint32_t number) {
  std::string digits = std::to_string(number);
  return *PodLabel::pod("00000000-0000-4000-8000-" + std::string(12 - digits.size(), '0') + digits);
}

PodLabel range(std::uint32_t number) {
  return *PodLabel::uid_range(number * PodLabel::kUidsPerPod);
}

// That pod `number` has `count` ranges from `first` on.
UidClaim claim(std::uint32_t number, std::uint32_t first, std::uint32_t count = 1) {
  return {.pod = pod(number), .ids = *UidMapping::from(first * kUids, count * kUids)};
}

// The pod that has a range, by its number in `names`; 0: nobody.
std::uint32_t owner(const UidRanges& ranges, std::uint32_t number) {
  const PodLabel* label = ranges.pod_of(range(number));
  for (std::uint32_t i = 1; label != nullptr && i < 10'000; ++i) {
    if (*label == pod(i)) return i;
  }
  return 0;
}

void learn(UidRanges& ranges, const std::vector<UidClaim>& claims) {
  REQUIRE(ranges.learn(claims).has_value());
}

}  // namespace

TEST_CASE("UidMapping: whole ranges that are not the host's, as far as user ids go") {
  const auto two = UidMapping::from(2 * kUids, 2 * kUids);
  REQUIRE(two.has_value());
  CHECK(two->ranges() == 2);
  CHECK(two->label(0) == range(2));
  CHECK(two->label(1) == range(3));
  CHECK(UidMapping::from(65535 * kUids, kUids).has_value());
  CHECK(UidMapping::from(kUids, 64 * kUids).has_value());
  struct Row {
    std::uint64_t first;
    std::uint64_t count;
  };
  for (const Row& row :
       {Row{0, kUids}, Row{kUids, 0}, Row{kUids + 1, kUids}, Row{100'000, kUids},
        Row{kUids, kUids + 1}, Row{kUids, kUids - 1}, Row{kUids, 65 * kUids},
        Row{65535 * kUids, 2 * kUids}, Row{std::uint64_t{1} << 32, kUids},
        Row{(std::uint64_t{1} << 32) + kUids, kUids}, Row{kUids, std::uint64_t{1} << 63},
        Row{~std::uint64_t{0} - 65535, kUids}}) {
    CAPTURE(row.first);
    CAPTURE(row.count);
    CHECK_FALSE(UidMapping::from(row.first, row.count).has_value());
  }
}

TEST_CASE("UidRanges: what is claimed is the pod's at once, and stays so") {
  UidRanges ranges;
  CHECK(owner(ranges, 2) == 0);
  learn(ranges, {claim(1, 2), claim(2, 3, 2)});
  CHECK(ranges.is_settled());
  for (int i = 0; i < 3; ++i) {
    CHECK(owner(ranges, 2) == 1);
    CHECK(owner(ranges, 3) == 2);
    CHECK(owner(ranges, 4) == 2);
    CHECK(owner(ranges, 5) == 0);
    learn(ranges, {claim(1, 2), claim(2, 3, 2)});
  }
}

TEST_CASE("UidRanges: a range that is claimed no more keeps its pod") {
  UidRanges ranges;
  learn(ranges, {claim(1, 2)});
  learn(ranges, {});
  learn(ranges, {claim(2, 3)});
  CHECK(owner(ranges, 2) == 1);
  CHECK(owner(ranges, 3) == 2);
}

TEST_CASE("UidRanges: a range that changes hands is nobody's for two evidences") {
  UidRanges ranges;
  learn(ranges, {claim(1, 2), claim(3, 7)});
  ranges.settle();
  learn(ranges, {claim(3, 7)});
  learn(ranges, {claim(2, 2), claim(3, 7)});
  CHECK(owner(ranges, 2) == 0);  // the one that showed it
  CHECK(owner(ranges, 7) == 3);
  CHECK_FALSE(ranges.is_settled());
  ranges.settle();
  CHECK(owner(ranges, 2) == 0);  // the one with its tail
  CHECK_FALSE(ranges.is_settled());
  learn(ranges, {claim(2, 2)});
  CHECK(owner(ranges, 2) == 0);
  ranges.settle();
  CHECK(owner(ranges, 2) == 2);
  CHECK(ranges.is_settled());
}

TEST_CASE("UidRanges: a range that changes hands again starts anew, be it back") {
  UidRanges ranges;
  learn(ranges, {claim(1, 2)});
  learn(ranges, {claim(2, 2)});
  ranges.settle();
  learn(ranges, {claim(1, 2)});
  ranges.settle();
  CHECK(owner(ranges, 2) == 0);
  ranges.settle();
  CHECK(owner(ranges, 2) == 1);
}

TEST_CASE(
    "UidRanges: a node that contradicts itself has said nothing, and is not believed at once") {
  struct Row {
    const char* name;
    std::vector<UidClaim> claims;
  };
  for (const Row& row : {Row{"a range twice", {claim(1, 2), claim(2, 2)}},
                         Row{"an overlap", {claim(1, 1, 3), claim(2, 2)}},
                         Row{"a pod twice", {claim(1, 2), claim(1, 4)}},
                         Row{"the same claim twice", {claim(1, 2), claim(1, 2)}}}) {
    CAPTURE(std::string(row.name));
    UidRanges ranges;
    std::vector<UidClaim> claims = row.claims;
    claims.push_back(claim(9, 9));
    learn(ranges, claims);
    for (const std::uint32_t number : {1, 2, 3, 4}) CHECK(owner(ranges, number) == 0);
    CHECK(owner(ranges, 9) == 9);
    learn(ranges, {claim(1, 2)});
    CHECK(owner(ranges, 2) == 0);
    ranges.settle();
    ranges.settle();
    CHECK(owner(ranges, 2) == 1);
  }
  UidRanges known;
  learn(known, {claim(1, 2)});
  learn(known, {claim(1, 2), claim(2, 2)});
  CHECK(owner(known, 2) == 0);
}

TEST_CASE("UidRanges: of too many ranges those go that were claimed last the longest ago") {
  constexpr std::uint32_t kHalf = UidRanges::kMaxRanges / 2;
  const auto claims_from = [](std::uint32_t first) {
    std::vector<UidClaim> out;
    for (std::uint32_t i = 0; i < kHalf; i += 64) out.push_back(claim(first + i, first + i, 64));
    return out;
  };
  UidRanges ranges;
  learn(ranges, claims_from(1));
  learn(ranges, claims_from(kHalf + 1));
  CHECK(ranges.size() == UidRanges::kMaxRanges);
  CHECK(owner(ranges, 1) == 1);
  learn(ranges, claims_from(1));  // the first half is the newer one now
  learn(ranges, claims_from(2 * kHalf + 1));
  CHECK(ranges.size() == UidRanges::kMaxRanges);
  CHECK(owner(ranges, 1) == 1);
  CHECK(owner(ranges, kHalf + 1) == 0);
  CHECK(owner(ranges, 2 * kHalf + 1) == 2 * kHalf + 1);
}

TEST_CASE("UidRanges: a claim over the limit is refused, and nothing is claimed any more") {
  std::vector<UidClaim> claims;
  for (std::uint32_t i = 0; i < 64; ++i) claims.push_back(claim(i + 1, 64 * i + 1, 64));
  UidRanges ranges;
  learn(ranges, claims);
  CHECK(owner(ranges, 1) == 1);
  claims.push_back(claim(65, 64 * 64 + 1));
  CHECK(fault_of(ranges.learn(claims)) == FaultId::kEvidenceTooLarge);
  CHECK(ranges.size() == 0);
  CHECK(owner(ranges, 1) == 0);
}
