// An HTTP port of a test's own, with a certificate for localhost.
#pragma once

#include <doctest/doctest.h>
#include <httplib.h>

#include <atomic>
#include <optional>
#include <string>
#include <utility>

#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"
#include "tests/verifier/services/golden_case.h"
#include "verifier/http/admin_http.h"

namespace assay::testing {

struct AdminCase {
  explicit AdminCase(const ConnectionLimits& limits = {}) {
    auto listening = AdminHttp::listen({.port = 0, .limits = limits}, world());
    REQUIRE_MESSAGE(listening, listening.error().detail);
    admin.emplace(*std::move(listening));
  }

  AdminHttpWorld world() const {
    return {metrics,
            [this]() -> Status {
              if (ready) return {};
              return fail(FaultId::kStoreFull, "no space left");
            },
            api, identity, clock};
  }

  httplib::Response get(const std::string& target) const {
    httplib::Client client("127.0.0.1", admin->port());
    const auto result = client.Get(target);
    REQUIRE(result);
    return *result;
  }

  Metrics metrics;
  GoldenCase golden;
  RestApi api{{golden.sets, golden.store, golden.operators, golden.clock}};
  std::atomic<bool> ready = true;
  SystemClock clock;
  TestCa ca;
  TestCa::Identity server = ca.issue("DNS:localhost,IP:127.0.0.1");
  TestCa client_ca;  // golden.clients is for a test to fill
  TlsIdentity identity =
      *TlsIdentity::load(server.certificate_pem, server.key_pem, client_ca.certificate_pem());
  std::optional<AdminHttp> admin;
};

}  // namespace assay::testing
