#include "verifier/http/rest_api.h"

#include <doctest/doctest.h>
#include <httplib.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "tests/support/child_process.h"
#include "tests/verifier/http/admin_case.h"
#include "tests/verifier/http/raw_socket.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::AdminCase;
using testing::digest_of;
using testing::GoldenCase;
using testing::RawSocket;
using testing::set_text;
using testing::TestCa;

constexpr const char* kSets = "/api/v1/golden/sets";
const std::string kOperators(GoldenCase::kOperators);

httplib::Response post(const AdminCase& c, const std::string& body, httplib::Headers headers,
                       const std::string& query = "", const char* type = "application/json") {
  httplib::Client client("127.0.0.1", c.admin->port());
  const auto got = client.Post(kSets + query, headers, body, type);
  REQUIRE_MESSAGE(got, httplib::to_string(got.error()));
  return *got;
}

httplib::Response push(const AdminCase& c, const std::string& body,
                       const std::string& authorization = kOperators) {
  return post(c, body, {{"Authorization", authorization}});
}

// Whether it is a problem of this status, and of this fault if one is named.
void check_problem(const httplib::Response& response, int status, const std::string& fault = "") {
  CAPTURE(response.body);
  CHECK(response.status == status);
  CHECK(response.get_header_value("Content-Type") == "application/problem+json");
  json problem = json::parse(response.body, nullptr, false);
  REQUIRE(problem.is_object());
  CHECK(problem["status"] == status);
  CHECK(problem["title"].get<std::string>().size() > 4);
  CHECK(problem["detail"].is_string());
  CHECK(problem.contains("fault") == !fault.empty());
  if (fault.empty()) {
    CHECK(problem["type"] == "about:blank");
  } else {
    CHECK(problem["fault"] == fault);
    CHECK(problem["type"] == "https://assay.dev/faults/" + fault);
  }
}

std::string head(const std::string& more, const std::string& authorization = kOperators) {
  return "POST /api/v1/golden/sets HTTP/1.1\r\nHost: x\r\nAuthorization: " + authorization +
         "\r\n" + more;
}

TEST_CASE("RestApi: a pushed set is 201, the same again 200, and both say what stands") {
  AdminCase c;
  const std::string set = set_text("shop/web", "one");
  const auto first = push(c, set, c.golden.ci("shop/"));
  CHECK_MESSAGE(first.status == 201, first.body);
  CHECK(first.get_header_value("Content-Type") == "application/json");
  const json stands = json::parse(first.body);
  CHECK(stands["name"] == "shop/web");
  CHECK(stands["generation"] == 1);
  CHECK(stands["state"] == "approved");
  CHECK(stands["files"] == 1);
  CHECK(stands["pushed_by"] == "token:ci");
  CHECK(stands["digest"] == format_digest(hash(HashAlg::kSha256, as_bytes(set))));
  CHECK(stands["golden_until"].is_null());
  CHECK(stands["approved_by"] == "token:ci");
  CHECK(stands["approved_at"] == stands["pushed_at"]);
  CHECK(c.golden.index.current()->contains(digest_of("one")));
  const auto again = push(c, set);
  CHECK(again.status == 200);
  CHECK(json::parse(again.body) == stands);
}

TEST_CASE("RestApi: a draft does not count, and a key names a push") {
  AdminCase c;
  const auto keyed = [&](const std::string& set, const std::string& key,
                         const std::string& query = "") {
    return post(c, set, {{"Authorization", kOperators}, {"Idempotency-Key", key}}, query);
  };
  const auto draft = keyed(set_text("a", "draft"), "job 1", "?draft=true");
  CHECK(draft.status == 201);
  CHECK(json::parse(draft.body)["state"] == "draft");
  CHECK_FALSE(c.golden.index.current()->contains(digest_of("draft")));
  CHECK(json::parse(keyed(set_text("a", "one"), "job 2", "?draft=false").body)["state"] ==
        "approved");
  CHECK(keyed(set_text("a", "two"), "job 3").status == 201);
  // Repeated, it brings nothing back; used for another set it is refused.
  const auto repeated = keyed(set_text("a", "one"), "job 2");
  CHECK(repeated.status == 200);
  CHECK(json::parse(repeated.body)["state"] == "superseded");
  check_problem(keyed(set_text("a", "three"), "job 2"), 409, "golden.conflict");
}

