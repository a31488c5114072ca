// The life of golden sets through the real verifier and the real command line: who may push, what a
// signature is needed for, what counts when.
#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>

#include "assay/v1/golden.grpc.pb.h"
#include "tests/integration/moment.h"
#include "tests/integration/operator_client.h"
#include "tests/integration/running_verifier.h"
#include "tests/integration/simulated_agent.h"
#include "tests/support/golden_file.h"
#include "tests/support/signing_keys.h"
#include "tests/support/temp_dir.h"

using namespace assay;
using namespace assay::testing;
using nlohmann::json;

namespace {

std::string set_file(const TempDir& dir, const std::string& name, const std::string& content) {
  const GoldenSet set{.name = name, .source = "rootfs", .files = {file("/bin/a", content)}};
  return dir.write(content + ".json", format_golden_set(set)).string();
}

json answer(const RunningVerifier& verifier, Arguments arguments) {
  arguments.push_back("--json");
  const Finished got = verifier.assay(arguments);
  REQUIRE_MESSAGE(got.exit == 0, got.err);
  return got.json();
}

bool refused(const RunningVerifier& verifier, const Arguments& arguments,
             const std::string& fault) {
  const Finished got = verifier.assay(arguments);
  const bool said = got.exit == 1 && got.err.find(fault) != std::string::npos;
  if (!said) MESSAGE(got.exit, " ", got.err);
  return said;
}

}  // namespace

TEST_CASE("assay golden: a draft counts when it is approved, and not when it is revoked") {
  RunningVerifier verifier(
      RunningVerifier::Options{.more = "golden: {pushed: draft, grace: 200ms}\n"});
  const TempDir dir;
  const std::string first = set_file(dir, "shop/web", "one");
  CHECK(answer(verifier, {"golden", "push", first})["set"]["state"] == "draft");
  CHECK(verifier.metric("assay_golden_images") == 0);
  CHECK(answer(verifier, {"golden", "approve", "shop/web"})["state"] == "approved");
  CHECK(verifier.metric("assay_golden_images") == 1);

  const json second = answer(verifier, {"golden", "push", set_file(dir, "shop/web", "two")});
  CHECK(second["set"]["generation"] == 2);
  CHECK(answer(verifier, {"golden", "show", "shop/web"})["set"]["generation"] == 1);
  CHECK(answer(verifier, {"golden", "show", "shop/web", "--generation", "2"})["files"].size() == 1);
  answer(verifier, {"golden", "approve", "shop/web"});
  // The grace is over by itself.
  CHECK(eventually([&] { return verifier.metric("assay_golden_images") == 1; }));

  const json revoked = answer(
      verifier, {"golden", "revoke", "shop/web", "--generation", "2", "--reason", "it\nleaks"});
  CHECK(revoked["sets"][0]["reason"] == "it\\x0aleaks");
  CHECK(verifier.metric("assay_golden_images") == 0);
  CHECK(refused(verifier, {"golden", "push", set_file(dir, "shop/web", "two")}, "golden.revoked"));
  CHECK(refused(verifier, {"golden", "approve", "none"}, "request.not_found"));

  verifier.stop();
  verifier.start();
  const json history = answer(verifier, {"golden", "history", "shop/web"})["sets"];
  REQUIRE(history.size() == 2);
  CHECK(history[0]["state"] == "revoked");
  CHECK(history[1]["state"] == "superseded");
  CHECK(verifier.metric("assay_golden_images") == 0);
  const json audit = answer(verifier, {"audit", "list"})["entries"];
  REQUIRE(audit.size() == 5);
  CHECK(audit[0]["action"] == "golden.revoke");
  CHECK(audit[0]["detail"].get<std::string>().find("it\\x0aleaks") != std::string::npos);
  CHECK(audit[4]["actor"] == "operator");
  CHECK(verifier.assay({"audit", "list"}).out.find('\n' + std::string("leaks")) ==
        std::string::npos);
}

