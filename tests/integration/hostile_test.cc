// Agents that misbehave: each costs itself a typed fault, and an honest node nothing.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <grpcpp/generic/generic_stub.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/agent_stream.h"
#include "tests/integration/operator_client.h"
#include "tests/integration/simulated_agent.h"

using namespace assay;
using namespace assay::testing;

namespace {

constexpr std::size_t kLogMib = 16;
constexpr std::size_t kMaxResidentBytes = std::size_t{300} << 20;

// A verifier, an honest node "good" that it trusts, and a node "evil" whose key is known.
struct Site {
  RunningVerifier verifier{
      {.interval = "2s", .more = "limits: {log_mib: " + std::to_string(kLogMib) + "}"}};
  OperatorClient operators{verifier};
  SimulatedAgent good;
  SimulatedNode evil;

  Site() {
    operators.push_golden("host", {"good"});
    operators.enrol("good", good.ak_public());
    operators.enrol("evil", evil.tpm().ak_public());
    good.connect(connect(verifier));
    REQUIRE(eventually([&] { return good.seen().state == "trusted"; }));
  }

  ~Site() {
    // It was judged again after all that, on the same stream.
    const std::uint64_t outcomes = good.seen().outcomes;
    CHECK(eventually([&] { return good.seen().outcomes > outcomes; }));
    CHECK(good.seen().ended == "");
    CHECK(good.seen().state == "trusted");
    CHECK(operators.node("good").state() == "trusted");
  }

  double rejected(const std::string& reason) const {
    return verifier.metric("assay_evidence_rejected_total{reason=\"" + reason + "\"}").value_or(0);
  }
};

// An evil node's stream that has proven which node it is, and was challenged.
struct Challenged {
  AgentStream stream;
  v1::Challenge challenge;

