#include "core/attribution/pod_expectation.h"

#include <doctest/doctest.h>

#include <functional>
#include <vector>

#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

constexpr std::string_view kUid = "11111111-2222-4333-8444-555555555555";
constexpr std::string_view kCgroup = "/kubepods/pod11111111-2222-4333-8444-555555555555/c";

ImaEntry entry_of(const ImaBuilder& log) {
  return ImaLogReader(log.bytes()).next().value();
}

struct Case {
  Case() {
    by_cgroup.file_in_cgroup("/f", digest_of("f"), kCgroup);
    by_owner.file_of("/f", digest_of("f"), 131072);
    by_nobody.file("/f", digest_of("f"));
  }

  const ClusterSnapshot cluster{
      {{*PodLabel::pod(kUid),
        {.name_space = "staging", .name = "web-1", .node = "worker", .has_own_users = true}},
       {*PodLabel::uid_range(131072),
        {.name_space = "staging", .name = "web-2", .node = "worker", .has_own_users = true}}}};
  const std::vector<NamespaceRule> rules{{.names = {"staging"}, .mode = NamespaceMode::kMonitor},
                                         {.names = {"dev"}, .mode = NamespaceMode::kWarn}};
  const PodExpectation expected{.cluster = &cluster, .node = "worker", .rules = rules};
  ImaBuilder by_cgroup;
  ImaBuilder by_owner;
  ImaBuilder by_nobody;
};

}  // namespace

TEST_CASE("owner_of: a pod of this node is in its namespace's mode, by its cgroup") {
  const Case c;
  const auto owner = owner_of(entry_of(c.by_cgroup), c.expected);
  REQUIRE(owner.has_value());
  CHECK(owner->mode == NamespaceMode::kMonitor);
  CHECK(describe(*owner, c.expected) ==
        "attributed by cgroup to pod " + std::string(kUid) + " (staging/web-1)");
  CHECK_FALSE(owner_of(entry_of(c.by_nobody), c.expected).has_value());
}

TEST_CASE("owner_of: a label without a pod of this node is held to the golden sets") {
  const Case c;
  PodExpectation elsewhere = c.expected;
  elsewhere.node = "worker-2";
  PodExpectation unknown = c.expected;
  const ClusterSnapshot empty;
  unknown.cluster = &empty;
  PodExpectation nobody = c.expected;
  nobody.cluster = nullptr;
  PodExpectation without_rule = c.expected;
  without_rule.rules = std::span(c.rules).last(1);
  PodExpectation nameless = c.expected;
  nameless.node = "";
  const ClusterSnapshot waiting{{{*PodLabel::pod(kUid), {"staging", "web-1", ""}}}};
  nameless.cluster = &waiting;
  PodExpectation mirrored = c.expected;
  const ClusterSnapshot mirrors{
      {{*PodLabel::pod(kUid), {"staging", "web-1", "worker", /*is_mirror=*/true}}}};
  mirrored.cluster = &mirrors;
  for (const PodExpectation& expected :
       {elsewhere, unknown, nobody, without_rule, nameless, mirrored}) {
    const auto owner = owner_of(entry_of(c.by_cgroup), expected);
    REQUIRE(owner.has_value());
    CHECK(owner->mode == NamespaceMode::kEnforce);
  }
  CHECK(describe(*owner_of(entry_of(c.by_cgroup), elsewhere), elsewhere) ==
        "attributed by cgroup to pod " + std::string(kUid) + ", which is no pod of this node");
  CHECK(describe(*owner_of(entry_of(c.by_cgroup), nobody), nobody) ==
        "attributed by cgroup to pod " + std::string(kUid));
}

namespace {

// What the node claims: that kUid has the range from 131072 on.
UidRanges claimed() {
  UidRanges out;
  const UidClaim claim{.pod = *PodLabel::pod(kUid), .ids = *UidMapping::from(131072, 65536)};
  REQUIRE(out.learn({&claim, 1}).has_value());
  return out;
}

constexpr std::string_view kByRange = "attributed by uid range to uids 131072-196607";

}  // namespace

TEST_CASE("owner_of: a range of user ids is the pod's that the node claims, for all but the mode") {
  const Case c;
  const UidRanges ranges = claimed();
  PodExpectation expected = c.expected;
  expected.ranges = &ranges;
  const auto owner = owner_of(entry_of(c.by_owner), expected);
  REQUIRE(owner.has_value());
  REQUIRE(owner->pod != nullptr);
  CHECK(owner->pod->name == "web-1");
  CHECK(owner->mode == NamespaceMode::kEnforce);
  CHECK(describe(*owner, expected) == std::string(kByRange) + " (staging/web-1, as its node says)");
  const auto nobodys = owner_of(entry_of(c.by_owner), c.expected);
  REQUIRE(nobodys.has_value());
  CHECK(nobodys->pod == nullptr);
  CHECK(describe(*nobodys, c.expected) == kByRange);
}

TEST_CASE("owner_of: the mode counts for a range of user ids where the rule says so") {
  const Case c;
  const UidRanges ranges = claimed();
  const std::vector<NamespaceRule> rules{
      {.names = {"staging"}, .mode = NamespaceMode::kMonitor, .weakest = Attribution::kUidRange}};
  PodExpectation expected = c.expected;
  expected.ranges = &ranges;
  expected.rules = rules;
  CHECK(owner_of(entry_of(c.by_owner), expected)->mode == NamespaceMode::kMonitor);
  CHECK(owner_of(entry_of(c.by_cgroup), expected)->mode == NamespaceMode::kMonitor);

  ImaBuilder other_range;
  other_range.file_of("/f", digest_of("f"), 196608);
  ImaBuilder host;
  host.file_of("/f", digest_of("f"), 1000);
  for (const ImaBuilder* log : {&other_range, &host}) {
    const auto owner = owner_of(entry_of(*log), expected);
    CHECK((!owner || (owner->pod == nullptr && owner->mode == NamespaceMode::kEnforce)));
  }
}

