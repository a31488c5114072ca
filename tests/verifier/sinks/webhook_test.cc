#include "verifier/sinks/webhook.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <latch>

#include "tests/support/child_process.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"
#include "tests/verifier/sinks/receiver.h"

namespace assay {
namespace {

using testing::Receiver;
using testing::TempDir;

constexpr Instant kNow{std::chrono::milliseconds(1'614'265'330'999)};
const Bytes kSecret(32, 0x5a);

// HMAC as RFC 2104 writes it, from hashes alone.
Bytes hmac_sha256(Bytes key, std::string_view message) {
  key.resize(64);
  Bytes inner = key;
  Bytes outer = key;
  for (auto& byte : inner) byte ^= 0x36;
  for (auto& byte : outer) byte ^= 0x5c;
  Hasher hasher(HashAlg::kSha256);
  const Digest inside = hasher({inner, as_bytes(message)});
  const Digest mac = hasher({outer, inside.bytes()});
  return {mac.bytes().begin(), mac.bytes().end()};
}

OutboxRecord record() {
  return {.sink = "hook", .message_id = "msg_1", .type = "t", .payload = R"({"type":"t"})"};
}

std::unique_ptr<WebhookSink> make_sink(WebhookConfig config) {
  config.name = "hook";
  if (config.secret.empty()) config.secret = kSecret;
  auto sink = WebhookSink::create(std::move(config));
  REQUIRE_MESSAGE(sink, sink.error().detail);
  return *std::move(sink);
}

Delivery deliver(const WebhookConfig& config, const std::stop_token& stop = {}) {
  return make_sink(config)->deliver(record(), kNow, stop);
}

// Takes connections into its backlog and never says a word.
class SilentServer {
 public:
  SilentServer() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(socket_, 5) == 0);
    REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
  }
  ~SilentServer() { ::close(socket_); }
  SilentServer(SilentServer&&) = delete;

  const std::string& url() const { return url_; }
  // Waits until a client has sent something.
  void await_request() const {
    const int client = ::accept(socket_, nullptr, nullptr);
    char byte = 0;
    REQUIRE(::recv(client, &byte, 1, MSG_PEEK) == 1);
    client_ = client;
  }

 private:
  int socket_;
  mutable int client_ = -1;
  std::string url_;
};

