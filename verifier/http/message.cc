#include "verifier/http/message.h"

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "verifier/services/refusal.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxDetailBytes = 500;
constexpr std::string_view kFaultTypes = "https://assay.dev/faults/";

std::string_view status_title(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

HttpAnswer format_problem(int status, const Json& problem) {
  return {.status = status,
          .content_type = "application/problem+json",
          .body = problem.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n'};
}

}  // namespace

Result<std::string> single_header(const HttpRequest& request, const std::string& name) {
  const auto [first, last] = request.headers.equal_range(name);
  if (first == last) return std::string();
  if (std::next(first) == last) return first->second;
  return fail(FaultId::kRequestInvalid, "more than one header " + name);
}

int http_status(FaultId fault) {
  switch (refusal_of(fault)) {
    case Refusal::kInvalid:
      return 400;
    case Refusal::kUnauthenticated:
      return 401;
    case Refusal::kForbidden:
      return 403;
    case Refusal::kNotFound:
      return 404;
    case Refusal::kConflict:
    case Refusal::kRevoked:
      return 409;
    case Refusal::kTooLarge:
      return 413;
    case Refusal::kMalformed:
      return 422;
    case Refusal::kBusy:
      return 429;
    case Refusal::kUnavailable:
      return 503;
    case Refusal::kFull:
      return 507;
    case Refusal::kOther:
      break;
  }
  return 500;
}

HttpAnswer problem(int status, std::string_view detail) {
  return format_problem(status, {{"type", "about:blank"},
                                 {"title", status_title(status)},
                                 {"status", status},
                                 {"detail", shorten(detail, kMaxDetailBytes)}});
}

HttpAnswer problem_of(const Fault& fault) {
  const std::string_view id = fault_name(fault.id);
  const int status = http_status(fault.id);
  HttpAnswer answer = format_problem(status, {{"type", std::string(kFaultTypes) + std::string(id)},
                                              {"title", fault_meaning(fault.id)},
                                              {"status", status},
                                              {"detail", shorten(fault.detail, kMaxDetailBytes)},
                                              {"fault", id}});
  if (status == 401) answer.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (status == 429 || status == 503) answer.headers.emplace_back("Retry-After", "5");
  return answer;
}

HttpAnswer wrong_method(const HttpRequest& request, const std::string& allowed) {
  HttpAnswer answer = problem(405, escape_bytes(request.path) + " takes " + allowed);
  answer.headers.emplace_back("Allow", allowed);
  return answer;
}

}  // namespace assay
