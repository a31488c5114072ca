// Golden sets in a store of a test's own, with the operators' token and push tokens.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/golden_file.h"
#include "tests/support/temp_dir.h"
#include "verifier/access/push_token.h"
#include "verifier/services/golden_sets.h"

namespace assay::testing {

struct GoldenCase final : GoldenSink {
  static constexpr std::string_view kOperators = "Bearer operators-secret-operators-secret";

  TempDir dir;
  FakeClock clock;
  Store store = *Store::open(dir / "d.db", {});
  GoldenIndex index{7};
  OperatorToken operators{kOperators.substr(7)};
  Identities identities;
  std::vector<ClientAuthority> clients;
  Pushers pushers{store, clock, operators, identities, clients};
  PushRules rules;
  GoldenWorld world{store, index, *this, clock, operators, pushers, rules, [this] { ++changes; }};
  GoldenSets sets{world};
  int changes = 0;
  std::uint64_t counting = 0;

  void golden_changed(const GoldenIndex::Contents& contents) override { counting = contents.sets; }

  // "Bearer " and a push token for `scope`, which lasts for an hour.
  std::string ci(const std::string& scope) {
    const std::string secret = make_push_token();
    REQUIRE(store.add_push_token({.name = "ci",
                                  .scopes = {scope},
                                  .created_at = clock.now(),
                                  .expires_at = clock.now() + std::chrono::hours(1)},
                                 push_token_hash(secret), "operator"));
    return "Bearer " + secret;
  }

  Result<OpenPush> open(std::string_view authorization) {
    return sets.open_push({authorization}, clock.now() + kLongestPush);
  }
};

// The file of a set with one file in it.
inline std::string set_text(const std::string& name, const std::string& content) {
  return format_golden_set({.name = name, .source = "rootfs", .files = {file("/bin/a", content)}});
}

}  // namespace assay::testing
