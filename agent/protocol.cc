#include "agent/protocol.h"

#include <algorithm>

#include "core/text.h"

namespace assay::agent {

Action Protocol::next() {
  if (writing_) return Wait{};
  if (!outbox_) {
    switch (stage_) {
      case Stage::kQuote:
        return TakeQuote{*challenge_};
      case Stage::kLog:
        return next_chunk();
      case Stage::kEnd:
        stage_ = Stage::kIdle;
        send(End{.challenge_id = id_, .log_bytes = log_bytes_});
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

void Protocol::challenged(ReceivedChallenge challenge) {
  id_ = challenge.id;
  log_bytes_ = 0;
  hinted_ = false;
  if (!challenge.asked) return refuse(challenge.asked.error());
  challenge_ = *std::move(challenge.asked);
  stage_ = Stage::kQuote;
}

void Protocol::quoted(Result<TakenQuote> taken) {
  answered_ = taken ? std::optional(taken->measurements) : std::nullopt;
  if (!taken) return refuse(taken.error());
  stage_ = Stage::kLog;
  send(QuoteMessage{.challenge_id = id_, .quote = std::move(taken->quote)});
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
  if (bytes->size() < asked.size) stage_ = Stage::kEnd;
  if (!bytes->empty()) send(LogChunk{.challenge_id = id_, .bytes = *std::move(bytes)});
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
