// The REST API: what is below /api/ on the HTTP port.
#pragma once

#include "verifier/clock.h"
#include "verifier/http/exchange.h"
#include "verifier/http/message.h"
#include "verifier/services/golden_sets.h"
#include "verifier/services/operator_token.h"
#include "verifier/store/store.h"

namespace assay {

// The OpenAPI document of all that RestApi answers, in JSON.
std::string_view openapi_document();

// Safe from any thread; borrows what it is given.
//
//   GET  /api/v1/openapi.json   to anybody
//   GET  /api/v1/golden/sets    to operators, and privately only
//   POST /api/v1/golden/sets    likewise to pushers: a body that is GoldenService.Push's file
//
// Whatever carries a token is refused where others could read it on its way: plain HTTP from another
// machine. Who asks is known before a body is read, and before anything else is said.
class RestApi {
 public:
  struct World {
    GoldenSets& golden;
    Store& store;
    const OperatorToken& operators;
    const Clock& clock;
  };
  explicit RestApi(const World& world) : world_(world) {}

  HttpReply begin(const HttpRequest& request, Privacy privacy) const;

 private:
  HttpReply list_sets(const HttpRequest& request) const;
  HttpReply push_set(const HttpRequest& request) const;

  const World world_;
};

}  // namespace assay
