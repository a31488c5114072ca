#include "verifier/sessions/conversation.h"

#include <utility>

namespace assay {
namespace {

Status check_chunk(ByteView data) {
  if (!data.empty() && data.size() <= kMaxChunkBytes) return {};
  return fail(FaultId::kEvidenceMalformed, "a log chunk that is empty or over 256 KiB");
}

}  // namespace

void Conversation::begin(std::uint64_t challenge_id, const AnswerLimits& limits) {
  ASSAY_CHECK(state_ == State::kIdle);
  state_ = State::kAwaitingQuote;
  challenge_id_ = challenge_id;
  limits_ = limits;
  answer_ = {};
  answer_.ima_log = Spool(limits.spool_folder);
  if (limits.max_boot_log_bytes > 0) answer_.boot_log.emplace();
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

Status Conversation::on_boot_log_chunk(std::uint64_t challenge_id, ByteView data) {
  ASSAY_OK(expect(State::kReceivingLog, challenge_id));
  if (!answer_.boot_log || !answer_.ima_log.empty()) {
    return fail(FaultId::kEvidenceMalformed, "a boot log that was not asked for");
  }
  ASSAY_OK(check_chunk(data));
  if (data.size() > limits_.max_boot_log_bytes - answer_.boot_log->size()) {
    return fail(FaultId::kEvidenceTooLarge,
                "boot log over " + std::to_string(limits_.max_boot_log_bytes) + " bytes");
  }
  answer_.boot_log->insert(answer_.boot_log->end(), data.begin(), data.end());
  return {};
}

Status Conversation::on_log_chunk(std::uint64_t challenge_id, ByteView data) {
  ASSAY_OK(expect(State::kReceivingLog, challenge_id));
  if (limits_.quote_only) {
    return fail(FaultId::kEvidenceMalformed, "a log that was not asked for");
  }
  ASSAY_OK(check_chunk(data));
  if (data.size() > limits_.max_log_bytes - answer_.ima_log.size()) {
    return fail(FaultId::kEvidenceTooLarge,
                "log over " + std::to_string(limits_.max_log_bytes) + " bytes; see limits.log_mib");
  }
  return answer_.ima_log.append(data);
}

Status Conversation::on_pod_claims(std::uint64_t challenge_id, PodClaims claims) {
  ASSAY_OK(expect(State::kReceivingLog, challenge_id));
  if (limits_.quote_only) {
    return fail(FaultId::kEvidenceMalformed, "pod claims that were not asked for");
  }
  ASSAY_OK(check_limits(claims));
  answer_.pod_claims = std::move(claims);
  state_ = State::kAwaitingEnd;
  return {};
}

Result<Answer> Conversation::on_end(std::uint64_t challenge_id, AnswerEnd end) {
  ASSAY_OK(expect(answer_.pod_claims ? State::kAwaitingEnd : State::kReceivingLog, challenge_id));
  const std::size_t boot_log_bytes = answer_.boot_log ? answer_.boot_log->size() : 0;
  if (end.log_bytes != answer_.ima_log.size() || end.boot_log_bytes != boot_log_bytes) {
    return fail(FaultId::kEvidenceMalformed, "log chunks do not add up to what the end says");
  }
  if (end.command_line.size() > kMaxCommandLineBytes) {
    return fail(FaultId::kEvidenceTooLarge, "a command line over 4 KiB");
  }
  if (!answer_.boot_log && !end.command_line.empty()) {
    return fail(FaultId::kEvidenceMalformed, "a command line that was not asked for");
  }
  state_ = State::kIdle;
  answer_.command_line = std::move(end.command_line);
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
