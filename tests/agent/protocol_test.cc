#include "agent/protocol.h"

#include <doctest/doctest.h>

namespace assay::agent {
namespace {

constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 40;

ReceivedChallenge challenge(std::uint64_t id, std::uint64_t first_byte = 0,
                            std::uint64_t max_log_bytes = kNoLimit) {
  return {
      .id = id,
      .asked = Challenge{.nonce = *Nonce::from(Bytes(kNonceSize, static_cast<std::uint8_t>(id))),
                         .selection = default_selection(HashAlg::kSha256),
                         .first_entry = 0,
                         .first_byte = first_byte,
                         .max_log_bytes = max_log_bytes}};
}

// The next action, which has to be a T.
template <typename T>
T next(Protocol& protocol) {
  Action action = protocol.next();
  REQUIRE(std::holds_alternative<T>(action));
  return std::get<T>(std::move(action));
}

// The next action, which has to send a T; it is on its way when this returns.
template <typename T>
T sent(Protocol& protocol) {
  Message message = next<Message>(protocol);
  REQUIRE(std::holds_alternative<T>(message));
  next<Wait>(protocol);  // one message at a time
  protocol.written();
  return std::get<T>(std::move(message));
}

Protocol greeted() {
  Protocol out({.ak_public = {1, 2, 3}, .agent_version = "1.0"});
  sent<Hello>(out);
  return out;
}

TakenQuote quote_at(std::uint64_t measurements) {
  return {.measurements = measurements, .quote = {.attest = {1}, .signature = {2}, .pcrs = {}}};
}

// Answers `asked` with a quote and an empty log.
void answer(Protocol& protocol, ReceivedChallenge asked, std::uint64_t measurements = 1) {
  protocol.challenged(std::move(asked));
  next<TakeQuote>(protocol);
  protocol.quoted(quote_at(measurements));
  sent<QuoteMessage>(protocol);
  next<ReadLog>(protocol);
  protocol.read(Bytes{});
  sent<End>(protocol);
}

TEST_CASE("Protocol: the first message says who we are, and then we wait") {
  Protocol protocol({.ak_public = {1, 2, 3}, .agent_version = "1.0"});
  const auto hello = sent<Hello>(protocol);
  CHECK(hello.ak_public == Bytes{1, 2, 3});
  CHECK(hello.agent_version == "1.0");
  next<Wait>(protocol);
}

TEST_CASE(
    "Protocol: a challenge is answered with a quote, the log from the byte asked for, and an end") {
  Protocol protocol = greeted();
  protocol.challenged(challenge(7, 100));
  CHECK(next<TakeQuote>(protocol).challenge.nonce.bytes()[0] == 7);
  protocol.quoted(quote_at(5));
  const auto quote = sent<QuoteMessage>(protocol);
  CHECK(quote.challenge_id == 7);
  CHECK(quote.quote.attest == Bytes{1});

  CHECK(next<ReadLog>(protocol).offset == 100);
  CHECK(next<ReadLog>(protocol).size == kMaxChunkBytes);
  protocol.read(Bytes(kMaxChunkBytes, 1));
  const auto first = sent<LogChunk>(protocol);
  CHECK(first.challenge_id == 7);
  CHECK(first.bytes == Bytes(kMaxChunkBytes, 1));

  CHECK(next<ReadLog>(protocol).offset == 100 + kMaxChunkBytes);
  protocol.read(Bytes{9, 9});
  CHECK(sent<LogChunk>(protocol).bytes == Bytes{9, 9});

  const auto end = sent<End>(protocol);
  CHECK(end.challenge_id == 7);
  CHECK(end.log_bytes == kMaxChunkBytes + 2);
  next<Wait>(protocol);
}

TEST_CASE("Protocol: a log without news is answered with no chunk") {
  Protocol protocol = greeted();
  protocol.challenged(challenge(1, 1 << 20));
  next<TakeQuote>(protocol);
  protocol.quoted(quote_at(5));
  sent<QuoteMessage>(protocol);
  next<ReadLog>(protocol);
  protocol.read(Bytes{});
  CHECK(sent<End>(protocol).log_bytes == 0);
}

TEST_CASE("Protocol: the log is read only when the part before is on its way") {
  Protocol protocol = greeted();
  protocol.challenged(challenge(1));
  next<TakeQuote>(protocol);
  protocol.quoted(quote_at(5));
  next<Message>(protocol);
  next<Wait>(protocol);
  protocol.counted(9);
  next<Wait>(protocol);
  protocol.written();
  next<ReadLog>(protocol);
}

TEST_CASE("Protocol: a log as long as is allowed is sent, one byte more is refused") {
  for (const std::size_t over : {0, 1}) {
    Protocol protocol = greeted();
    const std::size_t allowed = kMaxChunkBytes + 10;
    protocol.challenged(challenge(3, 0, allowed));
    next<TakeQuote>(protocol);
    protocol.quoted(quote_at(5));
    sent<QuoteMessage>(protocol);
    next<ReadLog>(protocol);
    protocol.read(Bytes(kMaxChunkBytes));
    sent<LogChunk>(protocol);
    CHECK(next<ReadLog>(protocol).size == 11);
    protocol.read(Bytes(10 + over));
    if (over == 0) {
      sent<LogChunk>(protocol);
      CHECK(sent<End>(protocol).log_bytes == allowed);
    } else {
      const auto refusal = sent<Refusal>(protocol);
      CHECK(refusal.challenge_id == 3);
      CHECK(refusal.reason.starts_with(fault_name(FaultId::kEvidenceTooLarge)));
    }
    next<Wait>(protocol);
  }
}

TEST_CASE("Protocol: what cannot be done is refused, with the reason") {
  Protocol protocol = greeted();
  SUBCASE("a challenge that makes no sense") {
    protocol.challenged({.id = 4, .asked = fail(FaultId::kRequestInvalid, "no nonce")});
    CHECK(sent<Refusal>(protocol).reason == "request.invalid: no nonce");
  }
  SUBCASE("a TPM that refuses") {
    protocol.challenged(challenge(4));
    next<TakeQuote>(protocol);
    protocol.quoted(fail(FaultId::kTpmFailed, std::string(2000, 'x')));
    const auto refusal = sent<Refusal>(protocol);
    CHECK(refusal.challenge_id == 4);
    CHECK(refusal.reason.starts_with("tpm.failed: xxx"));
    CHECK(refusal.reason.size() <= kMaxReasonBytes);
  }
  SUBCASE("a log that cannot be read") {
    protocol.challenged(challenge(4));
    next<TakeQuote>(protocol);
    protocol.quoted(quote_at(1));
    sent<QuoteMessage>(protocol);
    next<ReadLog>(protocol);
    protocol.read(fail(FaultId::kFileUnreadable, "gone"));
    CHECK(sent<Refusal>(protocol).reason == "file.unreadable: gone");
  }
  next<Wait>(protocol);
  answer(protocol, challenge(5));
}

TEST_CASE("Protocol: the newest challenge counts, and the older one is dropped") {
  Protocol protocol = greeted();
  protocol.challenged(challenge(1, 100));
  next<TakeQuote>(protocol);
  protocol.quoted(quote_at(1));
  sent<QuoteMessage>(protocol);
  next<ReadLog>(protocol);
  protocol.read(Bytes(kMaxChunkBytes));
  next<Message>(protocol);  // a chunk of the first answer is under way
  protocol.challenged(challenge(2, 200));
  next<Wait>(protocol);
  protocol.written();
  CHECK(next<TakeQuote>(protocol).challenge.nonce.bytes()[0] == 2);
  protocol.quoted(quote_at(2));
  CHECK(sent<QuoteMessage>(protocol).challenge_id == 2);
  CHECK(next<ReadLog>(protocol).offset == 200);
  protocol.read(Bytes{});
  CHECK(sent<End>(protocol).log_bytes == 0);
  next<Wait>(protocol);
}

TEST_CASE("Protocol: a log that has grown since the quote is hinted at, once for each challenge") {
  Protocol protocol = greeted();
  answer(protocol, challenge(1), 10);
  protocol.counted(10);
  next<Wait>(protocol);
  protocol.counted(11);
  CHECK(sent<Hint>(protocol).measurements == 11);
  protocol.counted(12);
  next<Wait>(protocol);
  answer(protocol, challenge(2), 11);  // 12 came while it was answered
  CHECK(sent<Hint>(protocol).measurements == 12);
  answer(protocol, challenge(3), 12);
  next<Wait>(protocol);
}

TEST_CASE("Protocol: there is no hint before the first answer") {
  Protocol protocol = greeted();
  protocol.counted(10);
  next<Wait>(protocol);
}

// Or a TPM that fails would be challenged again at once, for ever.
TEST_CASE("Protocol: there is no hint after a refused quote") {
  Protocol protocol = greeted();
  answer(protocol, challenge(1), 10);
  protocol.challenged(challenge(2));
  next<TakeQuote>(protocol);
  protocol.quoted(fail(FaultId::kTpmFailed, "x"));
  sent<Refusal>(protocol);
  protocol.counted(11);
  next<Wait>(protocol);
}

TEST_CASE("Protocol: asked who we are, we say so, and open the credential that comes") {
  Protocol protocol = greeted();
  protocol.identify();
  next<ReadIdentity>(protocol);
  protocol.identified(Identity{.node_name = "n1",
                               .tpm = {.ek_public = {1}, .ek_certificate = {2}, .ek_chain = {{3}}},
                               .join_token = "t"});
  const auto identity = sent<Identity>(protocol);
  CHECK(identity.node_name == "n1");
  CHECK(identity.tpm.ek_chain == std::vector<Bytes>{{3}});
  next<Wait>(protocol);
  protocol.received({.id_object = {4}, .encrypted_secret = {5}});
  CHECK(next<OpenCredential>(protocol).credential.id_object == Bytes{4});
  protocol.opened(Bytes{6});
  CHECK(sent<OpenedCredential>(protocol).secret == Bytes{6});
  next<Wait>(protocol);
}

TEST_CASE("Protocol: what the TPM cannot do for an enrolment is refused, of no challenge") {
  Protocol protocol = greeted();
  protocol.identify();
  next<ReadIdentity>(protocol);
  protocol.identified(fail(FaultId::kTpmFailed, "no endorsement key"));
  const auto identity = sent<Refusal>(protocol);
  CHECK(identity.challenge_id == 0);
  CHECK(identity.reason.find("no endorsement key") != std::string::npos);
  protocol.received({.id_object = {}, .encrypted_secret = {}});
  next<OpenCredential>(protocol);
  protocol.opened(fail(FaultId::kRequestInvalid, "not a credential"));
  CHECK(sent<Refusal>(protocol).challenge_id == 0);
  next<Wait>(protocol);
}

TEST_CASE("Protocol: a verifier that asks for something else has dropped what was under way") {
  Protocol protocol = greeted();
  protocol.challenged(challenge(3));
  next<TakeQuote>(protocol);
  protocol.identify();
  next<ReadIdentity>(protocol);
  protocol.challenged(challenge(4));
  CHECK(next<TakeQuote>(protocol).challenge.nonce.bytes()[0] == 4);
}

TEST_CASE("Protocol: where only a quote is asked for, no log follows") {
  Protocol protocol = greeted();
  ReceivedChallenge asked = challenge(7);
  asked.asked->quote_only = true;
  protocol.challenged(std::move(asked));
  next<TakeQuote>(protocol);
  protocol.quoted(quote_at(5));
  sent<QuoteMessage>(protocol);
  const auto end = sent<End>(protocol);
  CHECK(end.challenge_id == 7);
  CHECK(end.log_bytes == 0);
  next<Wait>(protocol);
}

TEST_CASE(
    "Protocol: the boot log goes before the log, in pieces, and the command line at the end") {
  Protocol protocol = greeted();
  ReceivedChallenge asked = challenge(7);
  asked.asked->max_boot_log_bytes = 1 << 20;
  protocol.challenged(asked);
  next<TakeQuote>(protocol);
  protocol.quoted(quote_at(5));
  sent<QuoteMessage>(protocol);
  CHECK(next<ReadBoot>(protocol).max_log_bytes == 1 << 20);
  protocol.boot_read(BootEvidence{.log = Bytes(kMaxChunkBytes + 1, 8), .command_line = {'r', 'o'}});
  CHECK(sent<BootLogChunk>(protocol).bytes.size() == kMaxChunkBytes);
  CHECK(sent<BootLogChunk>(protocol).bytes == Bytes{8});
  next<ReadLog>(protocol);
  protocol.read(Bytes{9});
  sent<LogChunk>(protocol);
  const auto end = sent<End>(protocol);
  CHECK(end.boot_log_bytes == kMaxChunkBytes + 1);
  CHECK(end.log_bytes == 1);
  CHECK(end.command_line == Bytes{'r', 'o'});

  // A kernel without one sends none; one that cannot be read is a refusal.
  protocol.challenged(asked);
  next<TakeQuote>(protocol);
  protocol.quoted(quote_at(5));
  sent<QuoteMessage>(protocol);
  next<ReadBoot>(protocol);
  protocol.boot_read(BootEvidence{});
  next<ReadLog>(protocol);
  protocol.challenged(asked);
  next<TakeQuote>(protocol);
  protocol.quoted(quote_at(5));
  sent<QuoteMessage>(protocol);
  protocol.boot_read(fail(FaultId::kEvidenceTooLarge, "too large"));
  CHECK(sent<Refusal>(protocol).challenge_id == 7);
}

Protocol claiming() {
  Protocol out({.ak_public = {1, 2, 3}, .agent_version = "1.0"}, PodClaiming::kUserIds);
  sent<Hello>(out);
  return out;
}

// Takes a challenge to where the log has been sent.
void answer_log(Protocol& protocol, std::uint64_t id) {
  protocol.challenged(challenge(id));
  next<TakeQuote>(protocol);
  protocol.quoted(quote_at(1));
  sent<QuoteMessage>(protocol);
  next<ReadLog>(protocol);
  protocol.read(Bytes{9});
  sent<LogChunk>(protocol);
}

const PodClaims kOnePod{.pods = {{.pod_uid = "a", .mapping = {1}}}};

TEST_CASE("Protocol: what pods have is read behind the log, and sent when it is news") {
  Protocol protocol = claiming();
  answer_log(protocol, 1);
  next<ReadPodClaims>(protocol);
  protocol.pod_claims_read(PodClaims{});
  const auto none = sent<PodClaimsMessage>(protocol);  // the first of a stream, though it is empty
  CHECK(none.challenge_id == 1);
  CHECK(none.claims == PodClaims{});
  CHECK(sent<End>(protocol).log_bytes == 1);

  answer_log(protocol, 2);
  next<ReadPodClaims>(protocol);
  protocol.pod_claims_read(kOnePod);
  const auto one = sent<PodClaimsMessage>(protocol);
  CHECK(one.challenge_id == 2);
  CHECK(one.claims == kOnePod);
  sent<End>(protocol);

  for (const auto& again : {std::optional(kOnePod), std::optional<PodClaims>()}) {
    answer_log(protocol, 3);
    next<ReadPodClaims>(protocol);
    protocol.pod_claims_read(again);
    sent<End>(protocol);
  }
  PodClaims cut = kOnePod;
  cut.incomplete = true;
  answer_log(protocol, 4);
  next<ReadPodClaims>(protocol);
  protocol.pod_claims_read(cut);
  CHECK(sent<PodClaimsMessage>(protocol).claims.incomplete);
  sent<End>(protocol);
}

TEST_CASE("Protocol: what an answer that was dropped may not have brought is sent again") {
  Protocol protocol = claiming();
  answer_log(protocol, 1);
  next<ReadPodClaims>(protocol);
  protocol.pod_claims_read(kOnePod);
  sent<PodClaimsMessage>(protocol);
  protocol.challenged(challenge(2));  // before the end of the first
  next<TakeQuote>(protocol);
  protocol.quoted(quote_at(1));
  sent<QuoteMessage>(protocol);
  next<ReadLog>(protocol);
  protocol.read(Bytes{});
  next<ReadPodClaims>(protocol);
  protocol.pod_claims_read(kOnePod);
  CHECK(sent<PodClaimsMessage>(protocol).challenge_id == 2);
}

TEST_CASE("Protocol: a proof of who we are says nothing of pods") {
  Protocol protocol = claiming();
  ReceivedChallenge proof = challenge(1);
  proof.asked->quote_only = true;
  protocol.challenged(proof);
  next<TakeQuote>(protocol);
  protocol.quoted(quote_at(1));
  sent<QuoteMessage>(protocol);
  sent<End>(protocol);
}

}  // namespace
}  // namespace assay::agent
