#include "verifier/sessions/conversation.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "tests/support/fault_of.h"

using namespace assay;
using assay::testing::fault_of;

namespace {

constexpr std::uint64_t kId = 5;

Conversation begun() {
  Conversation out;
  out.begin(kId, {.max_log_bytes = 100});
  return out;
}

Conversation quoted() {
  Conversation out = begun();
  REQUIRE(out.on_quote(kId, {}).has_value());
  return out;
}

}  // namespace

TEST_CASE("Conversation: quote, chunks and end make an answer, and it is idle again") {
  Conversation talk = begun();
  CHECK(talk.on_quote(kId, {.attest = {1}, .signature = {2}, .pcrs = {}}).has_value());
  CHECK(talk.on_log_chunk(kId, Bytes{3, 4}).has_value());
  CHECK(talk.on_log_chunk(kId, Bytes{5}).has_value());
  auto answer = talk.on_end(kId, {.log_bytes = 3});
  REQUIRE(answer.has_value());
  CHECK(answer->quote.attest == Bytes{1});
  CHECK(to_hex(answer->ima_log.view().value()) == "030405");
  CHECK_FALSE(answer->boot_log.has_value());
  CHECK(talk.state() == Conversation::State::kIdle);
  talk.begin(6, {.max_log_bytes = 100});
  CHECK(talk.on_quote(6, {}).has_value());
  CHECK(talk.on_end(6, {})->ima_log.empty());
}

TEST_CASE("Conversation: a boot log that is asked for comes before the log, or is empty") {
  const auto with_both_logs = [] {
    Conversation out;
    out.begin(kId, {.max_log_bytes = 100, .max_boot_log_bytes = 10});
    REQUIRE(out.on_quote(kId, {}).has_value());
    CHECK(out.on_boot_log_chunk(kId, Bytes{1, 2}).has_value());
    CHECK(fault_of(out.on_boot_log_chunk(kId, Bytes(9))) == FaultId::kEvidenceTooLarge);
    CHECK(out.on_log_chunk(kId, Bytes{3}).has_value());
    CHECK(fault_of(out.on_boot_log_chunk(kId, Bytes{4})) == FaultId::kEvidenceMalformed);
    return out;
  };
  CHECK(fault_of(with_both_logs().on_end(kId, {.log_bytes = 1})) == FaultId::kEvidenceMalformed);
  CHECK(fault_of(with_both_logs().on_end(
            kId, {.log_bytes = 1, .boot_log_bytes = 2, .command_line = Bytes(4097)})) ==
        FaultId::kEvidenceTooLarge);
  Conversation talk = with_both_logs();
  const auto answer =
      talk.on_end(kId, {.log_bytes = 1, .boot_log_bytes = 2, .command_line = {'q'}});
  REQUIRE(answer.has_value());
  CHECK(answer->boot_log == Bytes{1, 2});
  CHECK(answer->command_line == Bytes{'q'});

  talk.begin(kId, {.max_log_bytes = 100, .max_boot_log_bytes = 10});
  REQUIRE(talk.on_quote(kId, {}).has_value());
  CHECK(talk.on_end(kId, {})->boot_log == Bytes{});
}

TEST_CASE("Conversation: an answer holds no log that was not asked for") {
  Conversation talk;
  talk.begin(kId, {.quote_only = true});
  REQUIRE(talk.on_quote(kId, {}).has_value());
  CHECK(fault_of(talk.on_log_chunk(kId, Bytes{1})) == FaultId::kEvidenceMalformed);
  CHECK(fault_of(talk.on_boot_log_chunk(kId, Bytes{1})) == FaultId::kEvidenceMalformed);
  CHECK(fault_of(talk.on_end(kId, {.command_line = {'q'}})) == FaultId::kEvidenceMalformed);
  CHECK(talk.on_end(kId, {}).has_value());
}

TEST_CASE("Conversation: pod claims come once, behind the log, and are part of the answer") {
  Conversation talk = quoted();
  CHECK(talk.on_log_chunk(kId, Bytes{3}).has_value());
  CHECK(fault_of(talk.on_pod_claims(kId + 1, {})) == FaultId::kEvidenceMalformed);
  CHECK(talk.on_pod_claims(kId, {.pods = {{"a", {1}}}, .incomplete = true}).has_value());
  CHECK(fault_of(talk.on_pod_claims(kId, {})) == FaultId::kEvidenceMalformed);
  CHECK(fault_of(talk.on_log_chunk(kId, Bytes{4})) == FaultId::kEvidenceMalformed);
  CHECK(fault_of(talk.on_boot_log_chunk(kId, Bytes{4})) == FaultId::kEvidenceMalformed);
  const auto answer = talk.on_end(kId, {.log_bytes = 1});
  REQUIRE(answer.has_value());
  REQUIRE(answer->pod_claims.has_value());
  CHECK(answer->pod_claims->pods[0].mapping == Bytes{1});
  CHECK(answer->pod_claims->incomplete);
  CHECK(talk.state() == Conversation::State::kIdle);

  talk.begin(6, {.max_log_bytes = 100});
  CHECK(fault_of(talk.on_pod_claims(6, {})) == FaultId::kEvidenceMalformed);
  REQUIRE(talk.on_quote(6, {}).has_value());
  CHECK_FALSE(talk.on_end(6, {})->pod_claims.has_value());
}