  explicit Challenged(Site& site) : stream(connect(site.verifier)) {
    REQUIRE(stream.join(site.evil));
    const auto got = stream.challenge();
    REQUIRE(got.has_value());
    challenge = *got;
  }
};

// Whether the stream was ended with this code and a message that begins with the fault's name.
bool ended_with(AgentStream& stream, grpc::StatusCode code, const std::string& fault) {
  const grpc::Status status = stream.finish();
  CAPTURE(status.error_message());
  CHECK(status.error_code() == code);
  CHECK(status.error_message().starts_with(fault));
  return status.error_code() == code && status.error_message().starts_with(fault);
}

class RawConnection {
 public:
  explicit RawConnection(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  ~RawConnection() { ::close(fd_); }
  RawConnection(RawConnection&&) = delete;

  void write(ByteView bytes) const { (void)::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  // Whether the peer hangs up within kPatience.
  bool is_closed() const {
    return eventually([&] {
      std::uint8_t byte = 0;
      const ssize_t got = ::recv(fd_, &byte, 1, MSG_DONTWAIT);
      return got == 0 || (got < 0 && errno != EAGAIN);
    });
  }

 private:
  int fd_;
};

// Sends bytes that are no AgentMessage as one.
grpc::Status send_garbage_message(const RunningVerifier& verifier, const Bytes& bytes) {
  grpc::GenericStub stub(connect(verifier));
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, "/assay.v1.AgentService/Attest", &queue);
  void* tag = nullptr;
  bool ok = false;
  call->StartCall(&queue);
  queue.Next(&tag, &ok);
  const grpc::Slice slice(bytes.data(), bytes.size());
  call->Write(grpc::ByteBuffer(&slice, 1), &queue);
  queue.Next(&tag, &ok);
  grpc::Status status;
  call->Finish(&status, &queue);
  queue.Next(&tag, &ok);
  return status;
}

constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
constexpr auto kDenied = grpc::StatusCode::PERMISSION_DENIED;
constexpr auto kExhausted = grpc::StatusCode::RESOURCE_EXHAUSTED;
constexpr auto kTaken = grpc::StatusCode::ALREADY_EXISTS;
constexpr auto kLate = grpc::StatusCode::DEADLINE_EXCEEDED;

}  // namespace

TEST_CASE("assay-verifier: garbage on the TCP port ends that connection") {
  Site site;
  for (const int byte : {0x00, 0x16, 0x47, 0xff}) {
    const RawConnection connection(site.verifier.grpc_port());
    connection.write(Bytes(100'000, static_cast<std::uint8_t>(byte)));
    CHECK(connection.is_closed());
  }
}

TEST_CASE("assay-verifier: TLS handshakes that stall keep nobody else out") {
  Site site;
  std::vector<std::unique_ptr<RawConnection>> stalled;
  for (int i = 0; i < 100; ++i) {
    stalled.push_back(std::make_unique<RawConnection>(site.verifier.grpc_port()));
    stalled.back()->write(Bytes{0x16, 0x03, 0x01, 0x02});  // the start of a ClientHello
  }
  Challenged honest(site);
  REQUIRE(honest.stream.answer(honest.challenge, site.evil));
  const auto outcome = honest.stream.outcome();
  REQUIRE(outcome.has_value());
  CHECK(outcome->state() == "trusted");
}

TEST_CASE("assay-verifier: messages that are no protobuf end their call") {
  Site site;
  const grpc::Status status = send_garbage_message(site.verifier, Bytes(1000, 0xff));
  CAPTURE(status.error_message());
  CHECK(status.error_code() == kInvalid);
  CHECK(status.error_message().starts_with("evidence.malformed"));
}

TEST_CASE("assay-verifier: a message over the limit ends its stream") {
  Site site;
  AgentStream stream(connect(site.verifier));
  stream.hello(Bytes(std::size_t{2} << 20));
  const grpc::Status status = stream.finish();
  CAPTURE(status.error_message());
  CHECK(status.error_code() == kExhausted);
}

TEST_CASE("assay-verifier: a key that is none, or nobody's, is refused") {
  Site site;
  AgentStream garbage(connect(site.verifier));
  garbage.hello(Bytes(100, 0xab));
  CHECK(ended_with(garbage, kDenied, "ak.malformed"));
  AgentStream stranger(connect(site.verifier));
  stranger.hello(SimulatedNode().tpm().ak_public());
  v1::AgentMessage identity;
  identity.mutable_identity()->set_node_name("stranger");
  REQUIRE(stranger.send(identity));
  CHECK(ended_with(stranger, kDenied, "ek.malformed"));
  CHECK(site.rejected("ak.malformed") == 1);
  CHECK(site.rejected("ek.malformed") == 1);
}

TEST_CASE("assay-verifier: messages out of order are refused") {
  Site site;
  AgentStream early(connect(site.verifier));
  early.hint(1);
  CHECK(ended_with(early, kInvalid, "evidence.malformed"));

  AgentStream empty(connect(site.verifier));
  empty.send({});
  CHECK(ended_with(empty, kInvalid, "evidence.malformed"));

  Challenged twice(site);
  twice.stream.hello(site.evil.tpm().ak_public());
  CHECK(ended_with(twice.stream, kInvalid, "evidence.malformed"));

  Challenged log_first(site);
  log_first.stream.chunk(log_first.challenge.id(), Bytes(10));
  CHECK(ended_with(log_first.stream, kInvalid, "evidence.malformed"));

  Challenged other(site);
  other.stream.quote(other.challenge.id() + 1, site.evil.quote(nonce_of(other.challenge)));
  CHECK(ended_with(other.stream, kInvalid, "evidence.malformed"));
  CHECK(site.rejected("evidence.malformed") == 5);
}

TEST_CASE("assay-verifier: sizes that do not fit are refused") {
  Site site;
  Challenged large(site);
  large.stream.quote(large.challenge.id(), {.attest = Bytes(8192), .signature = {}, .pcrs = {}});
  CHECK(ended_with(large.stream, kInvalid, "quote.too_large"));

  Challenged wrong_end(site);
  wrong_end.stream.quote(wrong_end.challenge.id(), site.evil.quote(nonce_of(wrong_end.challenge)));
  wrong_end.stream.end(wrong_end.challenge.id(), 1);
  CHECK(ended_with(wrong_end.stream, kInvalid, "evidence.malformed"));

  Challenged empty_chunk(site);
  empty_chunk.stream.quote(empty_chunk.challenge.id(),
                           site.evil.quote(nonce_of(empty_chunk.challenge)));
  empty_chunk.stream.chunk(empty_chunk.challenge.id(), {});
  CHECK(ended_with(empty_chunk.stream, kInvalid, "evidence.malformed"));
}

TEST_CASE("assay-verifier: pod claims out of place or over their limits are refused") {
  Site site;
  const auto claims = [](const v1::Challenge& challenge, int pods) {
    v1::AgentMessage out;
    out.mutable_pod_claims()->set_challenge_id(challenge.id());
    for (int i = 0; i < pods; ++i) out.mutable_pod_claims()->add_pods()->set_pod_uid("a");
    return out;
  };
  Challenged early(site);
  early.stream.send(claims(early.challenge, 1));
  CHECK(ended_with(early.stream, kInvalid, "evidence.malformed"));

  Challenged twice(site);
  twice.stream.quote(twice.challenge.id(), site.evil.quote(nonce_of(twice.challenge)));
  twice.stream.send(claims(twice.challenge, 1024));
  twice.stream.send(claims(twice.challenge, 1));
  CHECK(ended_with(twice.stream, kInvalid, "evidence.malformed"));

  Challenged many(site);
  many.stream.quote(many.challenge.id(), site.evil.quote(nonce_of(many.challenge)));
  many.stream.send(claims(many.challenge, 1025));
  CHECK(ended_with(many.stream, kExhausted, "evidence.too_large"));
}

TEST_CASE("assay-verifier: a quote that no TPM made proves nothing and changes no verdict") {
  Site site;
  Challenged agent(site);
  const UntrustedQuote garbage{
      .attest = Bytes(100, 0xab), .signature = Bytes(70, 0xcd), .pcrs = {}};
  REQUIRE(agent.stream.quote(agent.challenge.id(), garbage));
  REQUIRE(agent.stream.end(agent.challenge.id(), 0));
  const auto outcome = agent.stream.outcome();
  REQUIRE(outcome.has_value());
  CHECK(outcome->state() == "unknown");
  CHECK(site.rejected("quote.malformed") == 1);
  CHECK(site.operators.node("evil").last_rejection() == "quote.malformed");
}

TEST_CASE(
    "assay-verifier: a key is not enough: without its TPM's signature a stream speaks for nobody") {
  Site site;
  AgentStream impostor(connect(site.verifier));
  REQUIRE(impostor.hello(site.good.ak_public()));
  const auto challenge = impostor.challenge();
  REQUIRE(challenge.has_value());
  CHECK(challenge->quote_only());
  REQUIRE(impostor.answer(*challenge, site.evil));
  CHECK(ended_with(impostor, kInvalid, "quote.bad_signature"));
  CHECK(site.rejected("quote.bad_signature") == 1);
  CHECK(site.operators.node("good").last_rejection().empty());
  CHECK(site.operators.node("good").state() == "trusted");
}

TEST_CASE("assay-verifier: a log of ten gigabytes is refused at the limit, in bounded memory") {
  Site site;
  constexpr std::uint64_t kTenGigabytes = 10'000'000'000;
  const Bytes chunk(std::size_t{256} << 10, 1);
  std::size_t most = 0;
  for (int attempt = 0; attempt < 4; ++attempt) {
    Challenged agent(site);
    REQUIRE(agent.stream.quote(agent.challenge.id(), site.evil.quote(nonce_of(agent.challenge))));
    std::uint64_t sent = 0;
    while (sent < kTenGigabytes && agent.stream.chunk(agent.challenge.id(), chunk)) {
      sent += chunk.size();
    }
    CHECK(sent < kTenGigabytes);
    most = std::max(most, site.verifier.resident_bytes());
    CHECK(ended_with(agent.stream, kExhausted, "evidence.too_large"));
  }
  CHECK(site.rejected("evidence.too_large") == 4);
  CHECK(most < kMaxResidentBytes);
  MESSAGE("most resident memory: " << most / 1024 << " KiB");
}

TEST_CASE("assay-verifier: a stream that never answers is ended by the clock") {
  Site site;
  AgentStream mute(connect(site.verifier));
  REQUIRE(mute.hello(site.evil.tpm().ak_public()));
  CHECK(ended_with(mute, kLate, "evidence.none"));
  CHECK(site.rejected("evidence.none") == 1);
}

TEST_CASE("assay-verifier: a log shorter than what was proven is tampering") {
  Site site;
  site.evil.run("/bin/good", "good");
  {
    Challenged agent(site);
    REQUIRE(agent.stream.answer(agent.challenge, site.evil));
    const auto outcome = agent.stream.outcome();
    REQUIRE(outcome.has_value());
    CHECK(outcome->state() == "trusted");
  }
  site.evil.run("/bin/good", "good");
  Challenged agent(site);
  REQUIRE(agent.challenge.first_entry() == 2);
  REQUIRE(agent.stream.quote(agent.challenge.id(), site.evil.quote(nonce_of(agent.challenge))));
  REQUIRE(agent.stream.end(agent.challenge.id(), 0));
  // Records may have been removed: the verifier asks once for all that the node still has.
  const auto again = agent.stream.challenge();
  REQUIRE(again.has_value());
  CHECK(again->first_entry() == 0);
  REQUIRE(agent.stream.quote(again->id(), site.evil.quote(nonce_of(*again))));
  REQUIRE(agent.stream.end(again->id(), 0));
  const auto outcome = agent.stream.outcome();
  REQUIRE(outcome.has_value());
  CHECK(outcome->state() == "compromised");
  CHECK(outcome->first_fault() == "ima.log_truncated");
  CHECK(site.operators.violations().at(0).fault().id() == "ima.log_truncated");
}

TEST_CASE("assay-verifier: a flood of hints brings no flood of challenges") {
  Site site;
  Challenged agent(site);
  REQUIRE(agent.stream.answer(agent.challenge, site.evil));
  REQUIRE(agent.stream.outcome().has_value());
  for (std::uint64_t i = 0; i < 10'000; ++i) REQUIRE(agent.stream.hint(i));
  const auto next = agent.stream.challenge();
  REQUIRE(next.has_value());
  REQUIRE(agent.stream.answer(*next, site.evil));
  CHECK(agent.stream.outcome().has_value());
  const double attempts =
      site.verifier.metric(R"(assay_attestations_total{result="trusted"})").value_or(0);
  CHECK(attempts < 100);
}

TEST_CASE("assay-verifier: what a refusal says cannot forge a line of the log") {
  Site site;
  Challenged agent(site);
  const std::string reason =
      "busy\nlevel=info event=verdict node=evil state=trusted\x1b[2J" + std::string(100'000, 'x');
  REQUIRE(agent.stream.refusal(agent.challenge.id(), reason));
  CHECK(eventually([&] { return site.rejected("evidence.refused") == 1; }));
  CHECK(site.operators.node("evil").last_rejection() == "evidence.refused");
  const std::string log = site.verifier.log();
  CHECK(log.find("busy\\x0alevel=info") != std::string::npos);
  CHECK(log.find("\nlevel=info event=verdict node=evil") == std::string::npos);
  CHECK(log.find('\x1b') == std::string::npos);
  CHECK(log.find(std::string(2000, 'x')) == std::string::npos);
}

TEST_CASE("assay-verifier: sixty-four streams that claim a node keep it from nothing") {
  Site site;
  std::vector<std::unique_ptr<AgentStream>> claims;
  for (int i = 0; i < 64; ++i) {
    claims.push_back(std::make_unique<AgentStream>(connect(site.verifier)));
    REQUIRE(claims.back()->hello(site.evil.tpm().ak_public()));
  }
  Challenged agent(site);
  REQUIRE(agent.stream.answer(agent.challenge, site.evil));
  const auto outcome = agent.stream.outcome();
  REQUIRE(outcome.has_value());
  CHECK(outcome->state() == "trusted");
  for (const auto& claim : claims) CHECK(ended_with(*claim, kLate, "evidence.none"));
}
