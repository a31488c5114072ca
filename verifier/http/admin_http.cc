#include "verifier/http/admin_http.h"

#include <httplib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <latch>
#include <system_error>
#include <thread>

#include "core/text.h"
#include "verifier/http/exchange.h"
#include "verifier/http/task_queue.h"

namespace assay {
namespace {

constexpr assay::TaskQueue::Size kQueue{.threads = 16, .waiting = 16};

// How httplib wants its threads.
class RequestQueue final : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> request) override { queue_.enqueue(std::move(request)); }
  void shutdown() override { queue_.shutdown(); }

 private:
  assay::TaskQueue queue_{kQueue};
};

// httplib's default is SO_REUSEPORT, which lets two verifiers share a port without a word.
void set_socket_options(socket_t socket) {
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

tl::unexpected<Fault> cannot_listen(const AdminHttpConfig& config, int error) {
  const std::string where = escape_bytes(config.host) + ":" + std::to_string(config.port);
  if (error == EADDRINUSE) {
    return fail(FaultId::kUnavailable, "cannot serve HTTP on " + where +
                                           ": the port is taken; stop the program that has it, or "
                                           "choose another with http_listen");
  }
  const std::string why = error == 0 ? "no such address" : std::generic_category().message(error);
  return fail(FaultId::kConfigInvalid, "cannot serve HTTP on " + where + ": " + why +
                                           "; choose an address of this machine with http_listen");
}

// A descriptor that can be read from once ring() was called.
class Bell {
 public:
  Bell() : fd_(::eventfd(0, EFD_CLOEXEC)) { ASSAY_CHECK(fd_ >= 0); }
  ~Bell() { ::close(fd_); }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;
  void ring() { ASSAY_CHECK(::eventfd_write(fd_, 1) == 0); }
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// httplib accepts; what is said on a connection is for serve_exchange().
class Listener final : public httplib::Server {
 public:
  Listener(const Connection::World& world, HttpRoutes routes)
      : world_(world), routes_(std::move(routes)) {}

 private:
  bool process_and_close_socket(socket_t socket) override {
    Connection connection(socket, world_);
    if (connection.open()) serve_exchange(connection, routes_, world_.clock);
    return true;
  }

  const Connection::World world_;
  const HttpRoutes routes_;
};

}  // namespace

class AdminHttp::Server {
 public:
  Server(const AdminHttpConfig& config, const AdminHttpWorld& world)
      : config_(config),
        world_(world),
        listener_({world.identity, world.clock, config_.limits, stop_.fd()},
                  [this](const HttpRequest& request, Privacy privacy) {
                    return request.path.starts_with("/api/") ? world_.api.begin(request, privacy)
                                                             : answer(request);
                  }) {
    listener_.set_socket_options(set_socket_options);
    listener_.new_task_queue = [this] {
      serving_.count_down();
      return new RequestQueue;
    };
  }

  ~Server() {
    if (!thread_.joinable()) return;
    serving_.wait();  // stop() before that would be lost
    stop_.ring();
    listener_.stop();
  }

  Status listen() {
    errno = 0;
    const int port = config_.port == 0 ? listener_.bind_to_any_port(config_.host)
                     : listener_.bind_to_port(config_.host, config_.port) ? config_.port
                                                                          : -1;
    if (port <= 0) return cannot_listen(config_, errno);
    port_ = static_cast<std::uint16_t>(port);
    thread_ = std::jthread([this] { listener_.listen_after_bind(); });
    return {};
  }

  std::uint16_t port() const { return port_; }

 private:
  HttpReply answer(const HttpRequest& request) const {
    const std::string& path = request.path;
    if (path != "/healthz" && path != "/readyz" && path != "/metrics") {
      return problem(404,
                     "there is nothing here; /metrics, /healthz, /readyz and "
                     "/api/v1/openapi.json are what this port serves");
    }
    if (request.method != "GET" && request.method != "HEAD") {
      return wrong_method(request, "GET, HEAD");
    }
    const Status ready = path == "/healthz" ? Status() : world_.readiness();
    if (!ready) return problem(503, format_fault(ready.error()));
    if (path != "/metrics") return HttpAnswer{.content_type = "text/plain", .body = "ok\n"};
    return HttpAnswer{.content_type = std::string(kMetricsContentType),
                      .body = world_.metrics.text()};
  }

  const AdminHttpConfig config_;
  const AdminHttpWorld world_;
  Bell stop_;
  Listener listener_;
  std::latch serving_{1};
  std::uint16_t port_ = 0;
  std::jthread thread_;  // last: it uses all of the above
};

AdminHttp::AdminHttp(std::unique_ptr<Server> server) : server_(std::move(server)) {}
AdminHttp::~AdminHttp() = default;
AdminHttp::AdminHttp(AdminHttp&&) noexcept = default;

Result<AdminHttp> AdminHttp::listen(const AdminHttpConfig& config, const AdminHttpWorld& world) {
  auto server = std::make_unique<Server>(config, world);
  ASSAY_OK(server->listen());
  return AdminHttp(std::move(server));
}

std::uint16_t AdminHttp::port() const {
  return server_->port();
}

}  // namespace assay
