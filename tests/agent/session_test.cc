#include "agent/session.h"

#include <doctest/doctest.h>
#include <sys/eventfd.h>

#include <atomic>
#include <fstream>
#include <future>
#include <thread>

#include "core/attest.h"
#include "tests/agent/fake_verifier.h"
#include "tests/support/ima_builder.h"
#include "tests/support/swtpm.h"

namespace assay::agent {
namespace {

using namespace std::chrono_literals;
using testing::Answer;
using testing::FakeVerifier;

// A machine: a TPM, a kernel that measures into it, and an agent when agent() was called.
struct Node {
  testing::TestCa ca;
  testing::Swtpm swtpm;
  testing::TempDir dir;
  testing::ImaBuilder kernel{{HashAlg::kSha256}};
  std::size_t written = 0;
  std::optional<Tpm> tpm;
  std::optional<Measurements> measurements;
  int stop = ::eventfd(0, EFD_CLOEXEC);
  std::optional<Wakeup> wakeup;
  std::string pods = {};  // the kubelet's folder; empty: it is not configured
  std::future<void> running;

  Node() {
    kernel.boot_aggregate({});
    log_it();
    tpm.emplace(*Tpm::open({.tcti = swtpm.tcti(), .ak = {}}));
    measurements.emplace(*Measurements::open(dir / "log", dir / "count"));
    wakeup.emplace(*Wakeup::make(Fd(stop)));
  }
  ~Node() { stop_agent(); }

  // As the kernel: the log first, then the TPM.
  void log_it() {
    const ByteView news = ByteView(kernel.bytes()).subspan(written);
    std::ofstream(dir / "log", std::ios::app | std::ios::binary) << as_text(news);
    dir.write("count", std::to_string(kernel.entries()) + "\n");
    swtpm.measure(news);
    written = kernel.bytes().size();
  }
  void run_file(std::string_view path) {
    kernel.file(path, testing::digest_of(path));
    log_it();
  }

  void start_agent(const Endpoint& endpoint) {
    running = std::async(std::launch::async, [this, endpoint] {
      Session({.endpoint = endpoint, .kubelet_pods = pods, .poll_interval = 50ms}, *tpm,
              *measurements, *wakeup)
          .run();
    });
  }
  void stop_agent() {
    if (!running.valid()) return;
    (void)::eventfd_write(stop, 1);
    CHECK(running.wait_for(testing::kPatience) == std::future_status::ready);
    running.get();
  }
};

// The verifier's end of one stream.
struct Conversation {
  FakeVerifier::Wire& wire;
  AkPublic ak;
  LogCheckpoint checkpoint = {};
  std::uint64_t id = 0;
  std::uint64_t max_log_bytes = std::uint64_t{64} << 20;

  explicit Conversation(FakeVerifier::Wire& to) : wire(to), ak(hello(to)) {}

  static AkPublic hello(FakeVerifier::Wire& wire) {
    v1::AgentMessage message;
    wire.Read(&message);
    return *parse_ak_public(as_bytes(message.hello().ak_public()));
  }

  Answer ask(const Nonce& nonce) {
    ++id;
    wire.Write(testing::challenge_message(id, {.nonce = nonce,
                                               .selection = default_selection(HashAlg::kSha256),
                                               .first_entry = checkpoint.entries,
                                               .first_byte = checkpoint.bytes,
                                               .max_log_bytes = max_log_bytes}));
    return testing::read_answer(wire, id);
  }

  // Challenges, and judges the answer by the verifier's own calculation.
  Appraisal attest_now() {
    const Nonce nonce = *Nonce::from(Bytes(kNonceSize, static_cast<std::uint8_t>(id + 1)));
    const Answer answer = ask(nonce);
    Appraisal out = attest({.quote = answer.quote, .ima_log = answer.log},
                           {.ak = ak,
                            .nonce = nonce,
                            .selection = default_selection(HashAlg::kSha256),
                            .from = checkpoint});
    if (out.next) checkpoint = *out.next;
    return out;
  }