TEST_CASE("assay golden find: says which sets have a digest, where, and who approved them") {
  RunningVerifier verifier;
  const TempDir dir;
  GoldenSet set{.name = "shop/web", .source = "oci", .files = {file("/bin/a\n", "one")}};
  set.image = GoldenImage{.names = {"registry.example/web:1"},
                          .digests = {digest_of("image")},
                          .layers = {digest_of("layer")}};
  set.files[0].layer = 0;
  answer(verifier, {"golden", "push", dir.write("web.json", format_golden_set(set)).string()});
  answer(verifier, {"golden", "push", "--draft", set_file(dir, "shop/cart", "one")});
  const std::string digest = format_digest(set.files[0].digests[0]);
  const json found = answer(verifier, {"golden", "find", digest});
  REQUIRE(found["files"].size() == 2);
  CHECK(found["files_total"] == 2);
  const json& file = found["files"][0];
  CHECK(file["path"] == "/bin/a\\x0a");
  CHECK(file["layer"] == format_digest(digest_of("layer")));
  CHECK(file["images"] == json::array({"registry.example/web:1"}));
  CHECK(file["set"]["name"] == "shop/web");
  CHECK(file["set"]["state"] == "approved");
  CHECK(file["set"]["approved_by"] == "operator");
  CHECK(found["files"][1]["set"]["state"] == "draft");
  CHECK(found["files"][1]["set"]["approved_by"].is_null());
  const Finished table = verifier.assay({"golden", "find", digest});
  CHECK(table.out.find("/bin/a\\x0a") != std::string::npos);
  CHECK(table.out.find("registry.example/web:1") != std::string::npos);

  const Finished none = verifier.assay({"golden", "find", format_digest(digest_of("none"))});
  CHECK(none.exit == 0);
  CHECK(none.out == "no golden set has it\n");
  CHECK(verifier.assay({"golden", "find", "sha256:abc"}).exit == 3);
}

TEST_CASE("assay golden nodes: says which pods ran it, where the kernel names them") {
  RunningVerifier verifier;
  const OperatorClient operators(verifier);
  operators.push_golden("base", {"base"});
  operators.push_golden("shop/web", {"base", "web"});
  const std::string pods = "/kubepods.slice/kubepods-";
  SimulatedAgent agent;
  agent.run_in_cgroup("/bin/base", "base", "/system.slice/containerd.service");
  agent.run_in_cgroup("/bin/base", "base",
                      pods + "pod11111111_2222_4333_8444_555555555555.slice/cri-1.scope");
  agent.run_in_cgroup("/bin/web", "web",
                      pods + "pod66666666_2222_4333_8444_555555555555.slice/cri-2.scope");
  operators.enrol("worker", agent.ak_public());
  agent.connect(connect(verifier));
  REQUIRE(eventually([&] { return agent.seen().state == "trusted"; }));
  const json listed = answer(verifier, {"golden", "nodes", "shop/web"});
  CHECK(listed["nodes"].size() == 1);
  REQUIRE(listed["pods"].size() == 2);
  CHECK(listed["pods_total"] == 2);
  const json& own = listed["pods"][0];
  CHECK(own["label"] == "66666666-2222-4333-8444-555555555555");
  CHECK(own["attribution"] == "cgroup");
  CHECK(own["node"] == "worker");
  CHECK(own["own"] == true);
  CHECK(own["this_boot"] == true);
  CHECK(listed["pods"][1]["label"] == "11111111-2222-4333-8444-555555555555");
  CHECK(listed["pods"][1]["own"] == false);
  const Finished table = verifier.assay({"golden", "nodes", "shop/web"});
  CHECK(table.out.find("66666666-2222-4333-8444-555555555555") != std::string::npos);

  agent.run_in_cgroup("/tmp/evil", "evil",
                      pods + "pod66666666_2222_4333_8444_555555555555.slice/cri-2.scope");
  REQUIRE(eventually([&] { return agent.seen().state == "compromised"; }));
  const json violations = answer(verifier, {"violation", "list"})["violations"];
  REQUIRE(violations.size() == 1);
  CHECK(violations[0]["fault"]["detail"] ==
        "attributed by cgroup to pod 66666666-2222-4333-8444-555555555555");
}