TEST_CASE("RestApi: each refusal has its status and its fault") {
  AdminCase c;
  const std::string set = set_text("shop/web", "one");
  const std::string ci = c.golden.ci("host/");
  check_problem(push(c, set, ""), 401, "request.unauthenticated");
  check_problem(push(c, set, "Basic eDp5"), 401, "request.unauthenticated");
  check_problem(push(c, set, "Bearer " + make_push_token()), 401, "push_token.unknown");
  CHECK(push(c, set, "").get_header_value("WWW-Authenticate") == "Bearer");
  CHECK(push(c, set, "").body.find("--token-file") == std::string::npos);
  check_problem(push(c, set, ci), 403, "golden.name_refused");
  check_problem(push(c, "{}"), 422, "golden.malformed");
  check_problem(push(c, ""), 422, "golden.malformed");
  for (const std::string query :
       {"?draft=yes", "?draft", "?drafts=true", "?draft=true&draft=false"}) {
    CAPTURE(query);
    check_problem(post(c, set, {{"Authorization", kOperators}}, query), 400, "request.invalid");
  }
  check_problem(
      post(c, set, {{"Authorization", kOperators}, {"Idempotency-Key", std::string(129, 'k')}}),
      400, "request.invalid");
  for (const char* type : {"application/x-www-form-urlencoded", "text/plain",
                           "multipart/form-data; boundary=x", "application/jsonx"}) {
    CAPTURE(type);
    check_problem(post(c, set, {{"Authorization", kOperators}}, "", type), 415);
  }
  c.golden.clock.advance(std::chrono::hours(1));
  check_problem(push(c, set, ci), 401, "push_token.expired");
  CHECK(c.golden.store.golden_sets()->empty());
  for (const char* type : {"application/vnd.in-toto+json", "application/json ; charset=utf-8"}) {
    CHECK(post(c, set, {{"Authorization", kOperators}}, "", type).status < 300);
  }
  REQUIRE(c.golden.sets.revoke({.name = "shop/web"}, "it leaks"));
  check_problem(push(c, set), 409, "golden.revoked");
}

TEST_CASE("http_status: every fault of a request has a status of its own kind") {
  const std::pair<FaultId, int> rows[] = {{FaultId::kRequestInvalid, 400},
                                          {FaultId::kUnauthenticated, 401},
                                          {FaultId::kPushTokenUnknown, 401},
                                          {FaultId::kPushTokenExpired, 401},
                                          {FaultId::kIdentityMalformed, 401},
                                          {FaultId::kIdentityIssuer, 401},
                                          {FaultId::kIdentityAlgorithm, 401},
                                          {FaultId::kIdentityKeyUnknown, 401},
                                          {FaultId::kIdentitySignature, 401},
                                          {FaultId::kIdentityAudience, 401},
                                          {FaultId::kIdentityNotYetValid, 401},
                                          {FaultId::kIdentityExpired, 401},
                                          {FaultId::kIdentityLifetime, 401},
                                          {FaultId::kIdentityReplayed, 401},
                                          {FaultId::kIdentityCertificateUnfit, 401},
                                          {FaultId::kIdentityCertificateUntrusted, 401},
                                          {FaultId::kIdentityRefused, 403},
                                          {FaultId::kGoldenUnsigned, 403},
                                          {FaultId::kGoldenSignatureMissing, 403},
                                          {FaultId::kGoldenSignerRefused, 403},
                                          {FaultId::kGoldenNameRefused, 403},
                                          {FaultId::kNotFound, 404},
                                          {FaultId::kAlreadyExists, 409},
                                          {FaultId::kGoldenConflict, 409},
                                          {FaultId::kGoldenRevoked, 409},
                                          {FaultId::kGoldenTooLarge, 413},
                                          {FaultId::kGoldenMalformed, 422},
                                          {FaultId::kUnavailable, 429},
                                          {FaultId::kIdentityKeysUnavailable, 503},
                                          {FaultId::kStoreFailed, 503},
                                          {FaultId::kStoreFull, 507},
                                          {FaultId::kTpmFailed, 500}};
  for (const auto& [fault, status] : rows) {
    CAPTURE(std::string(fault_name(fault)));
    CHECK(http_status(fault) == status);
    const HttpAnswer answer = problem_of({.id = fault, .detail = "bad \xff byte"});
    CHECK(answer.status == status);
    const json problem = json::parse(answer.body);
    CHECK(problem["title"] == fault_meaning(fault));
    CHECK(problem["status"] == status);
  }
}

