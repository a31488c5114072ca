// Where notifications go.
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <tl/expected.hpp>

#include "verifier/store/store.h"

namespace assay {

struct DeliveryFailure {
  std::string why;                                  // one line, without secrets
  std::optional<std::chrono::seconds> retry_after;  // what the receiver asked for
};

using Delivery = tl::expected<void, DeliveryFailure>;

class NotificationSink {
 public:
  virtual ~NotificationSink() = default;
  virtual const std::string& name() const = 0;

  // Sends one notification and waits until the receiver has it. Called by one thread at a time.
  // Gives up early, as a failure, when `stop` is requested.
  virtual Delivery deliver(const OutboxRecord& record, Instant now,
                           const std::stop_token& stop) = 0;
};

}  // namespace assay
