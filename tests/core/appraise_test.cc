#include "core/appraise.h"

#include <doctest/doctest.h>

#include "tests/support/fake_tpm.h"
#include "tests/support/ima_builder.h"
#include "tests/support/signing.h"

using namespace assay;
using namespace assay::testing;

namespace {

const Nonce kNonce = nonce_of(1);

}  // namespace

TEST_CASE(
    "LogAppraiser: what the replay settles is judged as what it leaves open, however much there "
    "is") {
  const SigningKey key = SigningKey::ecdsa();
  GoldenSnapshot::Builder builder;
  const auto set = builder.add_set("host");
  builder.add(set, digest_of("good"));
  builder.add(set, digest_of("boot_aggregate"));
  builder.add_signer(set, key.signer());
  const GoldenSnapshot golden = std::move(builder).build();
  for (const std::size_t unknown : {std::size_t{3}, OpenEntries::kMax - 3, OpenEntries::kMax + 5}) {
    CAPTURE(unknown);
    FakeTpm tpm;
    ImaBuilder log;
    log.boot_aggregate(tpm.pcrs);
    const Bytes signature = sig_v2(key, digest_of("signed"));
    for (std::size_t i = 0; i < unknown; ++i) {
      log.file("/bad", digest_of("bad")).file("/good", digest_of("good"));
    }
    log.record(kImaPcr, "ima-sig", {d_ng(digest_of("signed")), n_ng("/s"), signature});
    log.file("boot_aggregate", digest_of("boot_aggregate")).violation("/v");
    tpm.set(log.pcrs());
    const QuotedPcrs proof = verify_quote(tpm.quote(kNonce), tpm.ak(), kNonce, {}).value();
    log.file("/good", digest_of("good")).file("/bad", digest_of("bad"));  // the tail
    const LogExpectation expected{.golden = &golden};
    const LogAppraiser appraiser(proof, expected);
    const auto filtered = replay_ima_log(log.bytes(), proof, {}, {}, &appraiser);
    const auto plain = replay_ima_log(log.bytes(), proof, {});
    REQUIRE(filtered.has_value());
    REQUIRE(plain.has_value());
    CHECK(filtered->tail_entries() == 2);
    for (const auto& got : {appraiser.appraise(*filtered), appraiser.appraise(*plain)}) {
      CHECK(got.faults.total() == unknown + 2);  // the unknown, the false aggregate, the violation
      CHECK(got.accepted.digest == unknown);
      CHECK(got.accepted.boot_aggregate == 1);
      CHECK(got.accepted.groups ==
            std::vector<AcceptedEntries::Group>{{.group = 0, .alone = true}});
      REQUIRE(got.accepted.signers.size() == 1);
      CHECK(got.accepted.signers[0].entries == 1);
      CHECK(got.faults.listed()[0].entry == 1);
    }
  }
}

TEST_CASE("LogAppraiser: tells in which groups proven golden files are, and which in one only") {
  GoldenSnapshot::Builder builder;
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) builder.add_set(name);
  builder.add(0, digest_of("of a"));
  builder.add(0, digest_of("of both"));
  builder.add(1, digest_of("of both"));
  builder.add(4, digest_of("of e and f"));
  builder.add(5, digest_of("of e and f"));
  builder.add(2, digest_of("of c"));
  builder.add(3, digest_of("of d"));
  const GoldenSnapshot golden = std::move(builder).build();
  FakeTpm tpm;
  ImaBuilder log;
  log.boot_aggregate(tpm.pcrs);
  log.file("/1", digest_of("of both")).file("/2", digest_of("of a")).file("/3", digest_of("of a"));
  log.file("/5", digest_of("of e and f"));
  log.file("boot_aggregate", digest_of("of d"));
  tpm.set(log.pcrs());
  const QuotedPcrs proof = verify_quote(tpm.quote(kNonce), tpm.ak(), kNonce, {}).value();
  log.file("/4", digest_of("of c"));  // the tail
  const LogExpectation expected{.golden = &golden};
  const LogAppraiser appraiser(proof, expected);
  const auto filtered = replay_ima_log(log.bytes(), proof, {}, {}, &appraiser);
  const auto plain = replay_ima_log(log.bytes(), proof, {});
  REQUIRE(filtered.has_value());
  REQUIRE(plain.has_value());
  const std::vector<AcceptedEntries::Group> expected_groups = {{.group = 0, .alone = true},
                                                               {.group = 1, .alone = false},
                                                               {.group = 4, .alone = false},
                                                               {.group = 5, .alone = false}};
  CHECK(appraiser.appraise(*filtered).accepted.groups == expected_groups);
  CHECK(appraiser.appraise(*plain).accepted.groups == expected_groups);
}

