// Pods of a stock kernel: ranges of user ids that the agent claims, from its stream to verdicts and drafts.
#include <doctest/doctest.h>

#include <fstream>

#include "tests/integration/machine.h"
#include "tests/integration/moment.h"
#include "tests/integration/operator_client.h"
#include "tests/integration/running_verifier.h"
#include "tests/integration/simulated_agent.h"
#include "tests/support/userns_file.h"
#include "tests/verifier/cluster/api_server.h"
#include "tests/verifier/cluster/pod_json.h"

using namespace assay;
using namespace assay::testing;
using nlohmann::json;

namespace {

constexpr std::uint32_t kRange = 131072;

// What is right in all but one of the tests.
struct Case {
  std::string node = "worker";
  std::string spec = R"(,"hostUsers":false)";
  std::string annotations = "{}";
  std::string rule = "{names: [staging], mode: monitor, attribution: uid range}";
  bool claims = true;
};

// A verifier that asks Kubernetes of one pod, staging/cart.
struct Site {
  explicit Site(const Case& with) {
    server.on_list(ApiServer::text(list_json({pod_json({.uid = uid_text(1),
                                                        .name_space = "staging",
                                                        .name = "cart",
                                                        .node = with.node,
                                                        .annotations = with.annotations,
                                                        .spec = with.spec})},
                                             "7")));
    server.on_watch(server.hanging({}));
    const KubernetesApi api = server.api();
    verifier.emplace(RunningVerifier::Options{
        .more = "policy_file: policy.yaml\nkubernetes:\n  api: " + api.url + "\n  ca_file: " +
                api.ca_file.string() + "\n  token_file: " + api.token_file.string() + '\n',
        .files = {{"policy.yaml", "namespaces: [" + with.rule + "]\n"}}});
    REQUIRE(eventually([&] { return verifier->metric("assay_cluster_up") == 1; }));
    const OperatorClient operators(*verifier);
    operators.push_golden("base", {"base"});
  }

  json ask(Arguments arguments) const {
    arguments.push_back("--json");
    const Finished got = verifier->assay(arguments);
    REQUIRE_MESSAGE(got.exit == 0, got.err);
    return got.json();
  }

  ApiServer server;
  std::optional<RunningVerifier> verifier;
};

// Its node "worker", on which the pod has run a golden file and an unknown one.
struct Claiming : Site {
  explicit Claiming(const Case& with) : Site(with) {
    OperatorClient(*verifier).enrol("worker", agent.ak_public());
    agent.run_file_of("/bin/base", "base", kRange);
    agent.run_file_of("/bin/new", "new", kRange + 1000);
    if (with.claims) agent.claim(uid_text(1), kRange);
    agent.connect(connect(*verifier));
    REQUIRE(eventually([&] { return agent.seen().outcomes > 0; }));
  }

  SimulatedAgent agent;
};

}  // namespace

TEST_CASE("a monitored namespace on a stock kernel: what its pods' users own is drafted") {
  const Claiming c({});
  CHECK(c.agent.seen().state == "trusted");
  const json draft = c.ask({"golden", "show", "monitored/staging"});
  CHECK(draft["set"]["state"] == "draft");
  REQUIRE(draft["files"].size() == 1);
  CHECK(draft["files"][0]["path"] == "/bin/new");
  const json ran = c.ask({"golden", "nodes", "base"});
  REQUIRE(ran["pods"].size() == 1);
  CHECK(ran["pods"][0]["name"] == "staging/cart");
  CHECK(c.ask({"violation", "list"})["violations"].empty());
}

TEST_CASE("a monitored namespace on a stock kernel: nothing is relaxed unless all agree") {
  struct Row {
    std::string name;
    Case with;
    std::string detail = "attributed by uid range to uids 131072-196607";
  };
  const std::string mirror = R"({"kubernetes.io/config.mirror":"x"})";
  const Row rows[] = {
      {"the policy does not say so",
       {.rule = "{names: [staging], mode: monitor}"},
       "attributed by uid range to uids 131072-196607 (staging/cart, as its node says)"},
      {"no claim", {.claims = false}},
      {"a pod with the host's users", {.spec = R"(,"hostUsers":true)"}},
      {"a pod that says nothing of users", {.spec = ""}},
      {"a pod of another node", {.node = "worker-2"}},
      {"a mirror pod", {.annotations = mirror}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Claiming c(row.with);
    CHECK(c.agent.seen().state == "compromised");
    const json violations = c.ask({"violation", "list"})["violations"];
    REQUIRE(violations.size() == 1);
    CHECK(violations[0]["fault"]["severity"] == "critical");
    CHECK(violations[0]["fault"]["detail"] == row.detail);
  }
}

TEST_CASE("assay-agent: pods of the kubelet's folder are claimed, as they come") {
  const Site site({});
  Machine machine(*site.verifier, "kubelet_pods: pods\n");
  const std::filesystem::path pods = machine.dir() / "pods";
  std::filesystem::create_directory(pods);
  const std::string ak = read_file(machine.print_ak());
  OperatorClient(*site.verifier).enrol("worker", as_bytes(ak));
  machine.start_agent();
  const auto is_trusted = [&] {
    return site.ask({"node", "show", "worker"})["state"] == "trusted";
  };
  REQUIRE(eventually(is_trusted));

  std::filesystem::create_directory(pods / uid_text(1));
  std::ofstream(pods / uid_text(1) / "userns") << userns_file(kRange);
  machine.run_file_of("/bin/new", "new", kRange);
  REQUIRE(eventually([&] {
    return site.verifier->metric("assay_ima_entries_accepted_total{rule=\"monitored\"}") == 1;
  }));
  CHECK(is_trusted());
  CHECK(machine.stop_agent() == 0);
}
