// Requests and answers of the HTTP port, without a library's types.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"

namespace assay {

struct HttpRequest {
  std::string method;
  std::string path;                                 // decoded, without the query
  std::multimap<std::string, std::string> query;    // decoded
  std::multimap<std::string, std::string> headers;  // names in lower case
  std::string client_chain;                         // Connection::client_chain()
};

// The value of a header that comes once or not at all (""); kRequestInvalid when it comes again.
Result<std::string> single_header(const HttpRequest& request, const std::string& name);

struct HttpAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};
};

// Where the body of a request goes that was let in.
class HttpUpload {
 public:
  virtual ~HttpUpload() = default;
  // A failure of either ends the request.
  virtual Status expect(std::uint64_t bytes) = 0;  // where the length is said beforehand
  virtual Status add(ByteView piece) = 0;
  virtual HttpAnswer finish() = 0;
};

// What becomes of a request whose head is there: an answer, or its body is wanted.
using HttpReply = std::variant<HttpAnswer, std::unique_ptr<HttpUpload>>;

// The status that tells of a fault; 500 for one that no request can cause.
int http_status(FaultId fault);

// RFC 9457. problem() is of HTTP alone (type "about:blank"); problem_of() has the fault's id in `type`
// and `fault`, and the headers that its status asks for. `detail` is cut at 500 bytes.
HttpAnswer problem(int status, std::string_view detail);
HttpAnswer problem_of(const Fault& fault);
HttpAnswer wrong_method(const HttpRequest& request, const std::string& allowed);  // 405

}  // namespace assay