  // The count in the next hint.
  std::uint64_t hint() {
    for (v1::AgentMessage message; wire.Read(&message);) {
      if (message.has_hint()) return message.hint().measurements();
    }
    return 0;
  }
};

void check_trusted(const Appraisal& got, std::uint64_t proven) {
  CHECK(got.faults.empty());
  for (const Fault& fault : got.faults.listed()) MESSAGE(format_fault(fault));
  REQUIRE(got.log.has_value());
  CHECK(got.log->proven == proven);
}

// What a script found out, for the test's own thread.
template <typename T>
T result_of(std::promise<T>& promise) {
  auto future = promise.get_future();
  REQUIRE(future.wait_for(testing::kPatience) == std::future_status::ready);
  return future.get();
}

TEST_CASE("Session: a node whose log is what its TPM says is trusted") {
  Node node;
  node.run_file("/usr/bin/true");
  node.run_file("/usr/bin/env");
  std::promise<Appraisal> judged;
  const FakeVerifier verifier(node.ca, [&](FakeVerifier::Wire& wire, grpc::ServerContext&) {
    judged.set_value(Conversation(wire).attest_now());
    return grpc::Status::OK;
  });
  node.start_agent(verifier.endpoint(node.ca));
  const Appraisal got = result_of(judged);
  check_trusted(got, 3);
  CHECK(got.log->boot_aggregate_ok == true);
  node.stop_agent();
}

TEST_CASE("Session: a large log comes in chunks, whole") {
  Node node;
  for (int i = 0; i < 4; ++i) {
    const Bytes key(200'000, static_cast<std::uint8_t>(i));
    node.kernel.record(kImaPcr, "ima-buf",
                       {testing::d_ng(hash(HashAlg::kSha256, key)), testing::n_ng(".ima"), key});
  }
  node.log_it();
  std::promise<Appraisal> judged;
  std::promise<std::size_t> chunks;
  const FakeVerifier verifier(node.ca, [&](FakeVerifier::Wire& wire, grpc::ServerContext&) {
    Conversation conversation(wire);
    chunks.set_value(conversation.ask(*Nonce::from(Bytes(kNonceSize))).chunks);
    judged.set_value(conversation.attest_now());
    return grpc::Status::OK;
  });
  node.start_agent(verifier.endpoint(node.ca));
  CHECK(result_of(chunks) == 4);  // 800 KiB by 256 KiB
  check_trusted(result_of(judged), 5);
  node.stop_agent();
}

TEST_CASE("Session: what runs after an answer is hinted at, and only that is sent then") {
  Node node;
  std::promise<std::uint64_t> hinted;
  std::promise<Appraisal> first;
  std::promise<Appraisal> second;
  const FakeVerifier verifier(node.ca, [&](FakeVerifier::Wire& wire, grpc::ServerContext&) {
    Conversation conversation(wire);
    first.set_value(conversation.attest_now());
    hinted.set_value(conversation.hint());
    second.set_value(conversation.attest_now());
    return grpc::Status::OK;
  });
  node.start_agent(verifier.endpoint(node.ca));
  check_trusted(result_of(first), 1);
  node.run_file("/usr/bin/news");
  CHECK(result_of(hinted) == 2);
  const Appraisal got = result_of(second);
  check_trusted(got, 1);
  CHECK(got.next->entries == 2);
  node.stop_agent();
}

TEST_CASE("Session: what the kubelet gave pods is claimed once, and again when it has changed") {
  Node node;
  const auto folder = node.dir.path() / "pods";
  std::filesystem::create_directories(folder / "1a-b");
  node.dir.write("pods/1a-b/userns", "first");
  node.pods = folder.string();
  std::promise<std::vector<Answer>> answered;
  const FakeVerifier verifier(node.ca, [&](FakeVerifier::Wire& wire, grpc::ServerContext&) {
    Conversation conversation(wire);
    const Nonce nonce = *Nonce::from(Bytes(kNonceSize));
    std::vector<Answer> answers{conversation.ask(nonce), conversation.ask(nonce)};
    node.dir.write("pods/1a-b/userns", "second");
    answers.push_back(conversation.ask(nonce));
    std::filesystem::remove_all(folder);
    answers.push_back(conversation.ask(nonce));
    answered.set_value(answers);
    return grpc::Status::OK;
  });
  node.start_agent(verifier.endpoint(node.ca));
  const auto answers = result_of(answered);
  REQUIRE(answers[0].claims.has_value());
  REQUIRE(answers[0].claims->pods_size() == 1);
  CHECK(answers[0].claims->pods(0).pod_uid() == "1a-b");
  CHECK(answers[0].claims->pods(0).mapping() == "first");
  CHECK_FALSE(answers[1].claims.has_value());
  REQUIRE(answers[2].claims.has_value());
  CHECK(answers[2].claims->pods(0).mapping() == "second");
  CHECK_FALSE(answers[3].claims.has_value());  // it cannot be read, and that refuses nothing
  CHECK(answers[3].refusal.empty());
  node.stop_agent();
}

TEST_CASE("Session: when the verifier comes back, so does the agent") {
  Node node;
  std::promise<Appraisal> first;
  std::promise<Appraisal> second;
  auto verifier = std::make_unique<FakeVerifier>(
      node.ca, [&](FakeVerifier::Wire& wire, grpc::ServerContext& context) {
        first.set_value(Conversation(wire).attest_now());
        testing::eventually([&] { return context.IsCancelled(); });
        return grpc::Status::OK;
      });
  const int port = verifier->port();
  node.start_agent(verifier->endpoint(node.ca));
  check_trusted(result_of(first), 1);
  verifier.reset();
  const FakeVerifier again(
      node.ca,
      [&](FakeVerifier::Wire& wire, grpc::ServerContext&) {
        second.set_value(Conversation(wire).attest_now());
        return grpc::Status::OK;
      },
      port);
  check_trusted(result_of(second), 1);
  node.stop_agent();
}

TEST_CASE("Session: an answer that cannot be given is refused, and the next one is given") {
  Node node;
  std::promise<std::string> too_large;
  std::promise<std::string> no_tpm;
  std::promise<void> gone;
  std::promise<void> back;
  std::promise<Appraisal> judged;
  auto tpm_gone = gone.get_future();
  auto tpm_back = back.get_future();
  const FakeVerifier verifier(node.ca, [&](FakeVerifier::Wire& wire, grpc::ServerContext&) {
    Conversation conversation(wire);
    conversation.max_log_bytes = 10;
    too_large.set_value(conversation.ask(*Nonce::from(Bytes(kNonceSize))).refusal);
    conversation.max_log_bytes = 1 << 20;
    tpm_gone.wait();
    no_tpm.set_value(conversation.ask(*Nonce::from(Bytes(kNonceSize))).refusal);
    tpm_back.wait();
    judged.set_value(conversation.attest_now());
    return grpc::Status::OK;
  });
  node.start_agent(verifier.endpoint(node.ca));
  CHECK(result_of(too_large).starts_with(fault_name(FaultId::kEvidenceTooLarge)));
  node.swtpm.stop();
  gone.set_value();
  CHECK(result_of(no_tpm).starts_with(fault_name(FaultId::kTpmUnavailable)));
  node.swtpm.restart();
  node.swtpm.measure(node.kernel.bytes());
  back.set_value();
  check_trusted(result_of(judged), 1);
  node.stop_agent();
}

TEST_CASE("Session: an agent that is not enrolled waits, and stops when it is told to") {
  Node node;
  std::atomic<int> streams = 0;
  const FakeVerifier verifier(node.ca, [&](FakeVerifier::Wire&, grpc::ServerContext&) {
    ++streams;
    return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "no node has this key");
  });
  node.start_agent(verifier.endpoint(node.ca));
  CHECK(testing::eventually([&] { return streams == 1; }));
  node.stop_agent();
  CHECK(streams == 1);
}

TEST_CASE("Session: it stops in the middle of an answer, read or not") {
  enum class Verifier { kReadsOn, kReadsNoMore };
  for (const Verifier verifier : {Verifier::kReadsOn, Verifier::kReadsNoMore}) {
    CAPTURE(static_cast<int>(verifier));
    Node node;
    std::filesystem::resize_file(node.dir / "log", std::uintmax_t{1} << 40);  // sparse
    std::promise<void> begun;
    const auto script = [&](FakeVerifier::Wire& wire, grpc::ServerContext& context) {
      const AkPublic ak = Conversation::hello(wire);
      wire.Write(testing::challenge_message(1, {.nonce = *Nonce::from(Bytes(kNonceSize)),
                                                .selection = default_selection(HashAlg::kSha256),
                                                .first_entry = 0,
                                                .first_byte = 0,
                                                .max_log_bytes = std::uint64_t{1} << 50}));
      v1::AgentMessage message;
      for (int i = 0; i < 3; ++i) wire.Read(&message);  // the quote and two chunks
      begun.set_value();
      if (verifier == Verifier::kReadsOn) {
        while (wire.Read(&message)) continue;
      }
      testing::eventually([&] { return context.IsCancelled(); });
      return grpc::Status::OK;
    };
    const FakeVerifier server(node.ca, script);
    node.start_agent(server.endpoint(node.ca));
    begun.get_future().wait();
    node.stop_agent();
  }
}

}  // namespace
}  // namespace assay::agent