TEST_CASE("Conversation: a proof of who it is holds no pod claims") {
  Conversation talk;
  talk.begin(kId, {.quote_only = true});
  REQUIRE(talk.on_quote(kId, {}).has_value());
  CHECK(fault_of(talk.on_pod_claims(kId, {})) == FaultId::kEvidenceMalformed);
}

TEST_CASE("Conversation: pod claims have limits") {
  const PodClaims::Pod full{.uid = std::string(kMaxPodUidBytes, 'a'), .mapping = Bytes(220)};
  static_assert(kMaxClaimedPods * (kMaxPodUidBytes + 220) == kMaxPodClaimsBytes);
  PodClaims most;
  most.pods.assign(kMaxClaimedPods, full);
  PodClaims more_bytes = most;
  more_bytes.pods[7].mapping.push_back(0);
  PodClaims more_pods;
  more_pods.pods.resize(kMaxClaimedPods + 1);
  const PodClaims long_uid{.pods = {{std::string(kMaxPodUidBytes + 1, 'a'), {}}}};
  const PodClaims long_mapping{.pods = {{"a", Bytes(4097)}}};
  for (const PodClaims& claims : {more_bytes, more_pods, long_uid, long_mapping}) {
    CHECK(fault_of(quoted().on_pod_claims(kId, claims)) == FaultId::kEvidenceTooLarge);
  }
  CHECK(quoted().on_pod_claims(kId, most).has_value());
  CHECK(quoted().on_pod_claims(kId, {.pods = {{"a", Bytes(4096)}}}).has_value());
}

TEST_CASE("Conversation: a refusal ends the answer at any point") {
  for (const auto make : {begun, quoted}) {
    Conversation talk = make();
    CHECK(talk.on_refusal(kId).has_value());
    CHECK(talk.state() == Conversation::State::kIdle);
  }
}

TEST_CASE("Conversation: what may not come now is a fault of its own") {
  struct Row {
    std::string name;
    std::function<Status()> act;
    FaultId want;
  };
  Conversation idle;
  Conversation waiting = begun();
  Conversation receiving = quoted();
  const auto end_of = [](Conversation& talk, std::uint64_t id, std::uint64_t size) -> Status {
    const auto answer = talk.on_end(id, {.log_bytes = size});
    if (!answer) return tl::unexpected<Fault>(answer.error());
    return {};
  };
  const Row rows[] = {
      {"a quote that nobody asked for", [&] { return idle.on_quote(kId, {}); },
       FaultId::kEvidenceMalformed},
      {"a chunk that nobody asked for", [&] { return idle.on_log_chunk(kId, Bytes{1}); },
       FaultId::kEvidenceMalformed},
      {"an end that nobody asked for", [&] { return end_of(idle, kId, 0); },
       FaultId::kEvidenceMalformed},
      {"a refusal of nothing", [&] { return idle.on_refusal(kId); }, FaultId::kEvidenceMalformed},
      {"a chunk before the quote", [&] { return waiting.on_log_chunk(kId, Bytes{1}); },
       FaultId::kEvidenceMalformed},
      {"an end before the quote", [&] { return end_of(waiting, kId, 0); },
       FaultId::kEvidenceMalformed},
      {"a quote for another challenge", [&] { return waiting.on_quote(kId - 1, {}); },
       FaultId::kEvidenceMalformed},
      {"a refusal of another challenge", [&] { return waiting.on_refusal(kId - 1); },
       FaultId::kEvidenceMalformed},
      {"a second quote", [&] { return receiving.on_quote(kId, {}); }, FaultId::kEvidenceMalformed},
      {"a chunk for another challenge", [&] { return receiving.on_log_chunk(9, Bytes{1}); },
       FaultId::kEvidenceMalformed},
      {"an empty chunk", [&] { return receiving.on_log_chunk(kId, {}); },
       FaultId::kEvidenceMalformed},
      {"a chunk over 256 KiB",
       [&] { return receiving.on_log_chunk(kId, Bytes(kMaxChunkBytes + 1)); },
       FaultId::kEvidenceMalformed},
      {"a log over the limit", [&] { return receiving.on_log_chunk(kId, Bytes(101)); },
       FaultId::kEvidenceTooLarge},
      {"an end with another size", [&] { return end_of(receiving, kId, 1); },
       FaultId::kEvidenceMalformed},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Status got = row.act();
    REQUIRE_FALSE(got.has_value());
    CHECK(fault_name(got.error().id) == fault_name(row.want));
  }
}

TEST_CASE("Conversation: a log may fill the limit exactly, in any number of chunks") {
  Conversation talk = quoted();
  for (int i = 0; i < 100; ++i) CHECK(talk.on_log_chunk(kId, Bytes{1}).has_value());
  const Status over = talk.on_log_chunk(kId, Bytes{1});
  REQUIRE_FALSE(over.has_value());
  CHECK(over.error().id == FaultId::kEvidenceTooLarge);
}
