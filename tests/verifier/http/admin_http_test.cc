#include "verifier/http/admin_http.h"

#include <doctest/doctest.h>
#include <httplib.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "tests/verifier/http/admin_case.h"
#include "tests/verifier/http/raw_socket.h"

namespace assay {
namespace {

using testing::AdminCase;
using testing::RawSocket;

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
  for (const std::string target : {"/metrics", "/healthz", "/readyz"}) {
    httplib::Client client("127.0.0.1", c.admin->port());
    const auto posted = client.Post(target, "x", "text/plain");
    REQUIRE(posted);
    check_problem(*posted, 405, target);
    CHECK(posted->get_header_value("Allow") == "GET, HEAD");
  }
  CHECK(RawSocket(c.admin->port()).ask("nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
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
  const auto second = AdminHttp::listen({.port = c.admin->port()}, c.world());
  REQUIRE_FALSE(second);
  CHECK(second.error().id == FaultId::kUnavailable);
  CHECK(second.error().detail.find("127.0.0.1:" + std::to_string(c.admin->port())) !=
        std::string::npos);
  CHECK(second.error().detail.find("taken") != std::string::npos);
}

TEST_CASE("AdminHttp: an address that is not ours is refused") {
  const AdminCase c;
  for (const std::string host : {"192.0.2.1", "no-such-host.invalid"}) {
    CAPTURE(host);
    const auto admin = AdminHttp::listen({.host = host, .port = 0}, c.world());
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
  const AdminCase c;
  const auto again = AdminHttp::listen({.port = port}, c.world());
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

TEST_CASE("AdminHttp: who begins with TLS gets TLS, on the same port") {
  const AdminCase c;
  httplib::SSLClient client("localhost", c.admin->port());
  const testing::TempDir dir;
  const auto ca = dir.write("ca.pem", c.ca.certificate_pem());
  client.set_ca_cert_path(ca.string());
  const auto got = client.Get("/metrics");
  REQUIRE_MESSAGE(got, httplib::to_string(got.error()));
  CHECK(got->status == 200);
  CHECK(got->body == c.metrics.text());
  // A TLS client that does not trust the certificate is no reason to stop.
  httplib::SSLClient stranger("localhost", c.admin->port());
  CHECK_FALSE(stranger.Get("/healthz"));
  CHECK(RawSocket(c.admin->port())
            .ask(std::string_view("\x16\x03\x01\0\x04zzzz", 9))
            .starts_with("\x15"));
  CHECK(c.get("/healthz").status == 200);
}

TEST_CASE("AdminHttp: TLS before 1.2 is refused") {
  const AdminCase c;
  httplib::SSLClient client("localhost", c.admin->port());
  client.enable_server_certificate_verification(false);
  SSL_CTX_set_security_level(client.ssl_context(), 0);
  SSL_CTX_set_max_proto_version(client.ssl_context(), TLS1_2_VERSION);
  CHECK(client.Get("/healthz"));
  SSL_CTX_set_min_proto_version(client.ssl_context(), TLS1_1_VERSION);
  SSL_CTX_set_max_proto_version(client.ssl_context(), TLS1_1_VERSION);
  CHECK_FALSE(client.Get("/healthz"));
}

TEST_CASE("AdminHttp: a key that is not the certificate's serves nothing") {
  const testing::TestCa ca;
  const auto one = ca.issue("DNS:localhost");
  const auto other = ca.issue("DNS:localhost");
  for (const auto& [certificate, key] :
       {std::pair(one.certificate_pem, other.key_pem), std::pair(std::string(), one.key_pem),
        std::pair(one.certificate_pem, std::string("no key"))}) {
    const auto identity = TlsIdentity::load(certificate, key);
    REQUIRE_FALSE(identity);
    CHECK(identity.error().id == FaultId::kConfigInvalid);
  }
}

TEST_CASE("AdminHttp: a head without an end is refused, however it is drawn out") {
  const AdminCase c({.head = std::chrono::milliseconds(300)});
  const std::string start = "GET /healthz HTTP/1.1\r\nHost: x\r\n";
  RawSocket silent(c.admin->port());
  CHECK(silent.rest() == "");
  RawSocket slow(c.admin->port());
  slow.send(start);
  CHECK(slow.rest().starts_with("HTTP/1.1 408 "));
  RawSocket drop_by_drop(c.admin->port());
  drop_by_drop.send(start + "X: ");
  while (drop_by_drop.sends_until_answer("x")) {
  }
  CHECK(drop_by_drop.rest().starts_with("HTTP/1.1 408 "));
  RawSocket handshake(c.admin->port());
  handshake.send("\x16\x03\x01\x02");
  CHECK(handshake.rest() == "");
  CHECK(c.get("/healthz").status == 200);
}

TEST_CASE("AdminHttp: a head is at most 32 KiB") {
  const AdminCase c;
  const std::string start = "GET /healthz HTTP/1.1\r\n";
  const auto ask = [&](const std::string& headers) {
    return RawSocket(c.admin->port()).ask(start + headers + "\r\n");
  };
  CHECK(ask("X: " + std::string(4096, 'x') + "\r\n").starts_with("HTTP/1.1 200 "));
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "X: y\r\n";
  CHECK(ask(many).starts_with("HTTP/1.1 431 "));
  CHECK(ask("X: " + std::string(100'000, 'x') + "\r\n").starts_with("HTTP/1.1 431 "));
  CHECK(RawSocket(c.admin->port())
            .ask("GET /" + std::string(10'000, 'x') + " HTTP/1.1\r\n\r\n")
            .starts_with("HTTP/1.1 414 "));
  CHECK(c.get("/healthz").status == 200);
}

TEST_CASE("AdminHttp: connections that say nothing do not keep it from stopping") {
  AdminCase c;
  std::vector<std::unique_ptr<RawSocket>> idle;
  for (int i = 0; i < 30; ++i) idle.push_back(std::make_unique<RawSocket>(c.admin->port()));
  idle[0]->send("GET /healthz HTTP/1.1\r\n");
  const auto began = std::chrono::steady_clock::now();
  c.admin.reset();
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
}

}  // namespace
}  // namespace assay
