// One request on one connection, and its answer.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "verifier/http/connection.h"
#include "verifier/http/message.h"

namespace assay {

enum class Privacy : std::uint8_t { kOpen, kPrivate };  // Connection::is_private()

// What a request with this head gets. Called from any thread.
using HttpRoutes = std::function<HttpReply(const HttpRequest& request, Privacy privacy)>;

// How much of a body is read, and for how long, once its upload was let in.
struct BodyLimits {
  std::size_t bytes = std::size_t{424} << 20;  // also what frames the pieces
  std::chrono::minutes time{15};
};

// Reads one request and answers it. A body is read only when `routes` wants it; a length that is not
// plain (RFC 9112, 6.3), an encoding, and a form of parts are refused before it is asked.
void serve_exchange(Connection& connection, const HttpRoutes& routes, const Clock& clock);

}  // namespace assay