TEST_CASE("RestApi: what is no route is 404, and another method 405") {
  const AdminCase c;
  for (const std::string target :
       {"/api/", "/api/v1", "/api/v2/golden/sets", "/api/v1/golden/sets/", "/api/v1/golden/sets/x",
        "/api/v1/golden/sets%00"}) {
    CAPTURE(target);
    check_problem(c.get(target), 404);
  }
  httplib::Client client("127.0.0.1", c.admin->port());
  for (const auto& got : {client.Put(kSets, "x", "application/json"), client.Delete(kSets),
                          client.Patch(kSets, "x", "application/json")}) {
    REQUIRE(got);
    check_problem(*got, 405);
    CHECK(got->get_header_value("Allow") == "GET, HEAD, POST");
  }
  check_problem(*client.Post("/api/v1/openapi.json", "x", "application/json"), 405);
}

TEST_CASE("RestApi: operators read the list, and nobody else") {
  AdminCase c;
  const std::string ci = c.golden.ci("*");
  REQUIRE(push(c, set_text("a", "one"), ci).status == 201);
  REQUIRE(push(c, set_text("b", "two"), ci).status == 201);
  httplib::Client client("127.0.0.1", c.admin->port());
  const auto got = client.Get(kSets, {{"Authorization", kOperators}});
  REQUIRE(got);
  CHECK(got->status == 200);
  const json sets = json::parse(got->body)["sets"];
  REQUIRE(sets.size() == 2);
  CHECK(sets[0]["name"] == "a");
  CHECK(sets[1]["hashes"] == 1);
  check_problem(c.get(kSets), 401, "request.unauthenticated");
  check_problem(*client.Get(kSets, {{"Authorization", ci}}), 401, "request.unauthenticated");
}