TEST_CASE("assay golden revoke: says which nodes ever ran it") {
  RunningVerifier verifier;
  const OperatorClient operators(verifier);
  const TempDir dir;
  operators.push_golden("base", {"base"});
  operators.push_golden("shop/web", {"base", "web"});
  std::map<std::string, SimulatedAgent> agents;
  for (const auto& [name, ran] : std::map<std::string, std::vector<std::string>>{
           {"idle", {}}, {"other", {"base"}}, {"victim", {"base", "web"}}}) {
    SimulatedAgent& agent = agents[name];
    for (const std::string& content : ran) agent.run("/bin/" + content, content);
    operators.enrol(name, agent.ak_public());
    agent.connect(connect(verifier));
    REQUIRE(eventually([&] { return agent.seen().state == "trusted"; }));
  }
  const auto nodes = [](const json& answer) {
    std::vector<std::string> out;
    for (const json& node : answer["nodes"]) {
      out.push_back(node["node"].get<std::string>() + (node["own"] ? " own" : ""));
    }
    return out;
  };
  const json listed = answer(verifier, {"golden", "nodes", "shop/web"});
  CHECK(nodes(listed) == std::vector<std::string>{"victim own", "other"});
  CHECK(listed["nodes"][0]["state"] == "trusted");
  CHECK(listed["nodes"][0]["this_boot"] == true);
  CHECK(nodes(answer(verifier, {"golden", "nodes", "base"})) ==
        std::vector<std::string>{"other", "victim"});
  CHECK(refused(verifier, {"golden", "nodes", "none"}, "request.not_found"));

  verifier.stop();
  verifier.start();
  const Finished revoked = verifier.assay({"golden", "revoke", "shop/web", "--reason", "leak"});
  CHECK(revoked.exit == 0);
  CHECK(revoked.out.find("victim") != std::string::npos);
  const json again = answer(verifier, {"golden", "revoke", "shop/web", "--reason", "leak"});
  CHECK(again["sets"].empty());
  CHECK(nodes(again) == std::vector<std::string>{"victim own", "other"});
}

TEST_CASE("assay golden push: a push token pushes its names, and does nothing else") {
  RunningVerifier verifier;
  const TempDir dir;
  const json made = answer(verifier, {"push-token", "create", "ci", "--for", "shop/"});
  const std::string secret = made["secret"];
  const auto token = dir.write("token", secret + "\n");
  std::filesystem::permissions(token, std::filesystem::perms(0600));
  const auto as_ci = [&](Arguments arguments) {
    arguments.insert(arguments.end(), {"--token-file", token.string()});
    return arguments;
  };
  const std::string web = set_file(dir, "shop/web", "web");
  Arguments push = as_ci({"golden", "push", web, "--idempotency-key", "job 7", "--json"});
  const Finished pushed = verifier.assay(push);
  REQUIRE_MESSAGE(pushed.exit == 0, pushed.err);
  CHECK(pushed.json()["set"]["pushed_by"] == "token:ci");
  CHECK(refused(verifier, as_ci({"golden", "push", set_file(dir, "host/x", "host")}),
                "golden.name_refused"));
  CHECK(refused(verifier, as_ci({"golden", "list"}), "request.unauthenticated"));
  CHECK(refused(verifier, as_ci({"golden", "approve", "shop/web"}), "request.unauthenticated"));
  CHECK(refused(verifier, as_ci({"golden", "revoke", "shop/web", "--reason", "x"}),
                "request.unauthenticated"));
  CHECK(refused(verifier, as_ci({"push-token", "list"}), "request.unauthenticated"));
  CHECK(refused(verifier, as_ci({"audit", "list"}), "request.unauthenticated"));
  CHECK(refused(verifier, as_ci({"node", "list"}), "request.unauthenticated"));

  // Another set came meanwhile: the first push, repeated, brings nothing back.
  answer(verifier, {"golden", "push", set_file(dir, "shop/web", "newer")});
  CHECK(verifier.assay(push).json()["changed"] == false);
  CHECK(answer(verifier, {"golden", "show", "shop/web"})["set"]["generation"] == 2);
  CHECK(refused(
      verifier,
      as_ci({"golden", "push", set_file(dir, "shop/db", "db"), "--idempotency-key", "job 7"}),
      "golden.conflict"));

  CHECK_FALSE(answer(verifier, {"push-token", "list"})["tokens"][0]["last_used_at"].is_null());
  CHECK(verifier.log().find(secret) == std::string::npos);
  answer(verifier, {"push-token", "revoke", "ci"});
  CHECK(refused(verifier, push, "push_token.unknown"));
}