TEST_CASE("LogAppraiser: tells which pods ran what, as labels that are proven say") {
  const SigningKey key = SigningKey::ecdsa();
  GoldenSnapshot::Builder builder;
  for (const char* name : {"a", "b"}) builder.add_set(name);
  builder.add(0, digest_of("of a"));
  builder.add(0, digest_of("of both"));
  builder.add(1, digest_of("of both"));
  builder.add_signer(1, key.signer());
  const GoldenSnapshot golden = std::move(builder).build();
  const PodLabel first = *PodLabel::uid_range(65536);
  const PodLabel second = *PodLabel::uid_range(131072);
  const PodLabel third = *PodLabel::uid_range(196608);
  FakeTpm tpm;
  ImaBuilder log;
  const auto owned = [&](const char* content, std::uint32_t owner, const Bytes& signature = {}) {
    log.record(kImaPcr, "d-ng|n-ng|sig|iuid|igid",
               {d_ng(digest_of(content)), n_ng("/f"), signature, log.number(owner, 4),
                log.number(owner, 4)});
  };
  log.boot_aggregate(tpm.pcrs);
  log.file("/host", digest_of("of a"));
  owned("of a", 0);
  owned("of both", 131072);
  owned("of a", 65536);
  owned("of both", 66000);
  owned("signed", 196608, sig_v2(key, digest_of("signed")));
  owned("nobody's", 196608);
  owned("nobody's either", 0);
  log.violation("/v");
  tpm.set(log.pcrs());
  const QuotedPcrs proof = verify_quote(tpm.quote(kNonce), tpm.ak(), kNonce, {}).value();
  owned("of a", 131072);  // the tail
  const LogExpectation expected{.golden = &golden};
  const LogAppraiser appraiser(proof, expected);
  const auto filtered = replay_ima_log(log.bytes(), proof, {}, {}, &appraiser);
  const auto plain = replay_ima_log(log.bytes(), proof, {});
  REQUIRE(filtered.has_value());
  REQUIRE(plain.has_value());
  for (const auto& got : {appraiser.appraise(*filtered), appraiser.appraise(*plain)}) {
    using Groups = std::vector<AcceptedEntries::Group>;
    const auto& pods = got.accepted.pods;
    CHECK(got.accepted.pods_complete);
    REQUIRE(pods.size() == 3);
    CHECK(pods[0].label == first);
    CHECK(pods[0].groups == Groups{{.group = 0, .alone = true}, {.group = 1, .alone = false}});
    CHECK(pods[0].signers.empty());
    CHECK(pods[1].label == second);
    CHECK(pods[1].groups == Groups{{.group = 0, .alone = false}, {.group = 1, .alone = false}});
    CHECK(pods[2].label == third);
    CHECK(pods[2].groups.empty());
    CHECK(pods[2].signers == std::vector<Digest>{key.signer().fingerprint()});
    REQUIRE(got.faults.total() == 3);
    CHECK(got.faults.listed()[0].id == FaultId::kImaUnknownDigest);
    CHECK(got.faults.listed()[0].detail == "attributed by uid range to uids 196608-262143");
    CHECK(got.faults.listed()[1].id == FaultId::kImaUnknownDigest);
    CHECK(got.faults.listed()[1].detail.empty());
    CHECK(got.faults.listed()[2].id == FaultId::kImaViolation);
  }
}