TEST_CASE("owner_of: a claim is believed as far as the control plane agrees") {
  const Case c;
  const UidRanges ranges = claimed();
  const UidRanges none;
  UidRanges moved = claimed();
  const UidClaim other{.pod = *PodLabel::pod("21111111-2222-4333-8444-555555555555"),
                       .ids = *UidMapping::from(131072, 65536)};
  REQUIRE(moved.learn({&other, 1}).has_value());
  const std::vector<NamespaceRule> rules{
      {.names = {"staging"}, .mode = NamespaceMode::kMonitor, .weakest = Attribution::kUidRange}};
  const PodFacts good{
      .name_space = "staging", .name = "web-1", .node = "worker", .has_own_users = true};
  const auto with = [&](const std::function<void(PodFacts&)>& change) {
    PodFacts facts = good;
    change(facts);
    return ClusterSnapshot({{*PodLabel::pod(kUid), facts}});
  };
  const ClusterSnapshot agrees = with([](PodFacts&) {});
  const ClusterSnapshot elsewhere = with([](PodFacts& facts) { facts.node = "worker-2"; });
  const ClusterSnapshot nowhere = with([](PodFacts& facts) { facts.node = ""; });
  const ClusterSnapshot mirror = with([](PodFacts& facts) { facts.is_mirror = true; });
  const ClusterSnapshot host_users = with([](PodFacts& facts) { facts.has_own_users = false; });
  const ClusterSnapshot empty;
  struct Row {
    const char* name;
    const ClusterSnapshot* cluster;
    const UidRanges* claims;
    std::string_view node = "worker";
  };
  const Row rows[] = {{"no cluster", nullptr, &ranges},
                      {"no such pod", &empty, &ranges},
                      {"a pod of another node", &elsewhere, &ranges},
                      {"a pod of no node", &nowhere, &ranges, ""},
                      {"a mirror pod", &mirror, &ranges},
                      {"a pod with the host's users", &host_users, &ranges},
                      {"no claims", &agrees, nullptr},
                      {"a claim of nothing", &agrees, &none},
                      {"a range that has changed hands", &agrees, &moved}};
  for (const Row& row : rows) {
    CAPTURE(std::string(row.name));
    const PodExpectation expected{
        .cluster = row.cluster, .node = row.node, .rules = rules, .ranges = row.claims};
    const auto owner = owner_of(entry_of(c.by_owner), expected);
    REQUIRE(owner.has_value());
    CHECK(owner->pod == nullptr);
    CHECK(owner->mode == NamespaceMode::kEnforce);
    CHECK(describe(*owner, expected) == kByRange);
  }
  const PodExpectation expected{
      .cluster = &agrees, .node = "worker", .rules = rules, .ranges = &ranges};
  CHECK(owner_of(entry_of(c.by_owner), expected)->mode == NamespaceMode::kMonitor);
}

TEST_CASE("owner_of: a record in another layout than evm-sig's has a label, and no mode") {
  const Case c;
  const UidRanges ranges = claimed();
  const std::vector<NamespaceRule> rules{
      {.names = {"staging"}, .mode = NamespaceMode::kMonitor, .weakest = Attribution::kUidRange}};
  PodExpectation expected = c.expected;
  expected.ranges = &ranges;
  expected.rules = rules;
  ImaBuilder log;
  const Bytes owner_id = log.number(131072, 4);
  log.record(kImaPcr, "d-ng|n-ng|iuid|igid",
             {d_ng(digest_of("f")), n_ng("/f"), owner_id, owner_id});
  const auto owner = owner_of(entry_of(log), expected);
  REQUIRE(owner.has_value());
  CHECK(owner->pod != nullptr);
  CHECK(owner->mode == NamespaceMode::kEnforce);
}

TEST_CASE("owner_of: a record that was renamed has a label, and no mode but enforce") {
  const Case c;
  for (const char* name : {"d-ng|n-ng|cg-path", "cg-path|dep|d-ng|n-ng", "dep|cg-path|n-ng|d-ng",
                           "dep|cg-path|d-ng|n-ng|sig", "cg-path|d-ng|n-ng"}) {
    CAPTURE(std::string(name));
    const std::string format = name;
    std::vector<Bytes> fields;
    for (std::size_t at = 0; at <= format.size();) {
      const std::string field = format.substr(at, format.find('|', at) - at);
      at += field.size() + 1;
      fields.push_back(field == "d-ng" ? d_ng(digest_of("f"))
                                       : n_ng(field == "cg-path" ? kCgroup : "/f"));
    }
    ImaBuilder log;
    log.record(kImaPcr, format, fields);
    const auto owner = owner_of(entry_of(log), c.expected);
    REQUIRE(owner.has_value());
    CHECK(owner->pod != nullptr);
    CHECK(owner->mode == NamespaceMode::kEnforce);
  }
}

TEST_CASE("namespace_mode_by_name: takes what namespace_mode_name gives") {
  for (const auto mode : {NamespaceMode::kEnforce, NamespaceMode::kWarn, NamespaceMode::kMonitor}) {
    CHECK(namespace_mode_by_name(namespace_mode_name(mode)) == mode);
  }
  CHECK_FALSE(namespace_mode_by_name("ignore"));
}
