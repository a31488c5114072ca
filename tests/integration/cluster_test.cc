// Pods that Kubernetes knows, from its API to verdicts and drafts.
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/integration/moment.h"
#include "tests/integration/operator_client.h"
#include "tests/integration/running_verifier.h"
#include "tests/integration/simulated_agent.h"
#include "tests/support/golden_file.h"
#include "tests/support/temp_dir.h"
#include "tests/verifier/cluster/api_server.h"
#include "tests/verifier/cluster/pod_json.h"

using namespace assay;
using namespace assay::testing;
using nlohmann::json;

namespace {

json answer(const RunningVerifier& verifier, Arguments arguments) {
  arguments.push_back("--json");
  const Finished got = verifier.assay(arguments);
  REQUIRE_MESSAGE(got.exit == 0, got.err);
  return got.json();
}

std::string cgroup_of(std::size_t pod) {
  return "/kubepods/burstable/pod" + uid_text(pod) + "/" + std::string(64, 'c');
}

std::string pod(std::size_t number, const std::string& name_space) {
  return pod_json({.uid = uid_text(number),
                   .name_space = name_space,
                   .name = "web-" + std::to_string(number),
                   .node = "worker"});
}

RunningVerifier::Options asking(const ApiServer& server) {
  const KubernetesApi api = server.api();
  return {
      .more = "policy_file: policy.yaml\nkubernetes:\n  api: " + api.url + "\n  ca_file: " +
              api.ca_file.string() + "\n  token_file: " + api.token_file.string() + '\n',
      .files = {{"policy.yaml",
                 "namespaces: [{names: [staging], mode: monitor}, {names: [dev], mode: warn}]\n"}}};
}

}  // namespace

TEST_CASE("a monitored namespace: what its pods run is drafted, and counts once it is approved") {
  ApiServer server;
  server.on_list(
      ApiServer::text(list_json({pod(1, "staging"), pod(2, "prod"), pod(3, "dev")}, "7")));
  server.on_watch(server.hanging({event_json("ADDED", pod(4, "staging"))}));
  RunningVerifier verifier(asking(server));
  REQUIRE(eventually([&] { return verifier.metric("assay_cluster_up") == 1; }));
  const OperatorClient operators(verifier);
  operators.push_golden("base", {"base"});
  SimulatedAgent agent;
  agent.run_in_cgroup("/bin/base", "base", cgroup_of(2));
  operators.enrol("worker", agent.ak_public());
  agent.connect(connect(verifier));
  REQUIRE(eventually([&] { return agent.seen().state == "trusted"; }));

  std::uint64_t outcomes = agent.seen().outcomes;
  agent.run_in_cgroup("/bin/new", "new", cgroup_of(1));
  agent.run_in_cgroup("/bin/dev\n", "dev", cgroup_of(3));
  REQUIRE(eventually([&] { return agent.seen().outcomes > outcomes; }));
  REQUIRE(eventually([&] {
    return verifier.metric("assay_ima_entries_accepted_total{rule=\"monitored\"}") == 1;
  }));
  CHECK(agent.seen().state == "trusted");
  const json draft = answer(verifier, {"golden", "show", "monitored/staging"});
  CHECK(draft["set"]["state"] == "draft");
  REQUIRE(draft["files"].size() == 1);
  CHECK(draft["files"][0]["path"] == "/bin/new");
  REQUIRE(eventually([&] {
    return answer(verifier, {"violation", "list"})["violations"].size() == 1;
  }));
  const json warned = answer(verifier, {"violation", "list"})["violations"][0];
  CHECK(warned["fault"]["severity"] == "warning");
  CHECK(warned["fault"]["detail"].get<std::string>().ends_with("(dev/web-3)"));

  CHECK(answer(verifier, {"golden", "approve", "monitored/staging"})["state"] == "approved");
  outcomes = agent.seen().outcomes;
  agent.run_in_cgroup("/bin/new", "new", cgroup_of(2));
  REQUIRE(eventually([&] { return agent.seen().outcomes > outcomes; }));
  CHECK(agent.seen().state == "trusted");
  const json ran = answer(verifier, {"golden", "nodes", "monitored/staging"});
  REQUIRE(ran["pods"].size() == 1);
  CHECK(ran["pods"][0]["name"] == "prod/web-2");

  agent.run_in_cgroup("/bin/evil", "evil", cgroup_of(2));
  REQUIRE(eventually([&] { return agent.seen().state == "compromised"; }));
  const json violations = answer(verifier, {"violation", "list"})["violations"];
  REQUIRE(violations.size() == 2);
  CHECK(violations[0]["fault"]["detail"] ==
        "attributed by cgroup to pod " + uid_text(2) + " (prod/web-2)");
}

