#include "verifier/cluster/pod_watch.h"

#include <doctest/doctest.h>

#include "tests/support/child_process.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_of.h"
#include "tests/verifier/cluster/api_server.h"
#include "tests/verifier/cluster/pod_json.h"

using namespace assay;
using namespace assay::testing;
using namespace std::chrono_literals;

namespace {

Result<PodList> list(const KubernetesApi& api, const std::string& token = "") {
  const FakeClock clock;
  return PodWatch(api, clock).list(token, std::stop_token());
}

struct Watched {
  Result<WatchEnd> end;
  std::vector<PodEvent> events;
};

Watched watch(const KubernetesApi& api, const std::string& version = "48213",
              const std::stop_token& stop = {}) {
  const FakeClock clock;
  Watched out{.end = WatchEnd::kOver, .events = {}};
  out.end =
      PodWatch(api, clock)
          .watch(
              version, [&out](PodEvent event) { out.events.push_back(std::move(event)); }, stop);
  return out;
}

std::string event(std::size_t pod, const std::string& version) {
  return event_json("ADDED", pod_json({.uid = uid_text(pod), .version = version}));
}

}  // namespace

TEST_CASE("PodWatch::list: goes from page to page with a token of any bytes") {
  ApiServer server("DNS:localhost", "/k8s/clusters/c-1");
  const std::string token = "a&b=c +/?%41\x7f#é";
  server.on_list([&](const httplib::Request& request, httplib::Response& response) {
    const bool second = request.get_param_value("continue") == token;
    const std::string answer = second ? list_json({pod_json({.uid = uid_text(2)})}, "48213")
                                      : list_json({pod_json({})}, "48213", token);
    response.set_content(answer, "application/json");
  });
  const auto first = list(server.api());
  REQUIRE_MESSAGE(first.has_value(), format_fault(first.error()));
  REQUIRE(first->pods.size() == 1);
  CHECK(first->pods[0].uid == uid_label(1));
  CHECK(first->continue_token == token);
  const auto second = list(server.api(), first->continue_token);
  REQUIRE_MESSAGE(second.has_value(), format_fault(second.error()));
  REQUIRE(second->pods.size() == 1);
  CHECK(second->pods[0].uid == uid_label(2));
  CHECK(second->continue_token.empty());
  const auto asked = server.asked();
  REQUIRE(asked.size() == 2);
  CHECK(asked[0].target == "/k8s/clusters/c-1/api/v1/pods?limit=500");
  CHECK(asked[1].target ==
        "/k8s/clusters/c-1/api/v1/pods?limit=500&continue=a%26b%3Dc%20%2B%2F%3F%2541%7F%23%C3%A9");
  CHECK(asked[0].accept == "application/json");
}

TEST_CASE("PodWatch: the token is read for each request") {
  ApiServer server;
  server.on_list(ApiServer::text(list_json({}, "1")));
  server.on_watch(ApiServer::pieces({}));
  const FakeClock clock;
  PodWatch pods(server.api(), clock);
  CHECK(pods.list("", {}).has_value());
  server.write_token(" \tsecond\r\n");
  CHECK(pods.list("", {}).has_value());
  server.write_token("third");
  CHECK(pods.watch("1", [](const PodEvent&) {}, {}).has_value());
  server.write_token("");
  CHECK(fault_of(pods.list("", {})) == FaultId::kConfigInvalid);
  const auto asked = server.asked();
  REQUIRE(asked.size() == 3);
  CHECK(asked[0].authorization == "Bearer first");
  CHECK(asked[1].authorization == "Bearer second");
  CHECK(asked[2].authorization == "Bearer third");
}

TEST_CASE("PodWatch::list: what is not a good answer is a fault, and shows no token") {
  ApiServer server;
  server.write_token("s3cret");
  const auto redirect = [](const httplib::Request&, httplib::Response& response) {
    response.set_redirect("/elsewhere");
  };
  struct Row {
    std::string name;
    ApiServer::Answer answer;
    FaultId want;
  };
  const Row rows[] = {
      {"a token that does not count", ApiServer::status(401), FaultId::kClusterUnavailable},
      {"an account without the right", ApiServer::status(403), FaultId::kClusterUnavailable},
      {"no such path", ApiServer::status(404), FaultId::kClusterUnavailable},
      {"a list that has expired", ApiServer::status(410), FaultId::kClusterUnavailable},
      {"too many requests", ApiServer::status(429), FaultId::kClusterUnavailable},
      {"a broken server", ApiServer::status(500), FaultId::kClusterUnavailable},
      {"no content", ApiServer::status(204), FaultId::kClusterUnavailable},
      {"a redirect", redirect, FaultId::kClusterUnavailable},
      {"no JSON", ApiServer::text("<html>"), FaultId::kClusterMalformed},
      {"another kind", ApiServer::text("{}"), FaultId::kClusterMalformed},
      {"an empty body", ApiServer::text(""), FaultId::kClusterMalformed},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    server.on_list(row.answer);
    const auto got = list(server.api());
    REQUIRE_FALSE(got.has_value());
    CHECK_MESSAGE(got.error().id == row.want, format_fault(got.error()));
    CHECK(got.error().detail.find("s3cret") == std::string::npos);
  }
  CHECK(server.asked().size() == std::size(rows));
}

