#include "core/verdict.h"

#include <doctest/doctest.h>

#include <set>

using namespace assay;
using namespace std::chrono_literals;

namespace {

const Instant kNow{std::chrono::hours(1000)};

Appraisal proven(std::initializer_list<FaultId> faults = {}) {
  Appraisal out{.log = LogFacts{}};
  for (const FaultId id : faults) out.faults.add({.id = id});
  return out;
}

Appraisal unproven(FaultId fault) {
  Appraisal out;
  out.faults.add({.id = fault});
  return out;
}

}  // namespace

TEST_CASE("decide: proven evidence without fault is trusted") {
  const Standing got = decide({}, proven(), kNow);
  CHECK(got.state == NodeState::kTrusted);
  CHECK(got.since == kNow);
  CHECK(got.last_verified == kNow);
  CHECK(decide(got, proven(), kNow + 30s).since == kNow);
}

TEST_CASE("decide: a violation compromises, and stays until a signed reset or an acknowledgement") {
  const Standing bad = decide({}, proven({FaultId::kImaUnknownDigest}), kNow);
  CHECK(bad.state == NodeState::kCompromised);
  const Standing later = decide(bad, proven(), kNow + 30s);
  CHECK(later.state == NodeState::kCompromised);
  CHECK(later.last_verified == kNow + 30s);

  Appraisal rebooted = proven();
  rebooted.continuity = Continuity::kRebooted;
  CHECK(decide(later, rebooted, kNow + 60s).state == NodeState::kTrusted);

  const Standing acknowledged = acknowledge(later, kNow + 40s);
  CHECK(acknowledged.state == NodeState::kUnknown);
  CHECK(decide(acknowledged, proven(), kNow + 60s).state == NodeState::kTrusted);
}

TEST_CASE("decide: a reboot into more violations stays compromised") {
  Appraisal rebooted = proven({FaultId::kImaViolation});
  rebooted.continuity = Continuity::kRebooted;
  const Standing bad = decide({}, proven({FaultId::kImaUnknownDigest}), kNow);
  const Standing got = decide(bad, rebooted, kNow + 1s);
  CHECK(got.state == NodeState::kCompromised);
  CHECK(decide(got, proven(), kNow + 2s).state == NodeState::kCompromised);
}

TEST_CASE("decide: a quote that contradicts its log compromises, though no log is proven") {
  for (const FaultId id : {FaultId::kImaPcrMismatch, FaultId::kImaLogTruncated,
                           FaultId::kImaTemplateDigestMismatch, FaultId::kQuoteResetBackwards}) {
    const Standing got = decide(decide({}, proven(), kNow), unproven(id), kNow + 5s);
    CHECK(got.state == NodeState::kCompromised);
    CHECK(got.last_verified == kNow);
  }
}

TEST_CASE("decide: an answer that proves nothing is no answer") {
  const Standing good = decide({}, proven(), kNow);
  for (const FaultId id : {FaultId::kQuoteBadSignature, FaultId::kQuoteNonceMismatch,
                           FaultId::kQuotePcrDigestMismatch, FaultId::kImaMalformed}) {
    const Standing got = decide(good, unproven(id), kNow + 5s);
    CHECK(got.state == NodeState::kTrusted);
    CHECK(got.last_verified == kNow);
  }
}

TEST_CASE(
    "expire: silence makes a node stale by the clock alone, after the deadline and not before") {
  const Standing good = decide({}, proven(), kNow);
  CHECK(expire(good, kNow, 90s, kNow + 90s).state == NodeState::kTrusted);
  const Standing stale = expire(good, kNow, 90s, kNow + 90s + 1ms);
  CHECK(stale.state == NodeState::kStale);
  CHECK(stale.since == kNow + 90s + 1ms);
  CHECK(expire({}, kNow, 90s, kNow + 91s).state == NodeState::kStale);
  CHECK(decide(stale, proven(), kNow + 100s).state == NodeState::kTrusted);
}

TEST_CASE("expire: time in which nobody watched does not count") {
  const Standing good = decide({}, proven(), kNow);
  CHECK(expire(good, kNow + 1h, 90s, kNow + 1h + 90s).state == NodeState::kTrusted);
  CHECK(expire(good, kNow + 1h, 90s, kNow + 1h + 91s).state == NodeState::kStale);
}

TEST_CASE("expire: a compromised node stays compromised") {
  const Standing bad = decide({}, proven({FaultId::kImaUnknownDigest}), kNow);
  CHECK(expire(bad, kNow, 90s, kNow + 10h).state == NodeState::kCompromised);
}

TEST_CASE("restore: a verdict that expired while nobody watched is no longer green") {
  const Standing good = decide({}, proven(), kNow);
  CHECK(restore(good, 90s, kNow + 90s).state == NodeState::kTrusted);
  CHECK(restore(good, 90s, kNow + 91s).state == NodeState::kUnknown);
  const Standing bad = decide({}, proven({FaultId::kImaUnknownDigest}), kNow);
  CHECK(restore(bad, 90s, kNow + 10h).state == NodeState::kCompromised);
}

TEST_CASE(
    "fault_name: every id has its own dotted lower-case name, and the name gives the id back") {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < fault_count(); ++i) {
    const auto id = static_cast<FaultId>(i);
    const std::string name(fault_name(id));
    CAPTURE(name);
    CHECK(seen.insert(name).second);
    CHECK(name.find('.') != std::string::npos);
    CHECK(std::ranges::all_of(name, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
    }));
    CHECK(fault_by_name(name) == id);
    CHECK_FALSE(fault_meaning(id).empty());
  }
  CHECK_FALSE(fault_by_name("ima.nope").has_value());
}

TEST_CASE("decide: warnings are no violations: the node stays as it is") {
  Appraisal warned{.log = LogFacts{}};
  warned.faults.add({.id = FaultId::kBootPcrNotAccepted, .severity = Severity::kWarning});
  const Standing got = decide({}, warned, kNow);
  CHECK(got.state == NodeState::kTrusted);
  CHECK_FALSE(got.has_open_violations);
  const Standing bad = decide(got, proven({FaultId::kImaUnknownDigest}), kNow);
  CHECK(decide(bad, warned, kNow).state == NodeState::kCompromised);
  warned.faults.add({.id = FaultId::kBootPcrNotAccepted});
  CHECK(decide({}, warned, kNow).state == NodeState::kCompromised);
}