namespace {

constexpr std::string_view kMonitoredPod = "/kubepods/pod11111111-2222-4333-8444-555555555555/c";
constexpr std::string_view kWarnedPod = "/kubepods/pod66666666-2222-4333-8444-555555555555/c";
constexpr std::uint32_t kMonitoredUser = 131072;  // of kMonitoredPod, as its node claims
constexpr std::string_view kOtherPod = "/kubepods/pod77777777-2222-4333-8444-555555555555/c";

// What the entries that `log` adds are judged as, by golden sets of "good" alone.
LogAppraisal judge_pods(const std::function<void(ImaBuilder&)>& add) {
  const auto label = [](const char* uid) { return *PodLabel::pod(uid); };
  const PodFacts monitored{
      .name_space = "staging", .name = "web-1", .node = "worker", .has_own_users = true};
  const ClusterSnapshot cluster{
      {{label("11111111-2222-4333-8444-555555555555"), monitored},
       {label("66666666-2222-4333-8444-555555555555"), {"dev", "web-2", "worker"}},
       {label("77777777-2222-4333-8444-555555555555"), {"prod", "web-3", "worker"}}}};
  const std::vector<NamespaceRule> rules{
      {.names = {"staging"}, .mode = NamespaceMode::kMonitor, .weakest = Attribution::kUidRange},
      {.names = {"dev"}, .mode = NamespaceMode::kWarn}};
  UidRanges ranges;
  const UidClaim claim{.pod = label("11111111-2222-4333-8444-555555555555"),
                       .ids = *UidMapping::from(kMonitoredUser, 65536)};
  REQUIRE(ranges.learn({&claim, 1}).has_value());
  GoldenSnapshot::Builder builder;
  builder.add(builder.add_set("a"), digest_of("good"));
  const GoldenSnapshot golden = std::move(builder).build();
  FakeTpm tpm;
  ImaBuilder log;
  log.boot_aggregate(tpm.pcrs);
  add(log);
  tpm.set(log.pcrs());
  const QuotedPcrs proof = verify_quote(tpm.quote(kNonce), tpm.ak(), kNonce, {}).value();
  const LogExpectation expected{
      .golden = &golden,
      .pods = {.cluster = &cluster, .node = "worker", .rules = rules, .ranges = &ranges}};
  const LogAppraiser appraiser(proof, expected);
  return appraiser.appraise(replay_ima_log(log.bytes(), proof, {}, {}, &appraiser).value());
}

}  // namespace

TEST_CASE("LogAppraiser: an unknown file of a monitored namespace is drafted, and no fault") {
  const LogAppraisal got = judge_pods([](ImaBuilder& log) {
    log.file_in_cgroup("/bin/good", digest_of("good"), kMonitoredPod);
    log.file_in_cgroup("/bin/new", digest_of("new"), kMonitoredPod);
    log.file_in_cgroup("/bin/new", digest_of("new"), kMonitoredPod);
    log.file_of("/bin/also", digest_of("also"), kMonitoredUser);
  });
  CHECK(got.faults.empty());
  CHECK(got.monitored == std::vector<MonitoredFile>{{"staging", "/bin/also", digest_of("also")},
                                                    {"staging", "/bin/new", digest_of("new")}});
  CHECK(got.accepted.monitored == 3);
  CHECK(got.accepted.digest == 1);
}