TEST_CASE("PodWatch::list: pages that are too large are asked for smaller, down to one pod") {
  ApiServer server;
  const std::string padding(kMaxPodPageBytes, ' ');
  const std::string page = list_json({pod_json({})}, "1");
  server.on_list([&](const httplib::Request& request, httplib::Response& response) {
    const bool small = std::stoul(request.get_param_value("limit")) <= 125;
    response.set_content(small ? page : page + padding, "application/json");
  });
  const FakeClock clock;
  PodWatch pods(server.api(), clock);
  CHECK(pods.list("", {}).has_value());
  CHECK(pods.list("", {}).has_value());
  CHECK(server.asked().size() == 4);  // 500, 250, 125, and the next time 125
  server.on_list(ApiServer::text(page + padding));
  CHECK(fault_of(pods.list("", {})) == FaultId::kClusterMalformed);
  CHECK(server.asked().back().target == "/api/v1/pods?limit=1");
}

TEST_CASE("PodWatch::list: a page that takes too long is not waited for") {
  ApiServer server;
  FakeClock clock;
  PodWatch pods(server.api(), clock);
  server.on_list([&](const httplib::Request&, httplib::Response& response) {
    clock.advance(server.api().timeout + 1ms);
    response.set_content(list_json({}, "1"), "application/json");
  });
  CHECK(fault_of(pods.list("", {})) == FaultId::kClusterUnavailable);
}

TEST_CASE("PodWatch: a server that cannot prove its name gets no token") {
  ApiServer other("DNS:other.example");
  ApiServer server;
  KubernetesApi by_another_ca = server.api();
  by_another_ca.ca_file = other.ca_file();
  for (const KubernetesApi& api : {other.api(), by_another_ca}) {
    CHECK(fault_of(list(api)) == FaultId::kClusterUnavailable);
    CHECK(fault_of(watch(api).end) == FaultId::kClusterUnavailable);
  }
  CHECK(other.asked().empty());
  CHECK(server.asked().empty());
}

TEST_CASE("PodWatch: nobody there is no crash and no long wait") {
  const ApiServer server;
  KubernetesApi nobody = server.api();
  nobody.url = "https://127.0.0.1:1";
  CHECK(fault_of(list(nobody)) == FaultId::kClusterUnavailable);
  CHECK(fault_of(watch(nobody).end) == FaultId::kClusterUnavailable);
}

TEST_CASE("PodWatch::watch: lines come in pieces and several at once") {
  ApiServer server;
  const std::string all =
      event(1, "10") + "\n" + event(2, "11") + event(3, "12") +
      event_json("BOOKMARK",
                 R"({"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"20"}})");
  const auto bytes = [&all] {
    std::vector<std::string> out;
    for (const char c : all) out.emplace_back(1, c);
    return out;
  };
  const std::vector<std::string> cuts[] = {
      {all}, {all.substr(0, 100), all.substr(100, 500), all.substr(600)}, bytes()};
  for (const auto& pieces : cuts) {
    CAPTURE(pieces.size());
    server.on_watch(ApiServer::pieces(pieces));
    const Watched got = watch(server.api(), "4/8 2");
    REQUIRE_MESSAGE(got.end.has_value(), format_fault(got.end.error()));
    CHECK(*got.end == WatchEnd::kOver);
    REQUIRE(got.events.size() == 4);
    CHECK(got.events[0].pod->uid == uid_label(1));
    CHECK(got.events[2].pod->uid == uid_label(3));
    CHECK(got.events[3].resource_version == "20");
  }
  CHECK(
      server.asked().front().target ==
      "/api/v1/pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion=4%2F8%202");
}

