#include "core/attribution/pod_expectation.h"

#include <doctest/doctest.h>

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
    by_owner.record(
        kImaPcr, "d-ng|n-ng|iuid|igid",
        {d_ng(digest_of("f")), n_ng("/f"), by_owner.number(65536, 4), by_owner.number(65536, 4)});
    by_nobody.file("/f", digest_of("f"));
  }

  const ClusterSnapshot cluster{{{*PodLabel::pod(kUid), {"staging", "web-1", "worker"}},
                                 {*PodLabel::uid_range(65536), {"staging", "web-2", "worker"}}}};
  const std::vector<NamespaceRule> rules{{.names = {"staging"}, .mode = NamespaceMode::kMonitor},
                                         {.names = {"dev"}, .mode = NamespaceMode::kWarn}};
  const PodExpectation expected{.cluster = &cluster, .node = "worker", .rules = rules};
  ImaBuilder by_cgroup;
  ImaBuilder by_owner;
  ImaBuilder by_nobody;
};

}  // namespace

TEST_CASE("owner_of: a pod of this node is in its namespace's mode, by its cgroup alone") {
  const Case c;
  const auto owner = owner_of(entry_of(c.by_cgroup), c.expected);
  REQUIRE(owner.has_value());
  CHECK(owner->mode == NamespaceMode::kMonitor);
  CHECK(describe(*owner, c.expected) ==
        "attributed by cgroup to pod " + std::string(kUid) + " (staging/web-1)");
  const auto by_owner = owner_of(entry_of(c.by_owner), c.expected);
  REQUIRE(by_owner.has_value());
  CHECK(by_owner->pod != nullptr);
  CHECK(by_owner->mode == NamespaceMode::kEnforce);
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
