#include "agent/codec.h"

#include <doctest/doctest.h>

#include <limits>

#include "assay/v1/agent.pb.h"

namespace assay::agent {
namespace {

v1::VerifierMessage good_challenge() {
  v1::VerifierMessage out;
  v1::Challenge& challenge = *out.mutable_challenge();
  challenge.set_id(7);
  challenge.set_nonce(std::string(32, 'n'));
  v1::PcrBank& bank = *challenge.add_selection();
  bank.set_bank(v1::HASH_ALGORITHM_SHA256);
  bank.add_indices(0);
  bank.add_indices(10);
  challenge.set_first_entry(3);
  challenge.set_first_byte(300);
  challenge.set_max_log_bytes(1000);
  return out;
}

TEST_CASE("decode: a challenge keeps everything that it asks for") {
  const auto got = std::get<ReceivedChallenge>(decode(good_challenge()));
  CHECK(got.id == 7);
  REQUIRE(got.asked.has_value());
  CHECK(as_text(got.asked->nonce.bytes()) == std::string(32, 'n'));
  CHECK(got.asked->selection == PcrSelection{{HashAlg::kSha256, PcrIndex::of<0>()},
                                             {HashAlg::kSha256, PcrIndex::of<10>()}});
  CHECK(got.asked->first_entry == 3);
  CHECK(got.asked->first_byte == 300);
  CHECK(got.asked->max_log_bytes == 1000);
}

TEST_CASE("decode: a challenge that cannot be answered keeps its id and says why") {
  struct Row {
    std::string name;
    void (*edit)(v1::Challenge&);
    std::string says;
  };
  const Row rows[] = {
      {"no nonce", [](v1::Challenge& c) { c.clear_nonce(); }, "nonce has 0 bytes"},
      {"a short nonce", [](v1::Challenge& c) { c.set_nonce("1234567"); }, "nonce has 7 bytes"},
      {"a long nonce", [](v1::Challenge& c) { c.set_nonce(std::string(65, 'n')); }, "nonce has 65"},
      {"no selection", [](v1::Challenge& c) { c.clear_selection(); }, "selects no PCR"},
      {"an empty bank", [](v1::Challenge& c) { c.mutable_selection(0)->clear_indices(); },
       "selects no PCR"},
      {"an unnamed bank",
       [](v1::Challenge& c) { c.mutable_selection(0)->set_bank(v1::HASH_ALGORITHM_UNSPECIFIED); },
       "unknown PCR bank"},
      {"a bank of the future",
       [](v1::Challenge& c) {
         c.mutable_selection(0)->set_bank(static_cast<v1::HashAlgorithm>(99));
       },
       "unknown PCR bank"},
      {"a PCR that does not exist",
       [](v1::Challenge& c) { c.mutable_selection(0)->add_indices(24); },
       "PCR 24, which no TPM has"},
      {"a PCR twice", [](v1::Challenge& c) { c.mutable_selection(0)->add_indices(10); },
       "PCR 10 twice"},
      {"a bank twice", [](v1::Challenge& c) { *c.add_selection() = c.selection(0); },
       "PCR 0 twice"},
      {"an offset that no file has",
       [](v1::Challenge& c) { c.set_first_byte(std::numeric_limits<std::uint64_t>::max()); },
       "a byte that no log has"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    v1::VerifierMessage message = good_challenge();
    row.edit(*message.mutable_challenge());
    const auto got = std::get<ReceivedChallenge>(decode(message));
    CHECK(got.id == 7);
    REQUIRE_FALSE(got.asked.has_value());
    CHECK(got.asked.error().id == FaultId::kRequestInvalid);
    CAPTURE(got.asked.error().detail);
    CHECK(got.asked.error().detail.find(row.says) != std::string::npos);
  }
}

TEST_CASE("decode: the shortest and the longest nonce that a TPM takes") {
  for (const std::size_t size : {8, 64}) {
    v1::VerifierMessage message = good_challenge();
    message.mutable_challenge()->set_nonce(std::string(size, 'n'));
    CHECK(std::get<ReceivedChallenge>(decode(message)).asked.has_value());
  }
}

TEST_CASE("decode: an outcome's words are safe for a log") {
  v1::VerifierMessage message;
  message.mutable_outcome()->set_challenge_id(7);
  message.mutable_outcome()->set_state("trusted\n\x1b[31m");
  message.mutable_outcome()->set_faults_total(2);
  message.mutable_outcome()->set_first_fault(std::string(1000, 'x'));
  const auto got = std::get<Outcome>(decode(message));
  CHECK(got.challenge_id == 7);
  CHECK(got.state == "trusted\\x0a\\x1b[31m");
  CHECK(got.faults_total == 2);
  CHECK(got.first_fault.size() <= 64);
}

TEST_CASE("decode: a message that only a newer verifier knows is nothing") {
  CHECK(std::holds_alternative<std::monostate>(decode({})));
}

TEST_CASE("encode: every message keeps everything that it says") {
  v1::AgentMessage out;
  encode(Hello{.ak_public = {1, 2}, .agent_version = "1.0"}, out);
  CHECK(out.hello().ak_public() == "\x01\x02");
  CHECK(out.hello().agent_version() == "1.0");

  PcrValues pcrs;
  for (const HashAlg bank : kAllHashAlgs)
    pcrs.emplace(PcrSlot{bank, kImaPcr}, Digest::filled(bank, 'p'));
  encode(QuoteMessage{.challenge_id = 7, .quote = {.attest = {3}, .signature = {4}, .pcrs = pcrs}},
         out);
  CHECK_FALSE(out.has_hello());
  CHECK(out.quote().challenge_id() == 7);
  CHECK(out.quote().attest() == "\x03");
  CHECK(out.quote().signature() == "\x04");
  REQUIRE(out.quote().pcrs_size() == 4);
  CHECK(out.quote().pcrs(0).bank() == v1::HASH_ALGORITHM_SHA1);
  CHECK(out.quote().pcrs(1).bank() == v1::HASH_ALGORITHM_SHA256);
  CHECK(out.quote().pcrs(2).bank() == v1::HASH_ALGORITHM_SHA384);
  CHECK(out.quote().pcrs(3).bank() == v1::HASH_ALGORITHM_SHA512);
  CHECK(out.quote().pcrs(3).index() == 10);
  CHECK(out.quote().pcrs(3).value() == std::string(64, 'p'));

  encode(LogChunk{.challenge_id = 8, .bytes = {0, 5}}, out);
  CHECK(out.log_chunk().challenge_id() == 8);
  CHECK(out.log_chunk().data() == std::string("\0\x05", 2));
  encode(PodClaimsMessage{.challenge_id = 8,
                          .claims = {.pods = {{"a-1", {'{', 0}}, {"b", {}}}, .incomplete = true}},
         out);
  CHECK(out.pod_claims().challenge_id() == 8);
  CHECK(out.pod_claims().incomplete());
  REQUIRE(out.pod_claims().pods_size() == 2);
  CHECK(out.pod_claims().pods(0).pod_uid() == "a-1");
  CHECK(out.pod_claims().pods(0).mapping() == std::string("{\0", 2));
  CHECK(out.pod_claims().pods(1).pod_uid() == "b");
  encode(End{.challenge_id = 9, .log_bytes = 10}, out);
  CHECK(out.end().challenge_id() == 9);
  CHECK(out.end().log_bytes() == 10);
  encode(Refusal{.challenge_id = 11, .reason = "no"}, out);
  CHECK(out.refusal().challenge_id() == 11);
  CHECK(out.refusal().reason() == "no");
  encode(Hint{.measurements = 12}, out);
  CHECK(out.hint().measurements() == 12);
}

}  // namespace
}  // namespace assay::agent
