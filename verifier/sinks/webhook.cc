#include "verifier/sinks/webhook.h"

#include <httplib.h>
#include <openssl/hmac.h>

#include <charconv>
#include <ctime>

#include "core/openssl.h"
#include "core/text.h"
#include "verifier/sinks/ca_file.h"
#include "verifier/sinks/outbox.h"

namespace assay {
namespace {

constexpr std::string_view kSecretPrefix = "whsec_";
constexpr std::size_t kMaxAnswerBytes = std::size_t{64} << 10;

// What the receiver said, as far as it is needed.
struct Answer {
  std::optional<int> status;  // nothing: no complete head of an answer came
  std::string retry_after;
  std::string error;  // when there is no status
};

class Request {
 public:
  Request(const WebhookConfig& config, const HttpUrl& url) : client_(make_client(url)) {
    client_->set_connection_timeout(config.connect_timeout);
    client_->set_read_timeout(config.timeout);
    client_->set_write_timeout(config.timeout);
    client_->set_follow_location(false);
    client_->set_keep_alive(false);
    client_->set_decompress(false);
    if (!config.ca_file.empty()) client_->set_ca_cert_path(config.ca_file.native());
    request_.method = "POST";
    request_.path = url.target;
    request_.set_header("Host", url.authority());
    request_.set_header("Content-Type", "application/json");
    request_.set_header("User-Agent", "assay/" ASSAY_VERSION);
  }

  void set_header(const std::string& name, const std::string& value) {
    request_.set_header(name, value);
  }

  Answer send(const std::string& body, const std::stop_token& stop) && {
    Answer answer;
    std::size_t received = 0;
    request_.body = body;
    const auto read_head = [&](const httplib::Response& response) {
      answer.status = response.status;
      answer.retry_after = response.get_header_value("Retry-After");
      return true;
    };
    request_.response_handler = read_head;
    request_.content_receiver = [&](const char*, std::size_t size, std::uint64_t, std::uint64_t) {
      received += size;
      return received <= kMaxAnswerBytes;
    };
    const std::stop_callback interrupt(stop, [this] { client_->stop(); });
    const httplib::Result result = client_->send(request_);
    // httplib calls no handler for 204. Otherwise the status counts once it came, whatever became
    // of the body.
    if (result) read_head(*result);
    if (!answer.status) answer.error = httplib::to_string(result.error());
    return answer;
  }

 private:
  static std::unique_ptr<httplib::ClientImpl> make_client(const HttpUrl& url) {
    if (url.scheme == HttpUrl::Scheme::kHttp) {
      return std::make_unique<httplib::ClientImpl>(url.host, url.port);
    }
    return std::make_unique<httplib::SSLClient>(url.host, url.port);
  }

  std::unique_ptr<httplib::ClientImpl> client_;
  httplib::Request request_;
};

std::optional<std::chrono::seconds> wanted_pause(const Answer& answer, Instant now) {
  if (answer.status == 410) return kLongestRetryDelay;
  return parse_retry_after(answer.retry_after, now);
}

}  // namespace

Result<Bytes> parse_webhook_secret(std::string_view text) {
  const auto secret = text.starts_with(kSecretPrefix)
                          ? from_base64(text.substr(kSecretPrefix.size()))
                          : std::nullopt;
  if (!secret || secret->size() < kMinWebhookSecretBytes ||
      secret->size() > kMaxWebhookSecretBytes) {
    return fail(FaultId::kConfigInvalid,
                "a webhook's secret is \"whsec_\" and base64 of 24 to 64 random bytes; make one "
                "with: echo whsec_$(openssl rand -base64 32)");
  }
  return *secret;
}

std::string sign_webhook(ByteView secret, const SignedContent& content) {
  const std::string text = std::string(content.id) + '.' +
                           std::to_string(content.timestamp_seconds) + '.' +
                           std::string(content.body);
  const ByteView message = as_bytes(text);
  std::array<std::uint8_t, 32> mac{};
  unsigned int size = 0;
  const auto* done = HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                          message.data(), message.size(), mac.data(), &size);
  ASSAY_CHECK(done == mac.data() && size == mac.size());
  return "v1," + to_base64(mac);
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view text, Instant now) {
  std::uint32_t seconds = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seconds);
  if (!text.empty() && error == std::errc{} && stop == end) return std::chrono::seconds(seconds);
  std::tm date{};
  const std::string terminated(text);
  const char* rest = ::strptime(terminated.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (rest == nullptr || *rest != '\0') return std::nullopt;
  const std::chrono::sys_seconds at{std::chrono::seconds(::timegm(&date))};
  return std::max(std::chrono::seconds(0), std::chrono::ceil<std::chrono::seconds>(at - now));
}

Result<std::unique_ptr<WebhookSink>> WebhookSink::create(WebhookConfig config) {
  ASSAY_TRY(HttpUrl url, parse_http_url(config.url));
  if (config.secret.size() < kMinWebhookSecretBytes ||
      config.secret.size() > kMaxWebhookSecretBytes) {
    return fail(FaultId::kConfigInvalid, "a webhook's secret is 24 to 64 bytes long");
  }
  if (!config.ca_file.empty()) ASSAY_OK(check_ca_file(config.ca_file, "the webhook's"));
  return std::unique_ptr<WebhookSink>(new WebhookSink(std::move(config), std::move(url)));
}

Delivery WebhookSink::deliver(const OutboxRecord& record, Instant now,
                              const std::stop_token& stop) {
  Answer answer;
  try {
    Request request(config_, url_);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    request.set_header("webhook-id", record.message_id);
    request.set_header("webhook-timestamp", std::to_string(seconds));
    request.set_header("webhook-signature",
                       sign_webhook(config_.secret, {.id = record.message_id,
                                                     .timestamp_seconds = seconds,
                                                     .body = record.payload}));
    answer = std::move(request).send(record.payload, stop);
  } catch (const std::exception& error) {
    answer.error = error.what();
  }
  if (answer.status && *answer.status >= 200 && *answer.status < 300) return {};
  return tl::unexpected(DeliveryFailure{
      .why = url_.authority() + (answer.status ? " answered " + std::to_string(*answer.status)
                                               : " did not answer: " + answer.error),
      .retry_after = wanted_pause(answer, now)});
}

}  // namespace assay