TEST_CASE("PodWatch::watch: how it ends says what to do") {
  ApiServer server;
  const std::string first = event(1, "10");
  struct Row {
    std::string name;
    ApiServer::Answer answer;
    std::optional<WatchEnd> want;
    std::optional<FaultId> fault;
    std::size_t events;
  };
  const Row rows[] = {
      {"its time is over", ApiServer::pieces({first}), WatchEnd::kOver, {}, 1},
      {"in the middle of a line",
       ApiServer::pieces({first, first.substr(0, 50)}),
       WatchEnd::kOver,
       {},
       1},
      {"no chunks", ApiServer::text(first), WatchEnd::kOver, {}, 1},
      {"an old version", ApiServer::status(410), WatchEnd::kExpired, {}, 0},
      {"one that has grown old",
       ApiServer::pieces({first, error_json(410), first}),
       WatchEnd::kExpired,
       {},
       1},
      {"an error",
       ApiServer::pieces({first, error_json(500)}),
       {},
       FaultId::kClusterUnavailable,
       1},
      {"a line that is none",
       ApiServer::pieces({first, "{}\n", first}),
       {},
       FaultId::kClusterMalformed,
       1},
      {"a line without an end",
       ApiServer::pieces({first, std::string(kMaxPodEventBytes + 1, ' ')}),
       {},
       FaultId::kClusterMalformed,
       1},
      {"no token", ApiServer::status(401), {}, FaultId::kClusterUnavailable, 0},
      {"no right", ApiServer::status(403), {}, FaultId::kClusterUnavailable, 0},
      {"a broken server", ApiServer::status(500), {}, FaultId::kClusterUnavailable, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    server.on_watch(row.answer);
    const Watched got = watch(server.api());
    CHECK(fault_of(got.end) == row.fault);
    if (got.end) CHECK(std::optional(*got.end) == row.want);
    CHECK(got.events.size() == row.events);
  }
}

TEST_CASE("PodWatch::watch: silence beyond its time ends it") {
  ApiServer server;
  server.on_watch(server.hanging({event(1, "10")}));
  KubernetesApi api = server.api();
  api.watch_period = 0s;
  api.watch_grace = 100ms;
  const Watched got = watch(api);
  REQUIRE_MESSAGE(got.end.has_value(), format_fault(got.end.error()));
  CHECK(*got.end == WatchEnd::kOver);
  CHECK(got.events.size() == 1);
}

TEST_CASE("PodWatch: a stop ends what is under way, and what would begin") {
  ApiServer server;
  const FakeClock clock;
  const auto begun = std::chrono::steady_clock::now();
  PodWatch pods(server.api(), clock);
  const auto ignore = [](const PodEvent&) {};
  const ApiServer::Answer answers[] = {server.hanging({event(1, "10")}), server.nothing()};
  for (const ApiServer::Answer& answer : answers) {
    server.on_list(answer);
    server.on_watch(answer);
    std::stop_source stop;
    const std::size_t asked = server.asked().size();
    {
      const std::jthread stopper([&] {
        CHECK(eventually([&] { return server.asked().size() > asked; }));
        stop.request_stop();
      });
      static_cast<void>(pods.watch("1", ignore, stop.get_token()));
    }
    static_cast<void>(pods.watch("1", ignore, stop.get_token()));
    CHECK_FALSE(pods.list("", stop.get_token()).has_value());
  }
  // Any of them would have taken its whole timeout.
  CHECK(std::chrono::steady_clock::now() - begun < server.api().timeout / 2);
}

TEST_CASE("read_service_token: one word of printable ASCII, without the space around it") {
  const TempDir dir;
  CHECK(read_service_token(dir.write("t", "eyJh.b-_c\n")) == "eyJh.b-_c");
  const std::string longest(kMaxServiceTokenBytes, 'a');
  CHECK(read_service_token(dir.write("t", longest + "\n")) == longest);
  struct Row {
    std::string content;
    FaultId want;
  };
  const Row rows[] = {
      {"", FaultId::kConfigInvalid},
      {" \n\t", FaultId::kConfigInvalid},
      {"s3cret s3cret", FaultId::kConfigInvalid},
      {"s3cret\r\nX-Other: 1", FaultId::kConfigInvalid},
      {std::string("s3cret\0x", 8), FaultId::kConfigInvalid},
      {"s3cret\x7f", FaultId::kConfigInvalid},
      {"s3cret\xc3\xa9", FaultId::kConfigInvalid},
      {longest + "a", FaultId::kConfigInvalid},
      {std::string(std::size_t{65} << 10, 'a'), FaultId::kFileUnreadable},
  };
  for (const Row& row : rows) {
    CAPTURE(row.content.substr(0, 100));
    const auto got = read_service_token(dir.write("t", row.content));
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().id == row.want);
    CHECK(got.error().detail.find("s3cret") == std::string::npos);
  }
  CHECK(fault_of(read_service_token(dir / "none")) == FaultId::kFileUnreadable);
}

TEST_CASE("check_kubernetes_api: what can never be asked is said at once") {
  const ApiServer server;
  const TempDir dir;
  const KubernetesApi good = server.api();
  CHECK(check_kubernetes_api(good).has_value());
  const auto with = [&good](const auto& change) {
    KubernetesApi api = good;
    change(api);
    return fault_of(check_kubernetes_api(api));
  };
  for (const std::string bad :
       {"http://k", "https://", "k:6443", "https://k?x=1", "https://k#x", "https://user@k", ""}) {
    CAPTURE(bad);
    CHECK(with([&](KubernetesApi& api) { api.url = bad; }) == FaultId::kConfigInvalid);
  }
  CHECK_FALSE(with([](KubernetesApi& api) { api.url = "https://[::1]:6443/k8s/"; }));
  CHECK(with([&](KubernetesApi& api) { api.ca_file = dir / "none"; }) == FaultId::kFileUnreadable);
  CHECK(with([&](KubernetesApi& api) { api.ca_file = dir.write("ca", "x"); }) ==
        FaultId::kConfigInvalid);
  CHECK(with([&](KubernetesApi& api) { api.token_file = dir / "none"; }) ==
        FaultId::kFileUnreadable);
  CHECK(with([&](KubernetesApi& api) { api.token_file = dir.write("t", "\n"); }) ==
        FaultId::kConfigInvalid);
}
