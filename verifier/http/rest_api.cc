#include "verifier/http/rest_api.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "verifier/store/message.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

// A body ends as a push has to, and a push's limit is the one that counts.
static_assert(BodyLimits{}.time <= kLongestPush);
static_assert(BodyLimits{}.bytes > kMaxEnvelopeBytes);

constexpr std::string_view kOpenApi = "/api/v1/openapi.json";
constexpr std::string_view kSets = "/api/v1/golden/sets";
constexpr std::array<std::string_view, 3> kSetTypes = {
    "application/json", "application/vnd.in-toto+json", "application/vnd.dsse.envelope.v1+json"};

Json time_or_null(const std::optional<Instant>& at) {
  return at ? Json(format_rfc3339(*at)) : Json(nullptr);
}

// As `assay golden list --json` has it.
Json to_json(const GoldenRecord& set) {
  return {{"name", set.name},
          {"digest", format_digest(set.digest)},
          {"generation", set.generation},
          {"files", set.files},
          {"hashes", set.hashes},
          {"signers", set.signers},
          {"source", set.source},
          {"pushed_at", format_rfc3339(set.pushed_at)},
          {"pushed_by", set.pushed_by},
          {"signed_by", set.signed_by},
          {"state", golden_state_name(set.state)},
          {"state_since", format_rfc3339(set.state_since)},
          {"state_by", set.state_by},
          {"reason", set.reason.empty() ? Json(nullptr) : Json(escape_bytes(set.reason))},
          {"golden_until", time_or_null(set.golden_until)},
          {"approved_by", set.approved_by.empty() ? Json(nullptr) : Json(set.approved_by)},
          {"approved_at", time_or_null(set.approved_at)}};
}

HttpAnswer json_answer(int status, const Json& body) {
  return {.status = status,
          .body = body.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n',
          .headers = {{"Cache-Control", "no-store"}}};
}

// The header that gRPC calls metadata. What a fault says of it is about command lines.
HttpAnswer refusal(Fault fault) {
  if (fault.id == FaultId::kUnauthenticated) {
    fault.detail = "give a token in the header Authorization: Bearer …, or a client certificate";
  }
  return problem_of(fault);
}

// The media type without its parameters; nothing is taken for JSON.
bool is_set_type(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type.empty() || std::ranges::find(kSetTypes, type) != kSetTypes.end();
}

// An option that is misspelt would be one that is not there: a draft would count.
Result<PushWishes> read_wishes(const HttpRequest& request) {
  PushWishes wishes;
  ASSAY_TRY(wishes.idempotency_key, single_header(request, "idempotency-key"));
  for (const auto& [name, value] : request.query) {
    const bool known = name == "draft" && request.query.size() == 1;
    if (!known || (value != "true" && value != "false")) {
      return fail(FaultId::kRequestInvalid, "a push takes ?draft=true, or false, and nothing else");
    }
    wishes.draft = value == "true";
  }
  return wishes;
}

class PushUpload final : public HttpUpload {
 public:
  PushUpload(OpenPush push, PushWishes wishes)
      : push_(std::move(push)), wishes_(std::move(wishes)) {}

  Status expect(std::uint64_t bytes) override { return push_.expect(bytes); }
  Status add(ByteView piece) override { return push_.add(piece); }
  HttpAnswer finish() override {
    const auto pushed = push_.store(wishes_);
    if (!pushed) return refusal(pushed.error());
    return json_answer(pushed->changed ? 201 : 200, to_json(pushed->set));
  }

 private:
  OpenPush push_;
  const PushWishes wishes_;
};

}  // namespace

HttpReply RestApi::begin(const HttpRequest& request, Privacy privacy) const {
  const bool reading = request.method == "GET" || request.method == "HEAD";
  if (request.path == kOpenApi) {
    if (!reading) return wrong_method(request, "GET, HEAD");
    return HttpAnswer{.body = std::string(openapi_document())};
  }
  if (request.path != kSets) {
    return problem(404, "there is nothing here; /api/v1/openapi.json says what the API has");
  }
  if (privacy != Privacy::kPrivate) {
    return problem(403,
                   "a token that comes in plain HTTP from another machine is no secret: use "
                   "https:// on this port, and replace the token");
  }
  if (reading) return list_sets(request);
  if (request.method == "POST") return push_set(request);
  return wrong_method(request, "GET, HEAD, POST");
}

HttpReply RestApi::list_sets(const HttpRequest& request) const {
  const auto authorization = single_header(request, "authorization");
  if (!authorization) return problem_of(authorization.error());
  if (!world_.operators.accepts(*authorization)) {
    return refusal({.id = FaultId::kUnauthenticated});
  }
  const auto sets = world_.store.golden_sets();
  if (!sets) return problem_of(sets.error());
  Json list = Json::array();
  for (const GoldenRecord& set : *sets) list.push_back(to_json(set));
  return json_answer(200, {{"sets", std::move(list)}});
}

HttpReply RestApi::push_set(const HttpRequest& request) const {
  const auto authorization = single_header(request, "authorization");
  if (!authorization) return problem_of(authorization.error());
  // A browser shows its user's certificate to whatever a page makes it ask.
  const bool of_page = request.headers.contains("origin");
  auto push = world_.golden.open_push(
      {.authorization = *authorization,
       .client_chain = of_page ? std::string_view() : std::string_view(request.client_chain)},
      world_.clock.now() + kLongestPush);
  if (!push) return refusal(push.error());
  const auto type = single_header(request, "content-type");
  if (!type) return problem_of(type.error());
  if (!is_set_type(*type)) {
    return problem(415, "a set is application/json: curl --json @FILE, or --upload-file FILE");
  }
  auto wishes = read_wishes(request);
  if (!wishes) return problem_of(wishes.error());
  return std::make_unique<PushUpload>(*std::move(push), *std::move(wishes));
}

}  // namespace assay
