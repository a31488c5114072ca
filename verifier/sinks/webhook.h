// Notifications as HTTP requests that the receiver can verify: Standard Webhooks 1.0.0.
#pragma once

#include <filesystem>
#include <memory>

#include "verifier/sinks/http_url.h"
#include "verifier/sinks/notification_sink.h"

namespace assay {

inline constexpr std::size_t kMinWebhookSecretBytes = 24;
inline constexpr std::size_t kMaxWebhookSecretBytes = 64;

struct WebhookConfig {
  std::string name{};               // of the sink, in metrics and in the outbox
  std::string url{};                // http or https
  Bytes secret{};                   // parse_webhook_secret()
  std::filesystem::path ca_file{};  // PEM; empty: the system's CAs
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds timeout{10'000};  // of each read and write
};

// "whsec_" and base64 of 24 to 64 bytes. Fails with kConfigInvalid; the message does not repeat it.
Result<Bytes> parse_webhook_secret(std::string_view text);

struct SignedContent {
  std::string_view id;
  std::int64_t timestamp_seconds;
  std::string_view body;
};
// "v1,<base64 HMAC-SHA256 of id.timestamp.body>". Pure.
std::string sign_webhook(ByteView secret, const SignedContent& content);

// Seconds until the moment that a Retry-After header names (RFC 9110, 10.2.3: seconds or a date);
// nothing for any other text. Never negative. Pure.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view text, Instant now);

// POSTs each notification with the headers webhook-id, webhook-timestamp and webhook-signature. A
// 2xx answer is success; redirects are not followed, and are failures; 410 asks for the longest
// pause there is, since the receiver says that it is gone; Retry-After is passed on. At most 64 KiB
// of an answer are read. Certificates and host names are checked for https.
//
// One connection for each message. SIGPIPE has to be ignored in this process.
class WebhookSink final : public NotificationSink {
 public:
  // Fails with kConfigInvalid (URL, secret, ca_file without a certificate) or kFileUnreadable.
  static Result<std::unique_ptr<WebhookSink>> create(WebhookConfig config);

  const std::string& name() const override { return config_.name; }
  Delivery deliver(const OutboxRecord& record, Instant now, const std::stop_token& stop) override;

 private:
  WebhookSink(WebhookConfig config, HttpUrl url)
      : config_(std::move(config)), url_(std::move(url)) {}

  WebhookConfig config_;
  HttpUrl url_;
};

}  // namespace assay
