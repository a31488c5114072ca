// The verifier's HTTP port.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/result.h"
#include "verifier/http/connection.h"
#include "verifier/http/metrics.h"
#include "verifier/http/rest_api.h"

namespace assay {

struct AdminHttpConfig {
  std::string host = "127.0.0.1";  // address or name to listen on
  std::uint16_t port = 7480;       // 0: any free one
  ConnectionLimits limits{};
};

// Nothing when the verifier can do its work, else the fault that says why not. Called from any
// thread, and must not block.
using Readiness = std::function<Status()>;

// What the port shows, and by which means; borrowed.
struct AdminHttpWorld {
  const Metrics& metrics;
  Readiness readiness;
  const RestApi& api;
  const TlsIdentity& identity;
  const Clock& clock;
};

// Serves until it is destroyed. The port speaks TLS to who begins with it, and plain HTTP to others.
// One request for each connection, at most 16 at a time, each bounded in time and size.
//
//   /healthz  200 while the process serves
//   /readyz   200, or 503 with the reason
//   /metrics  Prometheus text; 503 until ready: counts that were not restored yet would end alerts
//   /api/…    RestApi
//   others    404
// The first three give states and counts away without authentication, and change nothing.
// Errors are application/problem+json (RFC 9457).
class AdminHttp {
 public:
  // Fails with kUnavailable when the port is taken, and kConfigInvalid when it cannot be listened
  // on for another reason.
  static Result<AdminHttp> listen(const AdminHttpConfig& config, const AdminHttpWorld& world);
  ~AdminHttp();
  AdminHttp(AdminHttp&&) noexcept;
  AdminHttp& operator=(AdminHttp&&) = delete;

  std::uint16_t port() const;

 private:
  class Server;
  explicit AdminHttp(std::unique_ptr<Server> server);
  std::unique_ptr<Server> server_;
};

}  // namespace assay