TEST_CASE("RestApi: a token in plain HTTP is for this machine; in TLS it comes from anywhere") {
  AdminCase c;
  const auto begin = [&](const std::string& method, const std::string& path, Privacy privacy) {
    const HttpReply reply = c.api.begin(
        {.method = method, .path = path, .query = {}, .headers = {{"authorization", kOperators}}},
        privacy);
    const HttpAnswer* answer = std::get_if<HttpAnswer>(&reply);
    return answer == nullptr ? 0 : answer->status;
  };
  for (const std::string method : {"GET", "POST", "PUT"}) {
    CHECK(begin(method, kSets, Privacy::kOpen) == 403);
  }
  CHECK(begin("GET", kSets, Privacy::kPrivate) == 200);
  CHECK(begin("POST", kSets, Privacy::kPrivate) == 0);  // the body is wanted
  CHECK(begin("GET", "/api/v1/openapi.json", Privacy::kOpen) == 200);

  httplib::SSLClient client("localhost", c.admin->port());
  const testing::TempDir dir;
  client.set_ca_cert_path(dir.write("ca.pem", c.ca.certificate_pem()).string());
  // Longer than a record, and than what a socket holds.
  GoldenSet set{.name = "big", .source = "rootfs", .files = {}};
  for (int i = 0; i < 20'000; ++i) {
    set.files.push_back(testing::file("/bin/" + std::to_string(100'000 + i), std::to_string(i)));
  }
  const auto got = client.Post(kSets, {{"Authorization", kOperators}}, format_golden_set(set),
                               "application/json");
  REQUIRE_MESSAGE(got, httplib::to_string(got.error()));
  CHECK_MESSAGE(got->status == 201, got->body);
  CHECK(json::parse(got->body)["files"] == 20'000);
}

TEST_CASE("RestApi: a client certificate pushes the names of its rule, and nothing else") {
  AdminCase c;
  c.golden.clock.advance(c.clock.now() - c.golden.clock.now());
  const ByteView client_ca = as_bytes(c.client_ca.certificate_pem());
  c.golden.clients.push_back(
      {.roots = *parse_trusted_roots({Bytes(client_ca.begin(), client_ca.end())}),
       .rules = {{.names = {*NameScope::parse("shop/")}, .client = "spiffe://example.org/ci"}}});
  const testing::TempDir dir;
  const auto ca = dir.write("ca.pem", c.ca.certificate_pem());
  const auto push_as = [&](const TestCa& issuer, const std::string& names, const std::string& set,
                           const httplib::Headers& headers = {}) {
    const TestCa::Identity client = issuer.issue(names);
    httplib::SSLClient https("localhost", c.admin->port(),
                             dir.write("client.pem", client.certificate_pem).string(),
                             dir.write("client.key", client.key_pem).string());
    https.set_ca_cert_path(ca.string());
    const auto got = https.Post(kSets, headers, set_text(set, "one"), "application/json");
    REQUIRE_MESSAGE(got, httplib::to_string(got.error()));
    return *got;
  };
  const std::string uri = "URI:spiffe://example.org/ci";
  const auto pushed = push_as(c.client_ca, uri, "shop/web");
  CHECK_MESSAGE(pushed.status == 201, pushed.body);
  CHECK(json::parse(pushed.body)["pushed_by"] == "certificate:spiffe://example.org/ci");
  check_problem(push_as(c.client_ca, uri, "host/x"), 403, "golden.name_refused");
  check_problem(push_as(c.client_ca, "URI:spiffe://example.org/x", "shop/web"), 403,
                "identity.refused");
  check_problem(push_as(c.client_ca, "IP:127.0.0.1", "shop/web"), 401,
                "identity.certificate_unfit");
  check_problem(push_as(c.ca, uri, "shop/web"), 401, "identity.certificate_untrusted");
  check_problem(push_as(c.client_ca, uri, "shop/web", {{"Authorization", "Bearer x"}}), 401,
                "request.unauthenticated");
  // A page that its user's browser asks for.
  check_problem(push_as(c.client_ca, uri, "shop/web", {{"Origin", "https://evil.example"}}), 401,
                "request.unauthenticated");
  check_problem(push_as(c.client_ca, uri, "shop/web", {{"Origin", "null"}}), 401,
                "request.unauthenticated");
  CHECK(
      push_as(c.client_ca, uri, "shop/db", {{"Origin", "https://x"}, {"Authorization", kOperators}})
          .status == 201);
  c.golden.clock.advance(std::chrono::hours(2));
  check_problem(push_as(c.client_ca, uri, "shop/web"), 401, "identity.expired");

  httplib::SSLClient reader("localhost", c.admin->port(), (dir / "client.pem").string(),
                            (dir / "client.key").string());
  reader.set_ca_cert_path(ca.string());
  check_problem(*reader.Get(kSets), 401, "request.unauthenticated");
}

TEST_CASE("RestApi: who may not push is told so before the body is asked for") {
  AdminCase c;
  const std::string waits = "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n";
  const std::string refused = RawSocket(c.admin->port()).ask(head(waits, "Bearer x"));
  CHECK(refused.starts_with("HTTP/1.1 401 "));
  CHECK(refused.find("100 Continue") == std::string::npos);
  CHECK(refused.find("\r\nContent-Length: ") != std::string::npos);
  CHECK(refused.find("request.unauthenticated") != std::string::npos);
  // Nor without being asked: no byte of the body ever comes.
  CHECK(RawSocket(c.admin->port())
            .ask(head("Content-Length: 1000\r\n\r\n", "Bearer x"))
            .starts_with("HTTP/1.1 401 "));
  // Who sends it all the same gets the answer.
  CHECK(push(c, std::string(std::size_t{8} << 20, 'x'), "Bearer x").status == 401);

  RawSocket good(c.admin->port());
  const std::string set = set_text("a", "one");
  good.send(
      head("Expect: 100-continue\r\nContent-Length: " + std::to_string(set.size()) + "\r\n\r\n"));
  while (good.sends_until_answer("")) {
  }
  const std::string said = good.ask(set);
  CHECK(said.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 "));
}

TEST_CASE("RestApi: a body is framed in one way, or refused") {
  AdminCase c;
  const std::string set = set_text("a", "one");
  const std::string length = "Content-Length: " + std::to_string(set.size()) + "\r\n";
  const auto ask = [&](const std::string& headers, const std::string& body) {
    return RawSocket(c.admin->port()).ask(head(headers) + "\r\n" + body).substr(0, 13);
  };
  CHECK(ask("", "") == "HTTP/1.1 411 ");
  CHECK(ask(length + length, set) == "HTTP/1.1 400 ");
  CHECK(ask(length + "Transfer-Encoding: chunked\r\n", "0\r\n\r\n") == "HTTP/1.1 400 ");
  CHECK(ask("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n") == "HTTP/1.1 400 ");
  CHECK(ask("Content-Length: -1\r\n", set) == "HTTP/1.1 400 ");
  CHECK(ask("Content-Length: 0x10\r\n", set) == "HTTP/1.1 400 ");
  CHECK(ask("Content-Length: 18446744073709551616\r\n", set) == "HTTP/1.1 400 ");
  CHECK(ask("Content-Length: 18446744073709551615\r\n", set) == "HTTP/1.1 413 ");
  CHECK(ask("Content-Length: 377487361\r\n", "") == "HTTP/1.1 413 ");
  CHECK(ask(length + "Content-Encoding: gzip\r\n", set) == "HTTP/1.1 415 ");
  CHECK(ask(length + "Authorization: Bearer x\r\n", set) == "HTTP/1.1 400 ");
  CHECK(ask("Transfer-Encoding: chunked\r\n", "zz\r\n") == "HTTP/1.1 400 ");
  CHECK(c.golden.store.golden_sets()->empty());
  RawSocket cut(c.admin->port());
  cut.send(head(length + "\r\n" + set.substr(1)));
  cut.close_half();
  CHECK(cut.rest().starts_with("HTTP/1.1 400 "));
  CHECK(c.golden.store.golden_sets()->empty());
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", set.size());
  CHECK(ask("Transfer-Encoding: Chunked\r\n", size + set + "\r\n0\r\n\r\n") == "HTTP/1.1 201 ");
}

TEST_CASE("RestApi: four pushes at once, and none keeps metrics or the list from being served") {
  AdminCase c;
  std::vector<std::unique_ptr<RawSocket>> slow;
  for (int i = 0; i < kMaxPushesAtOnce; ++i) {
    slow.push_back(std::make_unique<RawSocket>(c.admin->port()));
    slow.back()->send(head("Expect: 100-continue\r\nContent-Length: 100\r\n\r\n"));
    while (slow.back()->sends_until_answer("")) {  // 100 Continue: it has its place
    }
  }
  const auto busy = push(c, set_text("a", "one"));
  check_problem(busy, 429, "peer.unavailable");
  CHECK(busy.get_header_value("Retry-After") == "5");
  CHECK(c.get("/metrics").status == 200);
  slow.pop_back();  // gone without a word: its place is free
  CHECK(testing::eventually([&] { return push(c, set_text("a", "one")).status < 300; }));
  c.admin.reset();  // does not wait for the others
}

TEST_CASE("RestApi: a body that pauses for too long is given up, and so is its place") {
  AdminCase c({.pause = std::chrono::milliseconds(200)});
  for (int i = 0; i < 2 * kMaxPushesAtOnce; ++i) {
    const std::string said =
        RawSocket(c.admin->port()).ask(head("Content-Length: 100\r\n\r\n{\"half"));
    CHECK(said.starts_with("HTTP/1.1 408 "));
  }
  CHECK(push(c, set_text("a", "one")).status == 201);
}

TEST_CASE("openapi_document: says what is served, and all of it") {
  AdminCase c;
  const auto got = c.get("/api/v1/openapi.json");
  CHECK(got.status == 200);
  CHECK(got.get_header_value("Content-Type") == "application/json");
  const json document = json::parse(got.body, nullptr, false);
  REQUIRE(document.is_object());
  CHECK(document["openapi"] == "3.1.0");
  REQUIRE(document["paths"].size() == 2);
  for (const auto& [path, methods] : document["paths"].items()) {
    httplib::Client client("127.0.0.1", c.admin->port());
    const auto refused = client.Options(path);
    REQUIRE(refused);
    std::string allowed = refused->get_header_value("Allow");
    for (const auto& [method, operation] : methods.items()) {
      std::string upper = method;
      std::ranges::transform(upper, upper.begin(), [](char x) { return std::toupper(x); });
      CHECK(allowed.find(upper) != std::string::npos);
    }
    CHECK(std::ranges::count(allowed, ',') == static_cast<long>(methods.size()));  // and HEAD
  }
  const json& pushing = document["paths"][kSets]["post"]["responses"];
  for (const char* status :
       {"200", "201", "400", "401", "403", "409", "413", "415", "422", "429"}) {
    CHECK(pushing.contains(status));
  }
  const json set = json::parse(push(c, set_text("a", "one")).body);
  const json& schema = document["components"]["schemas"]["GoldenSet"];
  CHECK(schema["required"].size() == set.size());
  for (const auto& [name, value] : set.items()) CHECK(schema["properties"].contains(name));
}

}  // namespace
}  // namespace assay
