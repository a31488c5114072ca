#include "verifier/http/admin_http.h"

#include <httplib.h>
#include <sys/socket.h>

#include <latch>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "core/text.h"
#include "verifier/http/task_queue.h"

namespace assay {
namespace {

constexpr assay::TaskQueue::Size kQueue{.threads = 4, .waiting = 16};
constexpr std::size_t kMaxBodyBytes = std::size_t{64} << 10;
constexpr std::chrono::seconds kTimeout{5};

// How httplib wants its threads.
class RequestQueue final : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> request) override { queue_.enqueue(std::move(request)); }
  void shutdown() override { queue_.shutdown(); }

 private:
  assay::TaskQueue queue_{kQueue};
};

std::string_view status_title(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 413:
      return "Payload Too Large";
    case 414:
      return "URI Too Long";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

// RFC 9457. The type "about:blank" says that the status alone is the kind of problem.
void set_problem(httplib::Response& response, int status, std::string_view detail) {
  const nlohmann::ordered_json problem = {{"type", "about:blank"},
                                          {"title", status_title(status)},
                                          {"status", status},
                                          {"detail", shorten(detail, 500)}};
  using Replace = nlohmann::ordered_json::error_handler_t;
  response.status = status;
  response.set_content(problem.dump(-1, ' ', false, Replace::replace) + '\n',
                       "application/problem+json");
}

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

}  // namespace

class AdminHttp::Server {
 public:
  Server(const Metrics& metrics, Readiness readiness)
      : metrics_(metrics), readiness_(std::move(readiness)) {
    server_.set_socket_options(set_socket_options);
    server_.set_keep_alive_max_count(1);
    server_.set_payload_max_length(kMaxBodyBytes);
    server_.set_read_timeout(kTimeout);
    server_.set_write_timeout(kTimeout);
    server_.new_task_queue = [this] {
      serving_.count_down();
      return new RequestQueue;
    };
    add_routes();
  }

  ~Server() {
    if (!thread_.joinable()) return;
    serving_.wait();  // stop() before that would be lost
    server_.stop();
  }

  Status listen(const AdminHttpConfig& config) {
    errno = 0;
    const int port = config.port == 0 ? server_.bind_to_any_port(config.host)
                     : server_.bind_to_port(config.host, config.port) ? config.port
                                                                      : -1;
    if (port <= 0) return cannot_listen(config, errno);
    port_ = static_cast<std::uint16_t>(port);
    thread_ = std::jthread([this] { server_.listen_after_bind(); });
    return {};
  }

  std::uint16_t port() const { return port_; }

 private:
  void add_routes() {
    server_.Get("/healthz", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("ok\n", "text/plain");
    });
    server_.Get("/readyz", [this](const httplib::Request&, httplib::Response& response) {
      if (ready(response)) response.set_content("ok\n", "text/plain");
    });
    server_.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
      if (ready(response)) {
        response.set_content(metrics_.text(), std::string(kMetricsContentType));
      }
    });
    server_.set_error_handler([](const httplib::Request&, httplib::Response& response) {
      if (response.body.empty()) {
        set_problem(response, response.status,
                    response.status == 404 ? "there is nothing here; /metrics, /healthz and "
                                             "/readyz are what this port serves"
                                           : "the request cannot be served");
      }
    });
    server_.set_exception_handler(
        [](const httplib::Request&, httplib::Response& response, std::exception_ptr) {
          set_problem(response, 500, "the verifier could not make an answer");
        });
  }

  // Otherwise the answer says why not.
  bool ready(httplib::Response& response) const {
    const Status status = readiness_();
    if (!status) set_problem(response, 503, format_fault(status.error()));
    return status.has_value();
  }

  const Metrics& metrics_;
  const Readiness readiness_;
  httplib::Server server_;
  std::latch serving_{1};
  std::uint16_t port_ = 0;
  std::jthread thread_;  // last: it uses all of the above
};

AdminHttp::AdminHttp(std::unique_ptr<Server> server) : server_(std::move(server)) {}
AdminHttp::~AdminHttp() = default;
AdminHttp::AdminHttp(AdminHttp&&) noexcept = default;

Result<AdminHttp> AdminHttp::listen(const AdminHttpConfig& config, const Metrics& metrics,
                                    Readiness readiness) {
  auto server = std::make_unique<Server>(metrics, std::move(readiness));
  ASSAY_OK(server->listen(config));
  return AdminHttp(std::move(server));
}

std::uint16_t AdminHttp::port() const {
  return server_->port();
}

}  // namespace assay
