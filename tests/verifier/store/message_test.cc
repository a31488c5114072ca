#include "verifier/store/message.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

namespace assay {
namespace {

using nlohmann::json;

constexpr Instant kAt{std::chrono::milliseconds(1'763'921'237'804)};

ViolationRecord violation(Fault fault) {
  return {.id = ViolationId{7}, .node = "n1", .fault = std::move(fault), .detected_at = kAt};
}

TEST_CASE("format_rfc3339: UTC with milliseconds") {
  CHECK(format_rfc3339(kAt) == "2025-11-23T18:07:17.804Z");
  CHECK(format_rfc3339(Instant{}) == "1970-01-01T00:00:00.000Z");
  CHECK(format_rfc3339(Instant(std::chrono::milliseconds(1'709'164'800'007))) ==
        "2024-02-29T00:00:00.007Z");
}

TEST_CASE("format_violation: says what, where, on which node, and since when") {
  const json message =
      json::parse(format_violation(violation({.id = FaultId::kImaUnknownDigest,
                                              .entry = 57,
                                              .path = "/bin/x",
                                              .digest = Digest::filled(HashAlg::kSha256, 0xab),
                                              .detail = "in no golden set"}),
                                   NodeState::kCompromised));
  const json want = {{"type", "assay.violation.detected"},
                     {"timestamp", "2025-11-23T18:07:17.804Z"},
                     {"data",
                      {{"id", 7},
                       {"node", "n1"},
                       {"fault",
                        {{"id", "ima.unknown_digest"},
                         {"severity", "critical"},
                         {"entry", 57},
                         {"path", "/bin/x"},
                         {"digest", format_digest(Digest::filled(HashAlg::kSha256, 0xab))},
                         {"detail", "in no golden set"}}},
                       {"state", "compromised"},
                       {"detected_at", "2025-11-23T18:07:17.804Z"}}}};
  CHECK(message == want);
}

TEST_CASE("format_violation: what a fault does not have is null") {
  const json fault = json::parse(format_violation(violation({.id = FaultId::kImaPcrMismatch}),
                                                  NodeState::kCompromised))["data"]["fault"];
  CHECK(fault["entry"].is_null());
  CHECK(fault["digest"].is_null());
  CHECK(fault["path"] == "");
}

TEST_CASE("format_violation: a hostile file name is escaped") {
  const json message = json::parse(format_violation(
      violation({.id = FaultId::kImaUnknownDigest, .path = "/a';\n\x1b[31m\"\xff\\"}),
      NodeState::kCompromised));
  CHECK(message["data"]["fault"]["path"] == R"(/a';\x0a\x1b[31m"\xff\\)");
}

TEST_CASE("format_violation: the longest and worst names stay under 20 kB and are valid JSON") {
  for (const char c : {'\\', '\xff', '"', '\x01', 'a'}) {
    CAPTURE(static_cast<int>(c));
    const std::string text = format_violation(violation({.id = FaultId::kImaUnknownDigest,
                                                         .path = std::string(1 << 20, c),
                                                         .detail = std::string(1 << 20, c)}),
                                              NodeState::kCompromised);
    CHECK(text.size() < 20'000);
    CHECK(json::accept(text));
  }
}

TEST_CASE("format_state_change: says from what to what") {
  const json message = json::parse(format_state_change({.node = "n1",
                                                        .from = NodeState::kTrusted,
                                                        .to = NodeState::kStale,
                                                        .faults_total = 3,
                                                        .at = kAt}));
  CHECK(
      message ==
      json{{"type", "assay.node.state_changed"},
           {"timestamp", "2025-11-23T18:07:17.804Z"},
           {"data", {{"node", "n1"}, {"from", "trusted"}, {"to", "stale"}, {"faults_total", 3}}}});
}

TEST_CASE("format_summary: says how many, and since when") {
  const json message = json::parse(format_summary({.node = "n1",
                                                   .state = NodeState::kCompromised,
                                                   .since = Instant{},
                                                   .violations = 9,
                                                   .state_changes = 2,
                                                   .at = kAt}));
  CHECK(message == json{{"type", "assay.violation.summary"},
                        {"timestamp", "2025-11-23T18:07:17.804Z"},
                        {"data",
                         {{"node", "n1"},
                          {"state", "compromised"},
                          {"since", "1970-01-01T00:00:00.000Z"},
                          {"violations", 9},
                          {"state_changes", 2}}}});
}

}  // namespace
}  // namespace assay
