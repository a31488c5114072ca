#include "verifier/http/exchange.h"

#include <httplib.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/text.h"

namespace assay {
namespace {

// How httplib wants a connection.
class ConnectionStream final : public httplib::Stream {
 public:
  explicit ConnectionStream(Connection& connection) : connection_(connection) {}
  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* out, std::size_t size) override { return connection_.read(out, size); }
  ssize_t write(const char* data, std::size_t size) override {
    return connection_.write(data, size);
  }
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  // Only the two above are for httplib: they keep the limits.
  socket_t socket() const override { return INVALID_SOCKET; }

 private:
  Connection& connection_;
};

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

HttpRequest request_of(const httplib::Request& request, const Connection& connection) {
  HttpRequest out{.method = request.method,
                  .path = request.path,
                  .query = {request.params.begin(), request.params.end()},
                  .headers = {},
                  .client_chain = connection.client_chain()};
  for (const auto& [name, value] : request.headers) out.headers.emplace(lower(name), value);
  return out;
}

std::optional<std::uint64_t> parse_length(const std::string& text) {
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return length;
}

// Why the body of this request is not read, if so.
std::optional<HttpAnswer> refuse_body(const HttpRequest& request, HttpUpload& upload) {
  const auto length = single_header(request, "content-length");
  const auto coding = single_header(request, "transfer-encoding");
  if (!length) return problem_of(length.error());
  if (!coding) return problem_of(coding.error());
  if (request.headers.contains("content-encoding")) {
    return problem(415, "send the body as it is, without Content-Encoding");
  }
  if (const auto type = request.headers.find("content-type");
      type != request.headers.end() && lower(type->second).starts_with("multipart/")) {
    return problem(415, "send the body as it is, not as a form");
  }
  if (!coding->empty()) {
    if (lower(*coding) == "chunked" && length->empty()) return std::nullopt;
    return problem(400, "a body is framed by Content-Length, or chunked");
  }
  if (length->empty()) return problem(411, "say how long the body is, or send it chunked");
  const auto bytes = parse_length(*length);
  if (!bytes) return problem(400, "Content-Length is no number");
  const Status fits = upload.expect(*bytes);
  return fits ? std::nullopt : std::optional(problem_of(fits.error()));
}

void set_answer(httplib::Response& response, const HttpAnswer& answer) {
  response.status = answer.status;
  response.set_content(answer.body, answer.content_type);
  for (const auto& [name, value] : answer.headers) response.set_header(name, value);
}

// httplib reads the head and frames the body; every decision is made by `routes`.
class Exchange final : public httplib::Server {
 public:
  Exchange(Connection& connection, const HttpRoutes& routes, const Clock& clock)
      : connection_(connection), routes_(routes), clock_(clock) {
    set_payload_max_length(kBodyLimits.bytes);
    set_expect_100_continue_handler([this](const auto& request, auto& response) {
      return decide(request, response) ? 100 : response.status;
    });
    set_pre_routing_handler([this](const auto& request, auto& response) {
      return decided_                    ? HandlerResponse::Unhandled
             : decide(request, response) ? HandlerResponse::Unhandled
                                         : HandlerResponse::Handled;
    });
    // Of what decide() let in only.
    Post(".*", [this](const auto&, auto& response, const httplib::ContentReader& body) {
      set_answer(response, receive(body));
    });
    set_error_handler([this](const httplib::Request&, httplib::Response& response) {
      if (response.body.empty()) set_answer(response, explain(response.status));
    });
    set_exception_handler([](const auto&, auto& response, const std::exception_ptr&) {
      set_answer(response, problem(500, "the verifier could not make an answer"));
    });
  }

  void serve() {
    ConnectionStream stream(connection_);
    bool closed = false;
    process_request(stream, true, closed, [](httplib::Request& request) {
      request.ranges.clear();  // parts of answers are not served
    });
  }

 private:
  static constexpr BodyLimits kBodyLimits{};

  // Whether the body is wanted; else the answer is there.
  bool decide(const httplib::Request& request, httplib::Response& response) {
    decided_ = true;
    const HttpRequest asked = request_of(request, connection_);
    HttpReply reply = routes_(asked, connection_.is_private() ? Privacy::kPrivate : Privacy::kOpen);
    if (const HttpAnswer* answer = std::get_if<HttpAnswer>(&reply)) {
      set_answer(response, *answer);
      return false;
    }
    upload_ = std::get<std::unique_ptr<HttpUpload>>(std::move(reply));
    const auto refusal = refuse_body(asked, *upload_);
    if (refusal) set_answer(response, *refusal);
    return !refusal;
  }

  HttpAnswer receive(const httplib::ContentReader& body) {
    connection_.allow_body(kBodyLimits.bytes, clock_.monotonic() + kBodyLimits.time);
    Status added;
    const bool whole = body([&](const char* data, std::size_t size) {
      added = upload_->add(as_bytes(std::string_view(data, size)));
      return added.has_value();
    });
    if (!added) return problem_of(added.error());
    if (whole) return upload_->finish();
    return connection_.ran_out_of_time() ? problem(408, "the body did not come in time")
                                         : problem(400, "the body is cut short");
  }

  // What httplib says by a status alone.
  HttpAnswer explain(int status) const {
    if (connection_.ran_out_of_time()) return problem(408, "the request did not come in time");
    if (connection_.ran_out_of_bytes()) return problem(431, "the request's head is too large");
    return problem(status, "the request cannot be served");
  }

  Connection& connection_;
  const HttpRoutes& routes_;
  const Clock& clock_;
  std::unique_ptr<HttpUpload> upload_;
  bool decided_ = false;
};

}  // namespace

void serve_exchange(Connection& connection, const HttpRoutes& routes, const Clock& clock) {
  Exchange(connection, routes, clock).serve();
}

}  // namespace assay
