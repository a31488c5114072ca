#include "verifier/sessions/conversation.h"

#include <utility>

namespace assay {

void Conversation::begin(std::uint64_t challenge_id, std::uint64_t max_log_bytes) {
  ASSAY_CHECK(state_ == State::kIdle);
  state_ = State::kAwaitingQuote;
  challenge_id_ = challenge_id;
  max_log_bytes_ = max_log_bytes;
  answer_ = {};
}

Status Conversation::expect(State wanted, std::uint64_t challenge_id) const {
  if (state_ != wanted) return fail(FaultId::kEvidenceMalformed, "a message out of order");
  if (challenge_id != challenge_id_) {
    return fail(FaultId::kEvidenceMalformed, "a message about a challenge that is not out");
  }
  return {};
}

Status Conversation::on_quote(std::uint64_t challenge_id, UntrustedQuote quote) {
  ASSAY_OK(expect(State::kAwaitingQuote, challenge_id));
  answer_.quote = std::move(quote);
  state_ = State::kReceivingLog;
  return {};
}

Status Conversation::on_log_chunk(std::uint64_t challenge_id, ByteView data) {
  ASSAY_OK(expect(State::kReceivingLog, challenge_id));
  if (data.empty() || data.size() > kMaxChunkBytes) {
    return fail(FaultId::kEvidenceMalformed, "a log chunk that is empty or over 256 KiB");
  }
  if (data.size() > max_log_bytes_ - answer_.ima_log.size()) {
    return fail(FaultId::kEvidenceTooLarge,
                "log over " + std::to_string(max_log_bytes_) + " bytes; see limits.log_mib");
  }
  answer_.ima_log.insert(answer_.ima_log.end(), data.begin(), data.end());
  return {};
}

Result<Answer> Conversation::on_end(std::uint64_t challenge_id, std::uint64_t log_bytes) {
  ASSAY_OK(expect(State::kReceivingLog, challenge_id));
  if (log_bytes != answer_.ima_log.size()) {
    return fail(FaultId::kEvidenceMalformed, "log chunks do not add up to what the end says");
  }
  state_ = State::kIdle;
  return std::exchange(answer_, {});
}

Status Conversation::on_refusal(std::uint64_t challenge_id) {
  if (state_ == State::kIdle) return fail(FaultId::kEvidenceMalformed, "a refusal of nothing");
  ASSAY_OK(expect(state_, challenge_id));
  state_ = State::kIdle;
  answer_ = {};
  return {};
}

}  // namespace assay
