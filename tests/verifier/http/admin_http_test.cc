#include "verifier/http/admin_http.h"

#include <doctest/doctest.h>
#include <httplib.h>

#include <atomic>
#include <nlohmann/json.hpp>

namespace assay {
namespace {

struct AdminCase {
  AdminCase() {
    auto listening = AdminHttp::listen({.port = 0}, metrics, [this]() -> Status {
      if (ready) return {};
      return fail(FaultId::kStoreFull, "no space left");
    });
    REQUIRE_MESSAGE(listening, listening.error().detail);
    admin.emplace(*std::move(listening));
  }

  httplib::Response get(const std::string& target) const {
    httplib::Client client("127.0.0.1", admin->port());
    const auto result = client.Get(target);
    REQUIRE(result);
    return *result;
  }

  Metrics metrics;
  std::atomic<bool> ready = true;
  std::optional<AdminHttp> admin;
};

void check_problem(const httplib::Response& response, int status, const std::string& detail) {
  CHECK(response.status == status);
  CHECK(response.get_header_value("Content-Type") == "application/problem+json");
  const auto problem = nlohmann::json::parse(response.body, nullptr, false);
  REQUIRE(problem.is_object());
  CHECK(problem["status"] == status);
  CHECK(problem["type"] == "about:blank");
  CHECK(problem["title"].get<std::string>().size() > 4);
  CHECK_MESSAGE(problem["detail"].get<std::string>().find(detail) != std::string::npos,
                response.body);
}

TEST_CASE("AdminHttp: /metrics is what the registry says, in Prometheus' text format") {
  AdminCase c;
  c.metrics.add_entries_replayed(42);
  const auto response = c.get("/metrics");
  CHECK(response.status == 200);
  CHECK(response.get_header_value("Content-Type") == kMetricsContentType);
  CHECK(response.body == c.metrics.text());
  CHECK(response.body.find("assay_ima_entries_replayed_total 42") != std::string::npos);
}

TEST_CASE("AdminHttp: /readyz and /metrics are 503 with the reason until ready") {
  AdminCase c;
  c.ready = false;
  check_problem(c.get("/readyz"), 503, "no space left");
  check_problem(c.get("/metrics"), 503, "no space left");
  CHECK(c.get("/healthz").status == 200);
  c.ready = true;
  CHECK(c.get("/readyz").status == 200);
  CHECK(c.get("/metrics").status == 200);
}

TEST_CASE("AdminHttp: what is not there is 404, and what is no request is 400") {
  const AdminCase c;
  for (const std::string target :
       {"/", "/nothing", "/metrics/", "/healthz/x", "/..%2fetc/passwd"}) {
    CAPTURE(target);
    check_problem(c.get(target), 404, "/metrics");
  }
  httplib::Client client("127.0.0.1", c.admin->port());
  const auto posted = client.Post("/metrics", "x", "text/plain");
  REQUIRE(posted);
  check_problem(*posted, 404, "/metrics");
}

TEST_CASE("AdminHttp: a body over the limit is refused") {
  const AdminCase c;
  httplib::Client client("127.0.0.1", c.admin->port());
  const auto result = client.Post("/healthz", std::string(100 << 10, 'x'), "text/plain");
  if (result) CHECK(result->status >= 400);
  CHECK(c.get("/healthz").status == 200);
}

TEST_CASE("AdminHttp: a port that is taken is one clear line") {
  AdminCase c;
  const auto second =
      AdminHttp::listen({.port = c.admin->port()}, c.metrics, [] { return Status{}; });
  REQUIRE_FALSE(second);
  CHECK(second.error().id == FaultId::kUnavailable);
  CHECK(second.error().detail.find("127.0.0.1:" + std::to_string(c.admin->port())) !=
        std::string::npos);
  CHECK(second.error().detail.find("taken") != std::string::npos);
}

TEST_CASE("AdminHttp: an address that is not ours is refused") {
  const Metrics metrics;
  for (const std::string host : {"192.0.2.1", "no-such-host.invalid"}) {
    CAPTURE(host);
    const auto admin =
        AdminHttp::listen({.host = host, .port = 0}, metrics, [] { return Status{}; });
    REQUIRE_FALSE(admin);
    CHECK(admin.error().id == FaultId::kConfigInvalid);
    CHECK(admin.error().detail.find(host) != std::string::npos);
  }
}

TEST_CASE("AdminHttp: the port is free again when it is gone, even if nobody ever asked") {
  std::uint16_t port = 0;
  for (int i = 0; i < 20; ++i) {
    AdminCase c;
    port = c.admin->port();
  }
  const Metrics metrics;
  const auto again = AdminHttp::listen({.port = port}, metrics, [] { return Status{}; });
  REQUIRE(again);
  CHECK(again->port() == port);
}

TEST_CASE("AdminHttp: many clients at once are all served") {
  AdminCase c;
  std::atomic<int> served = 0;
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 40; ++i) {
      clients.emplace_back([&] {
        httplib::Client client("127.0.0.1", c.admin->port());
        const auto result = client.Get("/healthz");
        if (result && result->status == 200) ++served;
      });
    }
  }
  CHECK(served == 40);
}

}  // namespace
}  // namespace assay
