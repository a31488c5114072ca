#include "agent/session.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "core/text.h"

namespace assay::agent {
namespace {

// Faults that stay until a person has acted: dialling often would only make noise.
bool needs_a_person(FaultId id) {
  return id == FaultId::kAkUnknown || id == FaultId::kEnrolPending ||
         id == FaultId::kAlreadyExists || id == FaultId::kRequestInvalid;
}

// A value in a key="value" line: it cannot end the quotes.
std::string quoted(std::string text) {
  std::ranges::replace(text, '"', '\'');
  return "\"" + text + "\"";
}

void log_outcome(const Outcome& outcome) {
  spdlog::info("event=judged challenge={} state={} faults={} first_fault={}", outcome.challenge_id,
               quoted(outcome.state), outcome.faults_total, quoted(outcome.first_fault));
}

void log_refusal(const Message& message) {
  if (const auto* refusal = std::get_if<Refusal>(&message)) {
    spdlog::warn("event=refused challenge={} reason={}", refusal->challenge_id,
                 quoted(refusal->reason));
  }
}

}  // namespace

Session::Session(Settings settings, const Tpm& tpm, const Measurements& measurements,
                 Wakeup& wakeup)
    : settings_(std::move(settings)),
      tpm_(tpm),
      measurements_(measurements),
      wakeup_(wakeup),
      random_(std::random_device{}()) {}

void Session::run() {
  while (const std::optional<Fault> fault = serve()) {
    wakeup_.ticks(pause_after(*fault));
    for (;;) {
      const Wake wake = wakeup_.wait();
      if (wake == Wake::kStop) return;
      if (wake == Wake::kTick) break;
    }
  }
}

std::optional<Fault> Session::serve() {
  Protocol protocol(Hello{.ak_public = tpm_.ak_public(),
                          .agent_version = ASSAY_VERSION,
                          .banks = tpm_.banks(),
                          .log_form = settings_.log_form},
                    settings_.kubelet_pods.empty() ? PodClaiming::kNothing : PodClaiming::kUserIds);
  Stream stream(settings_.endpoint, wakeup_);
  wakeup_.ticks(settings_.poll_interval);
  for (;;) {
    advance(protocol, stream);
    switch (wakeup_.wait()) {
      case Wake::kStop:
        return std::nullopt;
      case Wake::kTick:
        // A count that cannot be read is reported in the answer to the next challenge.
        if (const auto count = measurements_.count()) protocol.counted(*count);
        break;
      case Wake::kNotice:
        if (auto closed = absorb(protocol, stream)) return closed;
        break;
    }
  }
}

void Session::advance(Protocol& protocol, Stream& stream) {
  for (;;) {
    Action action = protocol.next();
    if (std::holds_alternative<Wait>(action)) return;
    if (auto* message = std::get_if<Message>(&action)) {
      log_refusal(*message);
      stream.write(std::move(*message));
    } else {
      perform(protocol, action);
    }
  }
}

void Session::perform(Protocol& protocol, const Action& action) {
  if (std::holds_alternative<ReadIdentity>(action)) {
    protocol.identified(read_identity());
  } else if (const auto* open = std::get_if<OpenCredential>(&action)) {
    protocol.opened(tpm_.activate(open->credential));
  } else if (const auto* quote = std::get_if<TakeQuote>(&action)) {
    protocol.quoted(take_quote(quote->challenge));
  } else if (const auto* boot = std::get_if<ReadBoot>(&action)) {
    protocol.boot_read(read_boot_evidence(settings_.boot, boot->max_log_bytes));
  } else if (const auto* log = std::get_if<ReadLog>(&action)) {
    protocol.read(measurements_.read(log->offset, log->size));
  } else if (std::holds_alternative<ReadPodClaims>(action)) {
    protocol.pod_claims_read(read_pods());
  }
}

std::optional<Fault> Session::absorb(Protocol& protocol, Stream& stream) {
  std::optional<StreamEvent> event = stream.take();
  if (!event) return std::nullopt;
  if (auto* closed = std::get_if<Closed>(&*event)) return std::move(closed->why);
  if (std::holds_alternative<Written>(*event)) {
    protocol.written();
  } else {
    received(protocol, std::get<Received>(*std::move(event)));
  }
  // There may be more, but a stop goes first: a long answer must not hold it up.
  wakeup_.notify();
  return std::nullopt;
}

void Session::received(Protocol& protocol, Received message) {
  if (auto* challenge = std::get_if<ReceivedChallenge>(&message)) {
    backoff_.reset();
    protocol.challenged(std::move(*challenge));
  } else if (std::holds_alternative<Identify>(message)) {
    spdlog::info("event=enrolling node={}", settings_.node_name);
    protocol.identify();
  } else if (auto* credential = std::get_if<Credential>(&message)) {
    protocol.received(std::move(*credential));
  } else if (const auto* outcome = std::get_if<Outcome>(&message)) {
    log_outcome(*outcome);
  }
}

Result<Identity> Session::read_identity() const {
  ASSAY_TRY(TpmIdentity tpm, tpm_.identity());
  return Identity{
      .node_name = settings_.node_name, .tpm = std::move(tpm), .join_token = settings_.join_token};
}

Result<TakenQuote> Session::take_quote(const Challenge& challenge) const {
  ASSAY_TRY(const std::uint64_t count, measurements_.count());
  ASSAY_TRY(UntrustedQuote quote, tpm_.quote(challenge.nonce, challenge.selection));
  return TakenQuote{.measurements = count, .quote = std::move(quote)};
}

std::optional<PodClaims> Session::read_pods() {
  Result<PodFolders> read = read_pod_claims(settings_.kubelet_pods);
  std::string trouble;
  if (!read) {
    trouble = format_fault(read.error());
  } else if (read->unreadable > 0 || read->claims.incomplete) {
    trouble = std::to_string(read->unreadable) + " pods have a userns file that cannot be used" +
              (read->claims.incomplete ? "; there are more pods than an answer holds" : "");
  }
  if (trouble != pods_trouble_ && !trouble.empty()) {
    spdlog::warn("event=pods_not_claimed reason={}", quoted(trouble));
  }
  pods_trouble_ = std::move(trouble);
  return read ? std::optional(std::move(read->claims)) : std::nullopt;
}

std::chrono::milliseconds Session::pause_after(const Fault& fault) {
  const double random = std::uniform_real_distribution<>(0, 1)(random_);
  const auto pause = needs_a_person(fault.id) ? backoff_.slow(random) : backoff_.next(random);
  // A refusal carries the verifier's own fault id in its words.
  const std::string reason =
      needs_a_person(fault.id) && !fault.detail.empty() ? fault.detail : format_fault(fault);
  spdlog::warn("event=disconnected verifier={} reason={} retry_in_ms={}",
               settings_.endpoint.verifier, quoted(reason), pause.count());
  return pause;
}

}  // namespace assay::agent