TEST_CASE("sign_webhook: agrees with the published example of Standard Webhooks") {
  const auto secret = parse_webhook_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  REQUIRE(secret);
  CHECK(sign_webhook(*secret, {.id = "msg_p5jXN8AQM9LWM0D4loKWxJek",
                               .timestamp_seconds = 1614265330,
                               .body = R"({"test": 2432232314})"}) ==
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST_CASE("parse_webhook_secret: 24 to 64 bytes of base64 after whsec_, and nothing else") {
  for (const std::size_t size : {24U, 64U}) {
    const Bytes bytes(size, 0xfe);
    CHECK(*parse_webhook_secret("whsec_" + to_base64(bytes)) == bytes);
  }
  for (const std::string& text :
       {std::string(), std::string("whsec_"), to_base64(kSecret), "whpk_" + to_base64(kSecret),
        "whsec_" + to_base64(Bytes(23)), "whsec_" + to_base64(Bytes(65)),
        "whsec_" + to_base64(kSecret) + "\n", "whsec_%%%%" + to_base64(kSecret)}) {
    CAPTURE(text);
    const auto secret = parse_webhook_secret(text);
    REQUIRE_FALSE(secret);
    CHECK(secret.error().id == FaultId::kConfigInvalid);
    CHECK(secret.error().detail.find(to_base64(kSecret)) == std::string::npos);
  }
}

TEST_CASE("parse_retry_after: seconds or a date, never negative, and nothing else") {
  const auto parse = [](std::string_view text) { return parse_retry_after(text, kNow); };
  CHECK(parse("0") == std::chrono::seconds(0));
  CHECK(parse("120") == std::chrono::seconds(120));
  CHECK(parse("Thu, 25 Feb 2021 15:03:00 GMT") == std::chrono::seconds(50));  // rounded up
  CHECK(parse("Thu, 25 Feb 2021 15:00:00 GMT") == std::chrono::seconds(0));
  for (const std::string_view text :
       {"", "-1", "1.5", "99999999999", "soon", "10 s", "Thu, 25 Feb 2021 15:03:00 GMT and more"}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(parse(text));
  }
}

TEST_CASE("WebhookSink: what it posts can be verified by the receiver") {
  Receiver receiver;
  REQUIRE(deliver({.url = receiver.url("/hook?token=1")}));
  const auto requests = receiver.requests();
  REQUIRE(requests.size() == 1);
  const httplib::Request& request = requests[0];
  CHECK(request.method == "POST");
  CHECK(request.target == "/hook?token=1");
  CHECK(request.body == record().payload);
  CHECK(request.get_header_value("Host") == "127.0.0.1:" + std::to_string(receiver.port()));
  CHECK(request.get_header_value("Content-Type") == "application/json");
  CHECK(request.get_header_value("webhook-id") == "msg_1");
  CHECK(request.get_header_value("webhook-timestamp") == "1614265330");
  const Bytes mac = hmac_sha256(kSecret, "msg_1.1614265330." + request.body);
  CHECK(request.get_header_value("webhook-signature") == "v1," + to_base64(mac));
}

TEST_CASE("WebhookSink: 2xx is success, and everything else is a failure that says so") {
  Receiver receiver;
  for (const int status : {200, 201, 202, 204, 299}) {
    CAPTURE(status);
    receiver.answer_with({Receiver::status(status)});
    CHECK(deliver({.url = receiver.url()}));
  }
  for (const int status : {300, 304, 400, 401, 404, 410, 429, 500, 503}) {
    CAPTURE(status);
    receiver.answer_with({Receiver::status(status)});
    const Delivery delivery = deliver({.url = receiver.url("/secret-path")});
    REQUIRE_FALSE(delivery);
    CHECK(delivery.error().why.find("answered " + std::to_string(status)) != std::string::npos);
    CHECK(delivery.error().why.find("secret-path") == std::string::npos);
  }
}

TEST_CASE("WebhookSink: a redirect is not followed") {
  Receiver receiver;
  for (const int status : {301, 302, 307, 308}) {
    receiver.answer_with({[&](httplib::Response& response) {
      response.set_redirect(receiver.url("/elsewhere"), status);
    }});
    CHECK_FALSE(deliver({.url = receiver.url()}));
  }
  CHECK(receiver.requests().size() == 4);
}

TEST_CASE("WebhookSink: the pause that a receiver asks for is passed on, and 410 asks for most") {
  Receiver receiver;
  const auto busy = [](httplib::Response& response) {
    response.status = 429;
    response.set_header("Retry-After", "77");
  };
  receiver.answer_with({busy, Receiver::status(410), Receiver::status(500)});
  CHECK(deliver({.url = receiver.url()}).error().retry_after == std::chrono::seconds(77));
  CHECK(deliver({.url = receiver.url()}).error().retry_after == std::chrono::hours(1));
  CHECK(deliver({.url = receiver.url()}).error().retry_after == std::nullopt);
}

TEST_CASE("WebhookSink: an endless answer is cut off, and its status counts") {
  Receiver receiver;
  std::size_t sent = 0;
  receiver.answer_with({[&](httplib::Response& response) {
    response.status = 200;
    response.set_chunked_content_provider("text/plain", [&](std::size_t, httplib::DataSink& out) {
      const std::string chunk(4096, 'x');
      sent += chunk.size();
      return out.write(chunk.data(), chunk.size());
    });
  }});
  CHECK(deliver({.url = receiver.url()}));
}

TEST_CASE("WebhookSink: nobody there, and nobody answering, are failures that name the host only") {
  std::string url;
  { url = Receiver().url("/secret-path"); }
  const Delivery refused = deliver({.url = url});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().why.find("127.0.0.1:") == 0);
  CHECK(refused.error().why.find("secret-path") == std::string::npos);

  const SilentServer silent;
  const Delivery timed_out =
      deliver({.url = silent.url(), .timeout = std::chrono::milliseconds(50)});
  REQUIRE_FALSE(timed_out);
  CHECK(timed_out.error().why.find("did not answer") != std::string::npos);
}

TEST_CASE("WebhookSink: a stop ends a request that hangs") {
  const SilentServer silent;
  std::latch done(1);
  Delivery delivery;
  std::jthread sender([&](const std::stop_token& stop) {
    delivery = deliver({.url = silent.url(), .timeout = std::chrono::hours(1)}, stop);
    done.count_down();
  });
  silent.await_request();
  sender.request_stop();
  REQUIRE(testing::eventually([&] { return done.try_wait(); }));
  CHECK_FALSE(delivery);
}

struct TlsCase {
  explicit TlsCase(const std::string& names)
      : identity(ca.issue(names)),
        ca_file(dir.write("ca.pem", ca.certificate_pem())),
        certificate(dir.write("cert.pem", identity.certificate_pem)),
        key(dir.write("key.pem", identity.key_pem)),
        receiver(std::make_unique<httplib::SSLServer>(certificate.c_str(), key.c_str())) {}
  std::string url(const std::string& host) const {
    return "https://" + host + ":" + std::to_string(receiver.port()) + "/";
  }

  TempDir dir;
  testing::TestCa ca;
  testing::TestCa::Identity identity;
  std::filesystem::path ca_file, certificate, key;
  Receiver receiver;
};

TEST_CASE("WebhookSink: https works when the CA and the name are right") {
  const TlsCase tls("DNS:localhost,IP:127.0.0.1");
  for (const std::string host : {"localhost", "127.0.0.1"}) {
    CAPTURE(host);
    const Delivery delivery = deliver({.url = tls.url(host), .ca_file = tls.ca_file});
    CHECK_MESSAGE(delivery, delivery.error().why);
  }
  CHECK(tls.receiver.requests().size() == 2);
}

TEST_CASE("WebhookSink: https to who cannot prove its name sends nothing") {
  const TlsCase other_name("DNS:other.example");
  CHECK_FALSE(deliver({.url = other_name.url("localhost"), .ca_file = other_name.ca_file}));
  CHECK_FALSE(deliver({.url = other_name.url("127.0.0.1"), .ca_file = other_name.ca_file}));
  const TlsCase right("DNS:localhost");
  CHECK_FALSE(deliver({.url = right.url("localhost")}));  // the system does not know this CA
  CHECK_FALSE(deliver({.url = right.url("localhost"), .ca_file = other_name.ca_file}));
  CHECK(other_name.receiver.requests().empty());
  CHECK(right.receiver.requests().empty());
}

TEST_CASE("WebhookSink: a configuration that cannot work is refused at once") {
  const TempDir dir;
  struct Row {
    std::string name;
    WebhookConfig config;
    FaultId want;
  };
  const std::string url = "https://a/";
  const Row rows[] = {
      {"no URL", {.url = "", .secret = kSecret}, FaultId::kConfigInvalid},
      {"no secret", {.url = url}, FaultId::kConfigInvalid},
      {"a short secret", {.url = url, .secret = Bytes(23)}, FaultId::kConfigInvalid},
      {"a long secret", {.url = url, .secret = Bytes(65)}, FaultId::kConfigInvalid},
      {"a CA file that is not there",
       {.url = url, .secret = kSecret, .ca_file = dir / "none.pem"},
       FaultId::kFileUnreadable},
      {"a CA file without a certificate",
       {.url = url, .secret = kSecret, .ca_file = dir.write("ca.pem", "hello")},
       FaultId::kConfigInvalid},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto sink = WebhookSink::create(row.config);
    REQUIRE_FALSE(sink);
    CHECK(sink.error().id == row.want);
  }
}

}  // namespace
}  // namespace assay