TEST_CASE("assay golden push: where keys vouch for names, sets come signed by them") {
  const PemKey ci = PemKey::p256();
  const PemKey release = PemKey::ed25519();
  const PemKey stranger = PemKey::p256();
  RunningVerifier verifier(RunningVerifier::Options{
      .more = "golden: {signers: [\n"
              "  {names: [shop/], keys: [ci.pub, release.pub], threshold: 2},\n"
              "  {names: [host/], keys: [release.pub]}]}\n",
      .files = {{"ci.pub", ci.public_pem}, {"release.pub", release.public_pem}}});
  const TempDir dir;
  const auto key_file = [&](const char* name, const PemKey& key) {
    const auto path = dir.write(name, key.private_pem);
    std::filesystem::permissions(path, std::filesystem::perms(0600));
    return path.string();
  };
  const std::string ci_key = key_file("ci.pem", ci);
  const std::string release_key = key_file("release.pem", release);
  const std::string stranger_key = key_file("stranger.pem", stranger);
  const auto sign = [&](const std::string& set, const std::vector<std::string>& keys) {
    std::string from = set;
    const std::string out = set + ".dsse";
    for (const std::string& key : keys) {
      const Finished got = verifier.assay({"golden", "sign", from, "--key", key, "-o", out});
      REQUIRE_MESSAGE(got.exit == 0, got.err);
      from = out;
    }
    return out;
  };
  const std::string web = set_file(dir, "shop/web", "web");
  CHECK(refused(verifier, {"golden", "push", web}, "golden.unsigned"));
  // Who pushed is not what is wrong.
  CHECK(verifier.assay({"golden", "push", web}).err.find("--token-file") == std::string::npos);
  CHECK(refused(verifier, {"golden", "push", sign(web, {ci_key})}, "golden.signature_missing"));
  CHECK(refused(verifier, {"golden", "push", sign(web, {ci_key, stranger_key})},
                "golden.signature_missing"));
  CHECK(refused(verifier, {"golden", "push", sign(set_file(dir, "host/a", "a"), {ci_key})},
                "golden.signer_refused"));
  CHECK(refused(verifier,
                {"golden", "push", sign(set_file(dir, "other", "b"), {ci_key, release_key})},
                "golden.name_refused"));
  CHECK(verifier.metric("assay_golden_images") == 0);
  const json pushed = answer(verifier, {"golden", "push", sign(web, {ci_key, release_key})});
  CHECK(pushed["set"]["signed_by"].size() == 2);
  CHECK(pushed["set"]["digest"] == format_digest(hash(HashAlg::kSha256, as_bytes(read_file(web)))));
  CHECK(verifier.metric("assay_golden_images") == 1);
}

TEST_CASE("assay-verifier: a push without an end is refused before it takes a place") {
  const RunningVerifier verifier;
  const auto refusal = [&](std::optional<std::chrono::minutes> deadline) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + verifier.token());
    if (deadline) context.set_deadline(std::chrono::system_clock::now() + *deadline);
    const auto stub = v1::GoldenService::NewStub(connect(verifier));
    v1::PushResponse response;
    return stub->Push(&context, &response)->Finish();
  };
  for (int i = 0; i < 10; ++i) {
    const grpc::Status status =
        refusal(i % 2 == 0 ? std::nullopt : std::optional(std::chrono::minutes(16)));
    CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
    CHECK(status.error_message().starts_with("request.invalid"));
  }
  const TempDir dir;
  CHECK(answer(verifier, {"golden", "push", set_file(dir, "a", "a")})["changed"] == true);
}