TEST_CASE("a monitored namespace: without an answer of Kubernetes nothing is relaxed") {
  ApiServer server;
  server.on_list(ApiServer::status(403));
  RunningVerifier verifier(asking(server));
  REQUIRE(
      eventually([&] { return verifier.log().find("event=cluster_lost") != std::string::npos; }));
  CHECK(verifier.metric("assay_cluster_up") == 0);
  const OperatorClient operators(verifier);
  operators.push_golden("base", {"base"});
  SimulatedAgent agent;
  agent.run_in_cgroup("/bin/new", "new", cgroup_of(1));
  operators.enrol("worker", agent.ak_public());
  agent.connect(connect(verifier));
  REQUIRE(eventually([&] { return agent.seen().state == "compromised"; }));
  CHECK(verifier.stop() == 0);
}

TEST_CASE("assay golden revoke: says which pods had its image, whatever the kernel tells") {
  const std::string digest = format_digest(image_digest(1));
  const auto with = [](PodText pod, std::size_t number) {
    pod.uid = uid_text(number);
    pod.name = "web-" + std::to_string(number);
    return pod_json(pod);
  };
  ApiServer server;
  server.on_list(ApiServer::text(
      list_json({with({.node = "node-a", .spec = with_image(image_digest(1))}, 1),
                 with({.node = "node-b", .status = with_image_id(image_digest(1))}, 2),
                 with({.node = "node-a", .spec = with_image(image_digest(2))}, 3)},
                "7")));
  server.on_watch(server.hanging({event_json(
      "DELETED", with({.node = "node-b", .status = with_image_id(image_digest(1))}, 2))}));
  RunningVerifier verifier(asking(server));
  REQUIRE(eventually([&] { return verifier.metric("assay_cluster_up") == 1; }));
  const TempDir dir;
  GoldenSet set{.name = "shop/web", .source = "oci", .files = {file("/bin/web", "web")}};
  set.image = GoldenImage{.names = {}, .digests = {image_digest(1)}, .layers = {image_digest(9)}};
  set.files[0].layer = 0;
  answer(verifier, {"golden", "push", dir.write("web.json", format_golden_set(set)).string()});
  REQUIRE(eventually([&] {
    const json got = answer(verifier, {"golden", "nodes", "shop/web"})["placements"];
    return got.size() == 2 && got[1]["is_there"] == false;
  }));
  const json revoked =
      answer(verifier, {"golden", "revoke", "shop/web", "--reason", "CVE-2026-1234"});
  CHECK(revoked["placements_total"] == 2);
  CHECK(revoked["placements_incomplete"].empty());
  const json& spec = revoked["placements"][0];
  CHECK(spec["node"] == "node-a");
  CHECK(spec["pod"] == uid_text(1));
  CHECK(spec["name"] == "shop/web-1");
  CHECK(spec["source"] == "spec");
  CHECK(spec["is_there"] == true);
  const json& status = revoked["placements"][1];
  CHECK(status["pod"] == uid_text(2));
  CHECK(status["source"] == "status");

  verifier.stop();
  server.on_list(ApiServer::status(403));
  verifier.start();
  const json later = answer(verifier, {"golden", "nodes", "shop/web"});
  REQUIRE(later["placements"].size() == 2);
  CHECK(later["placements"][0]["is_there"].is_null());
  CHECK(later["nodes"].empty());
  const Finished table = verifier.assay({"golden", "nodes", "shop/web"});
  CHECK(table.out.find("no node was seen to run it\n\nNODE") == 0);
  CHECK(table.out.find(uid_text(1)) != std::string::npos);
  CHECK(table.out.find(uid_text(3)) == std::string::npos);
}

TEST_CASE("a policy that relaxes namespaces is refused where nobody says which pods are in them") {
  const RunningVerifier verifier;
  TempDir dir;
  const auto policy = dir.write("policy.yaml", "namespaces: [{names: [staging], mode: warn}]\n");
  std::ofstream(verifier.dir() / "check.yaml")
      << read_file(verifier.config()) << "policy_file: " << policy.string() << '\n';
  const Finished got = run_program({ASSAY_VERIFIER_PROGRAM, "--config",
                                    (verifier.dir() / "check.yaml").string(), "--check-config"});
  CHECK(got.exit == 2);
  CHECK(got.err.find("config.invalid") != std::string::npos);
  CHECK(got.err.find("need a kubernetes section") != std::string::npos);
}
