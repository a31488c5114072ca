#include "verifier/cluster/pod_watch.h"

#include <httplib.h>

#include <algorithm>

#include "core/text.h"
#include "verifier/secret_file.h"
#include "verifier/sinks/ca_file.h"
#include "verifier/sinks/http_url.h"

namespace assay {
namespace {

constexpr std::string_view kPods = "/api/v1/pods";
constexpr std::string_view kSpace = " \t\r\n";
constexpr int kOk = 200;
constexpr int kUnauthorized = 401;
constexpr int kForbidden = 403;
constexpr int kGone = 410;

// The URL without the '/' at its end.
Result<HttpUrl> base_url(const KubernetesApi& api) {
  auto url = parse_http_url(api.url);
  if (!url || url->scheme != HttpUrl::Scheme::kHttps ||
      url->target.find('?') != std::string::npos) {
    return fail(FaultId::kConfigInvalid,
                escape_bytes(api.url) + " is no https:// URL of a Kubernetes API");
  }
  while (url->target.ends_with('/')) url->target.pop_back();
  return url;
}

// Opaque text of the API server's as a query's value.
std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::string_view kUnreserved = "-._~";  // beside letters and digits: RFC 3986, 2.3
  std::string out;
  for (const char c : text) {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        kUnreserved.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

std::string meaning_of(int status) {
  std::string out = "answered " + std::to_string(status);
  if (status == kUnauthorized) out += ": the token is not accepted";
  if (status == kForbidden) out += ": the service account may not list and watch pods";
  return out;
}

// What became of a request.
struct Answer {
  enum class End : std::uint8_t { kWhole, kRefused, kCut };

  int status = 0;  // 0: no head of an answer came
  End end = End::kCut;
  std::string error;  // unless it is whole
};

struct Query {
  std::string text;
  std::chrono::milliseconds read_timeout;
};

// One GET to the API server.
class Call {
 public:
  // Gives every part of a good answer's body to it, until it says no.
  using Take = std::function<bool(std::string_view)>;

  Call(const HttpUrl& url, const KubernetesApi& api, const Query& query)
      : client_(url.host, url.port) {
    client_.set_connection_timeout(api.connect_timeout);
    client_.set_read_timeout(query.read_timeout);
    client_.set_write_timeout(api.timeout);
    client_.set_follow_location(false);
    client_.set_keep_alive(false);
    client_.set_decompress(false);
    client_.set_ca_cert_path(api.ca_file.native());
    request_.method = "GET";
    request_.path = url.target + std::string(kPods) + query.text;
    request_.set_header("Host", url.authority());
    request_.set_header("Accept", "application/json");
    request_.set_header("User-Agent", "assay/" ASSAY_VERSION);
  }

  void set_token(const std::string& token) {
    request_.set_header("Authorization", "Bearer " + token);
  }

  Answer send(const std::stop_token& stop, const Take& take) && {
    Answer answer;
    bool refused = false;
    request_.response_handler = [&](const httplib::Response& response) {
      answer.status = response.status;
      return response.status == kOk;
    };
    request_.content_receiver = [&](const char* data, std::size_t size, std::uint64_t,
                                    std::uint64_t) {
      refused = stop.stop_requested() || !take({data, size});
      return !refused;
    };
    // client_.stop() ends what is under way. A request that is not yet, it cannot stop: that one finds no
    // time to wait for anything.
    client_.set_socket_options([&](socket_t) {
      if (!stop.stop_requested()) return;
      client_.set_connection_timeout(std::chrono::milliseconds(1));
      client_.set_read_timeout(std::chrono::milliseconds(1));
    });
    const std::stop_callback interrupt(stop, [this] { client_.stop(); });
    const httplib::Result result = client_.send(request_);
    if (result) answer.status = result->status;  // no handler is called for 204
    answer.end = result ? Answer::End::kWhole : refused ? Answer::End::kRefused : Answer::End::kCut;
    if (!result) answer.error = httplib::to_string(result.error());
    return answer;
  }

 private:
  httplib::SSLClient client_;
  httplib::Request request_;
};

tl::unexpected<Fault> unavailable(const HttpUrl& url, std::string_view why) {
  return fail(FaultId::kClusterUnavailable,
              url.authority() + ' ' + shorten(escape_bytes(why), 128));
}

// The answer with status 200, of which `take` has had what came, or 410, which has to be told from failures.
Result<Answer> ask(const KubernetesApi& api, const Query& query, const std::stop_token& stop,
                   const Call::Take& take) {
  ASSAY_TRY(const HttpUrl url, base_url(api));
  ASSAY_TRY(const std::string token, read_service_token(api.token_file));
  try {
    Call call(url, api, query);
    call.set_token(token);
    Answer answer = std::move(call).send(stop, take);
    if (answer.status == kOk || answer.status == kGone) return answer;
    if (answer.status != 0) return unavailable(url, meaning_of(answer.status));
    return unavailable(url, "did not answer: " + answer.error);
  } catch (const std::exception& error) {
    return unavailable(url, error.what());
  }
}

// The body of a page.
class PageBody {
 public:
  PageBody(const Clock& clock, std::chrono::nanoseconds deadline)
      : clock_(clock), deadline_(deadline) {}

  bool add(std::string_view part) {
    too_large_ = part.size() > kMaxPodPageBytes - text_.size();
    late_ = clock_.monotonic() > deadline_;
    if (too_large_ || late_) return false;
    text_.append(part);
    return true;
  }

  bool too_large() const { return too_large_; }
  bool late() const { return late_; }
  const std::string& text() const { return text_; }

 private:
  const Clock& clock_;
  std::chrono::nanoseconds deadline_;
  std::string text_;
  bool too_large_ = false;
  bool late_ = false;
};

// The lines of a watch, of which any part may come at once, and what they say.
class WatchLines {
 public:
  explicit WatchLines(const ClusterSource::TakeEvent& take) : take_(take) {}

  // False: the watch is to end.
  bool add(std::string_view part) {
    while (true) {
      const std::size_t end = part.find('\n');
      const std::string_view piece = part.substr(0, end);
      if (piece.size() > kMaxPodEventBytes - line_.size()) {
        return over(fail(FaultId::kClusterMalformed, "a line of a watch is over the size limit"));
      }
      line_.append(piece);
      if (end == std::string_view::npos) return true;
      if (!line_.empty() && !read_line()) return false;
      line_.clear();
      part.remove_prefix(end + 1);
    }
  }

  // Of a watch that nothing in its lines has ended: kOver.
  const Result<WatchEnd>& end() const { return end_; }

 private:
  bool over(Result<WatchEnd> end) {
    end_ = std::move(end);
    return false;
  }

  bool read_line() {
    auto event = parse_watch_event(as_bytes(line_));
    if (!event) return over(tl::unexpected<Fault>(std::move(event).error()));
    if (event->kind != PodEvent::Kind::kError) {
      take_(*std::move(event));
      return true;
    }
    if (event->status == kGone) return over(WatchEnd::kExpired);
    return over(fail(FaultId::kClusterUnavailable,
                     "the API ended a watch with status " + std::to_string(event->status)));
  }

  const ClusterSource::TakeEvent& take_;
  std::string line_;  // as far as it has come
  Result<WatchEnd> end_ = WatchEnd::kOver;
};

}  // namespace

Result<std::string> read_service_token(const std::filesystem::path& path) {
  ASSAY_TRY(const std::string content, read_public_file(path));
  const std::size_t first = content.find_first_not_of(kSpace);
  if (first == std::string::npos) {
    return fail(FaultId::kConfigInvalid, escape_bytes(path.native()) + " holds no token");
  }
  std::string token = content.substr(first, content.find_last_not_of(kSpace) + 1 - first);
  const bool good = token.size() <= kMaxServiceTokenBytes &&
                    std::ranges::all_of(token, [](char c) { return c > ' ' && c <= '~'; });
  if (good) return token;
  return fail(FaultId::kConfigInvalid,
              escape_bytes(path.native()) + " holds no token of at most 16 KiB of printable ASCII");
}

Status check_kubernetes_api(const KubernetesApi& api) {
  ASSAY_OK(base_url(api));
  ASSAY_OK(check_ca_file(api.ca_file, "the Kubernetes API's"));
  ASSAY_OK(read_service_token(api.token_file));
  return {};
}

Result<PodList> PodWatch::list(const std::string& continue_token, const std::stop_token& stop) {
  while (true) {
    Query query{.text = "?limit=" + std::to_string(page_limit_), .read_timeout = api_.timeout};
    if (!continue_token.empty()) query.text += "&continue=" + percent_encode(continue_token);
    PageBody body(clock_, clock_.monotonic() + api_.timeout);
    ASSAY_TRY(const Answer answer,
              ask(api_, query, stop, [&body](std::string_view part) { return body.add(part); }));
    if (answer.status == kGone) {
      return fail(FaultId::kClusterUnavailable, "the list has expired before its last page");
    }
    if (answer.end == Answer::End::kWhole) return parse_pod_list(as_bytes(body.text()));
    if (body.late()) return fail(FaultId::kClusterUnavailable, "a page of the list takes too long");
    if (!body.too_large()) {
      return fail(FaultId::kClusterUnavailable, "a page of the list broke off: " + answer.error);
    }
    if (page_limit_ == 1) return fail(FaultId::kClusterMalformed, "a pod is over the size limit");
    page_limit_ /= 2;
  }
}

Result<WatchEnd> PodWatch::watch(const std::string& resource_version, const TakeEvent& take,
                                 const std::stop_token& stop) {
  const Query query{.text = "?watch=1&allowWatchBookmarks=true&timeoutSeconds=" +
                            std::to_string(api_.watch_period.count()) +
                            "&resourceVersion=" + percent_encode(resource_version),
                    .read_timeout = api_.watch_period + api_.watch_grace};
  WatchLines lines(take);
  ASSAY_TRY(const Answer answer,
            ask(api_, query, stop, [&lines](std::string_view part) { return lines.add(part); }));
  if (answer.status == kGone) return WatchEnd::kExpired;
  return lines.end();
}

}  // namespace assay