TEST_CASE("assay-verifier: killed at any point of a push, it has the old set or the new one") {
  RunningVerifier verifier;
  const TempDir dir;
  // Two sets of one name that take a while to store; what stands is one of them, whole.
  std::map<std::string, std::vector<std::string>> digests_of;  // by the set file's digest
  std::vector<std::string> files;
  for (const std::string version : {"one", "two"}) {
    GoldenSet set{.name = "host", .source = "rootfs", .files = {}};
    for (int i = 0; i < 3000; ++i) {
      set.files.push_back(file("/bin/" + std::to_string(10'000 + i), version + std::to_string(i)));
    }
    const std::string content = format_golden_set(set);
    files.push_back(dir.write(version, content).string());
    std::vector<std::string>& digests =
        digests_of[format_digest(hash(HashAlg::kSha256, as_bytes(content)))];
    for (const GoldenFile& each : set.files) digests.push_back(format_digest(each.digests[0]));
  }
  REQUIRE(digests_of.size() == 2);
  const auto start = std::chrono::steady_clock::now();
  answer(verifier, {"golden", "push", files[0]});
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - start);

  std::set<std::string> seen;
  // From before the call arrives to after its answer, on a machine of any speed: until some pushes were
  // stored.
  for (int round = 0; round < 30 || (round < 90 && seen.size() < 2); ++round) {
    const std::string& next = files[static_cast<std::size_t>(round + 1) % 2];
    std::thread pushing([&] { static_cast<void>(verifier.assay({"golden", "push", next})); });
    pass(whole * round / 20);
    verifier.kill();
    pushing.join();
    verifier.start();
    const json shown = answer(verifier, {"golden", "show", "host"});
    const std::string digest = shown["set"]["digest"];
    REQUIRE(digests_of.contains(digest));
    const std::vector<std::string>& wanted = digests_of[digest];
    REQUIRE(shown["files"].size() == wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i)
      REQUIRE(shown["files"][i]["digest"] == wanted[i]);
    // Each generation, and nothing else, is in the audit.
    const std::uint64_t generation = shown["set"]["generation"];
    REQUIRE(answer(verifier, {"audit", "list"})["entries"].size() == generation);
    seen.insert(digest);
  }
  CHECK(seen.size() == 2);
}

TEST_CASE("assay-verifier: what a golden call may not say is refused, by its fault") {
  RunningVerifier verifier;
  const TempDir dir;
  const auto stub = v1::GoldenService::NewStub(connect(verifier));
  const auto prepare = [&](grpc::ClientContext& context) {
    context.AddMetadata("authorization", "Bearer " + verifier.token());
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
  };
  const auto created = [&](std::vector<std::string> scopes, std::uint64_t lifetime_s,
                           const std::string& name = "ci") {
    grpc::ClientContext context;
    prepare(context);
    v1::CreatePushTokenRequest request;
    request.set_name(name);
    for (const std::string& scope : scopes) request.add_scopes(scope);
    request.set_lifetime_s(lifetime_s);
    v1::CreatePushTokenResponse response;
    return stub->CreatePushToken(&context, request, &response).error_message();
  };
  constexpr std::uint64_t kYear = 366ULL * 24 * 3600;
  for (const std::string& said :
       {created({}, 60), created(std::vector<std::string>(33, "a"), 60), created({"shop/*"}, 60),
        created({"a", ""}, 60), created({"a"}, 0), created({"a"}, kYear + 1),
        created({"a"}, ~std::uint64_t{0}), created({"a"}, 60, "Not A Name"),
        created({"a"}, 60, std::string(65, 'a'))}) {
    CHECK(said.starts_with("request.invalid"));
  }
  CHECK(created(std::vector<std::string>(32, "a"), kYear) == "");

  const std::string set = set_file(dir, "shop/web", "web");
  for (const std::string& key : {std::string(129, 'k'), std::string("k\x1b")}) {
    CHECK(refused(verifier, {"golden", "push", set, "--idempotency-key", key}, "request.invalid"));
  }
  answer(verifier, {"golden", "push", set, "--idempotency-key", std::string(128, 'k')});
  CHECK(refused(verifier, {"golden", "revoke", "shop/web", "--reason", std::string(513, 'r')},
                "request.invalid"));
  grpc::ClientContext context;
  prepare(context);
  v1::RevokeGoldenRequest without_reason;
  without_reason.set_name("shop/web");
  v1::ListGoldenResponse revoked;
  CHECK(stub->Revoke(&context, without_reason, &revoked)
            .error_message()
            .starts_with("request.invalid"));
  CHECK(answer(verifier, {"golden", "show", "shop/web"})["set"]["state"] == "approved");
}

TEST_CASE("assay-verifier: four pushes are taken at once, and another when one has ended") {
  RunningVerifier verifier;
  const TempDir dir;
  const std::string set = set_file(dir, "a", "a");
  const auto stub = v1::GoldenService::NewStub(connect(verifier));
  struct Slow {
    grpc::ClientContext context;
    v1::PushResponse response;
    std::unique_ptr<grpc::ClientWriter<v1::PushRequest>> writer;
  };
  std::vector<std::unique_ptr<Slow>> pushes;
  for (int i = 0; i < 4; ++i) {
    Slow& push = *pushes.emplace_back(std::make_unique<Slow>());
    push.context.AddMetadata("authorization", "Bearer " + verifier.token());
    push.context.set_deadline(std::chrono::system_clock::now() + kPatience);
    push.writer = stub->Push(&push.context, &push.response);
  }
  CHECK(eventually([&] {
    return verifier.assay({"golden", "push", set}).err.find("other pushes are under way") !=
           std::string::npos;
  }));
  pushes[0]->writer->WritesDone();
  CHECK(pushes[0]->writer->Finish().error_message().starts_with("golden.malformed"));
  CHECK(eventually([&] { return verifier.assay({"golden", "push", set}).exit == 0; }));
  for (std::size_t i = 1; i < 4; ++i) {
    pushes[i]->context.TryCancel();
    static_cast<void>(pushes[i]->writer->Finish());
  }
}
