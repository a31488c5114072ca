#include "agent/protocol.h"

#include <algorithm>

#include "core/text.h"

namespace assay::agent {

Action Protocol::next() {
  if (writing_) return Wait{};
  if (!outbox_) {
    switch (stage_) {
      case Stage::kIdentity:
        return ReadIdentity{};
      case Stage::kCredential:
        return OpenCredential{*credential_};
      case Stage::kQuote:
        return TakeQuote{*challenge_};
      case Stage::kBoot:
        return ReadBoot{challenge_->max_boot_log_bytes};
      case Stage::kBootLog:
        send_boot_log();
        break;
      case Stage::kLog:
        return next_chunk();
      case Stage::kClaims:
        return ReadPodClaims{};
      case Stage::kEnd:
        stage_ = Stage::kIdle;
        send(End{.challenge_id = id_,
                 .log_bytes = log_bytes_,
                 .boot_log_bytes = boot_log_bytes_,
                 .command_line = std::exchange(boot_.command_line, {})});
        break;
      case Stage::kIdle:
        if (!wants_hint()) return Wait{};
        hinted_ = true;
        send(Hint{.measurements = *measurements_});
        break;
    }
  }
  writing_ = true;
  return *std::exchange(outbox_, std::nullopt);
}

void Protocol::begin(Stage stage, std::uint64_t id) {
  stage_ = stage;
  id_ = id;
  log_bytes_ = 0;
  boot_log_bytes_ = 0;
  boot_ = {};
}

void Protocol::identify() {
  begin(Stage::kIdentity, 0);
}

void Protocol::received(Credential credential) {
  begin(Stage::kCredential, 0);
  credential_ = std::move(credential);
}

void Protocol::challenged(ReceivedChallenge challenge) {
  // An answer that is dropped may not have brought them.
  if (stage_ != Stage::kIdle) claimed_.reset();
  begin(Stage::kQuote, challenge.id);
  hinted_ = false;
  if (!challenge.asked) return refuse(challenge.asked.error());
  challenge_ = *std::move(challenge.asked);
}

void Protocol::identified(Result<Identity> identity) {
  if (!identity) return refuse(identity.error());
  stage_ = Stage::kIdle;
  send(*std::move(identity));
}

void Protocol::opened(Result<Bytes> secret) {
  if (!secret) return refuse(secret.error());
  stage_ = Stage::kIdle;
  send(OpenedCredential{.secret = *std::move(secret)});
}

void Protocol::quoted(Result<TakenQuote> taken) {
  answered_ = taken ? std::optional(taken->measurements) : std::nullopt;
  if (!taken) return refuse(taken.error());
  stage_ = challenge_->quote_only               ? Stage::kEnd
           : challenge_->max_boot_log_bytes > 0 ? Stage::kBoot
                                                : Stage::kLog;
  send(QuoteMessage{.challenge_id = id_, .quote = std::move(taken->quote)});
}

void Protocol::boot_read(Result<BootEvidence> boot) {
  if (!boot) return refuse(boot.error());
  boot_ = *std::move(boot);
  stage_ = boot_.log.empty() ? Stage::kLog : Stage::kBootLog;
}

// Sends the next part, and goes on to the measurement log after the last.
void Protocol::send_boot_log() {
  const ByteView rest = ByteView(boot_.log).subspan(boot_log_bytes_);
  const ByteView part = rest.first(std::min(rest.size(), kMaxChunkBytes));
  send(BootLogChunk{.challenge_id = id_, .bytes = Bytes(part.begin(), part.end())});
  boot_log_bytes_ += part.size();
  if (part.size() < rest.size()) return;
  boot_.log = {};
  stage_ = Stage::kLog;
}

void Protocol::read(Result<Bytes> bytes) {
  if (!bytes) return refuse(bytes.error());
  const ReadLog asked = next_chunk();
  if (bytes->size() > challenge_->max_log_bytes - log_bytes_) {
    return refuse({.id = FaultId::kEvidenceTooLarge,
                   .detail = "the log from byte " + std::to_string(challenge_->first_byte) +
                             " on is over the " + std::to_string(challenge_->max_log_bytes) +
                             " bytes that the verifier allows for one answer: raise its limit"});
  }
  log_bytes_ += bytes->size();
  if (bytes->size() < asked.size) {
    stage_ = claiming_ == PodClaiming::kNothing ? Stage::kEnd : Stage::kClaims;
  }
  if (!bytes->empty()) send(LogChunk{.challenge_id = id_, .bytes = *std::move(bytes)});
}

void Protocol::pod_claims_read(std::optional<PodClaims> claims) {
  stage_ = Stage::kEnd;
  if (!claims || claims == claimed_) return;
  claimed_ = claims;
  send(PodClaimsMessage{.challenge_id = id_, .claims = *std::move(claims)});
}

void Protocol::refuse(const Fault& fault) {
  stage_ = Stage::kIdle;
  send(Refusal{.challenge_id = id_, .reason = shorten(format_fault(fault), kMaxReasonBytes)});
}

// One byte more than is allowed, where that fits: it tells a log that ends at the limit from one
// that goes on.
ReadLog Protocol::next_chunk() const {
  const std::uint64_t left = challenge_->max_log_bytes - log_bytes_;
  const std::size_t size =
      left < kMaxChunkBytes ? static_cast<std::size_t>(left) + 1 : kMaxChunkBytes;
  return {.offset = challenge_->first_byte + log_bytes_, .size = size};
}

bool Protocol::wants_hint() const {
  return !hinted_ && answered_ && measurements_ && *measurements_ != *answered_;
}

}  // namespace assay::agent