TEST_CASE(
    "LogAppraiser: an unknown file of a namespace that warns is a warning, of others critical") {
  const LogAppraisal got = judge_pods([](ImaBuilder& log) {
    log.file_in_cgroup("/bin/new", digest_of("new"), kWarnedPod);
    log.file_in_cgroup("/bin/new", digest_of("new"), kOtherPod);
    log.file_in_cgroup("/bin/new", digest_of("new"), "/system.slice/sshd.service");
    log.file("/bin/new", digest_of("new"));
  });
  CHECK(got.monitored.empty());
  REQUIRE(got.faults.total() == 4);
  const auto& faults = got.faults.listed();
  CHECK(severity_of(faults[0]) == Severity::kWarning);
  CHECK(faults[0].detail.find("(dev/web-2)") != std::string::npos);
  CHECK(faults[1].detail.find("(prod/web-3)") != std::string::npos);
  for (std::size_t i = 1; i < 4; ++i) {
    CHECK(faults[i].id == FaultId::kImaUnknownDigest);
    CHECK(severity_of(faults[i]) == Severity::kCritical);
  }
}

TEST_CASE(
    "LogAppraiser: what acts beyond its pod, or has no name to draft, is no namespace's matter") {
  const std::pair<std::string, std::function<void(ImaBuilder&)>> rows[] = {
      {"a kernel module",
       [](ImaBuilder& log) { log.file_in_cgroup("/x/evil.ko", digest_of("x"), kMonitoredPod); }},
      {"a kernel module of a pod's user",
       [](ImaBuilder& log) { log.file_of("/x/evil.ko", digest_of("x"), kMonitoredUser); }},
      {"a compressed one",
       [](ImaBuilder& log) { log.file_in_cgroup("evil.ko.xz", digest_of("x"), kMonitoredPod); }},
      {"a boot_aggregate that is none",
       [](ImaBuilder& log) {
         log.file_in_cgroup("boot_aggregate", digest_of("x"), kMonitoredPod);
       }},
      {"a buffer",
       [](ImaBuilder& log) {
         log.record(kImaPcr, "d-ng|n-ng|buf|cg-path",
                    {d_ng(digest_of("b")), n_ng("kexec-cmdline"), Bytes{'b'}, n_ng(kMonitoredPod)});
       }},
      {"a boot_aggregate that the quote cannot tell",
       [](ImaBuilder& log) {
         log.file_in_cgroup("boot_aggregate", Digest::filled(HashAlg::kSha1, 7), kMonitoredPod);
       }},
      {"a digest of an unknown algorithm",
       [](ImaBuilder& log) {
         Bytes digest{'s', 'm', '3', ':', 0};
         digest.resize(digest.size() + 32, 7);
         log.record(kImaPcr, "ima-cgpath", {n_ng("x"), n_ng(kMonitoredPod), digest, n_ng("/x")});
       }},
      {"no name", [](ImaBuilder& log) { log.file_in_cgroup("", digest_of("x"), kMonitoredPod); }},
      {"a name with a NUL",
       [](ImaBuilder& log) {
         log.file_in_cgroup(std::string_view("/a\0b", 4), digest_of("x"), kMonitoredPod);
       }},
      {"a name that is too long",
       [](ImaBuilder& log) {
         log.file_in_cgroup(std::string(4097, 'a'), digest_of("x"), kMonitoredPod);
       }},
      {"a violation", [](ImaBuilder& log) { log.violation("/v"); }},
  };
  for (const auto& [name, add] : rows) {
    CAPTURE(name);
    const LogAppraisal got = judge_pods(add);
    CHECK(got.monitored.empty());
    REQUIRE(got.faults.total() == 1);
    CHECK(severity_of(got.faults.listed()[0]) == Severity::kCritical);
  }
}

TEST_CASE("LogAppraiser: more unknown files than a draft takes at once are faults") {
  const LogAppraisal got = judge_pods([](ImaBuilder& log) {
    for (std::size_t i = 0; i < kMaxMonitored + 2; ++i) {
      log.file_in_cgroup("/x", digest_of(std::to_string(i)), kMonitoredPod);
    }
    log.file_in_cgroup("/x", digest_of("0"), kMonitoredPod);  // is in it
  });
  CHECK(got.monitored.size() == kMaxMonitored);
  CHECK(got.accepted.monitored == kMaxMonitored + 1);
  CHECK(got.faults.total() == 2);
}
