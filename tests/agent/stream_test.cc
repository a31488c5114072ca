#include "agent/stream.h"

#include <doctest/doctest.h>
#include <sys/eventfd.h>

#include "tests/agent/fake_verifier.h"
#include "tests/support/child_process.h"

namespace assay::agent {
namespace {

using testing::FakeVerifier;
using testing::TestCa;

struct Rig {
  TestCa ca;
  Wakeup wakeup = *Wakeup::make(Fd(::eventfd(0, EFD_CLOEXEC)));

  // Events until one is a T.
  template <typename T>
  T wait_for(Stream& stream) {
    wakeup.ticks(testing::kPatience);
    for (;;) {
      while (auto event = stream.take()) {
        if (auto* wanted = std::get_if<T>(&*event)) return std::move(*wanted);
      }
      REQUIRE(wakeup.wait() == Wake::kNotice);
    }
  }
};

FakeVerifier::Script ends_with(grpc::StatusCode code, const std::string& words) {
  return [=](FakeVerifier::Wire&, grpc::ServerContext&) { return grpc::Status(code, words); };
}

TEST_CASE("Stream: messages go both ways") {
  Rig rig;
  std::string key;
  FakeVerifier verifier(rig.ca, [&](FakeVerifier::Wire& wire, grpc::ServerContext&) {
    v1::AgentMessage message;
    wire.Read(&message);
    key = message.hello().ak_public();
    v1::VerifierMessage outcome;
    for (std::uint64_t id = 1; id <= 3; ++id) {
      outcome.mutable_outcome()->set_challenge_id(id);
      wire.Write(outcome);
    }
    return grpc::Status::OK;
  });
  Stream stream(verifier.endpoint(rig.ca), rig.wakeup);
  stream.write(Hello{.ak_public = {'k', 'e', 'y'}, .agent_version = ""});
  for (std::uint64_t id = 1; id <= 3; ++id) {
    CHECK(std::get<Outcome>(rig.wait_for<Received>(stream)).challenge_id == id);
  }
  CHECK(rig.wait_for<Closed>(stream).why.id == FaultId::kUnavailable);
  CHECK(key == "key");
  stream.write(Hint{.measurements = 1});  // after the end: nothing
}

TEST_CASE("Stream: why the verifier closed it, and what to do") {
  struct Row {
    grpc::StatusCode code;
    FaultId want;
    std::string says;
  };
  const Row rows[] = {
      {grpc::StatusCode::PERMISSION_DENIED, FaultId::kAkUnknown, "words\\x0a"},
      {grpc::StatusCode::FAILED_PRECONDITION, FaultId::kEnrolPending, "words\\x0a"},
      {grpc::StatusCode::ALREADY_EXISTS, FaultId::kAlreadyExists, "stop the other assay-agent"},
      {grpc::StatusCode::INVALID_ARGUMENT, FaultId::kRequestInvalid, "the same version"},
      {grpc::StatusCode::UNAVAILABLE, FaultId::kUnavailable, "words\\x0a"},
      {grpc::StatusCode::INTERNAL, FaultId::kUnavailable, "words\\x0a"},
      {grpc::StatusCode::OK, FaultId::kUnavailable, "ended the stream"},
  };
  Rig rig;
  for (const Row& row : rows) {
    CAPTURE(static_cast<int>(row.code));
    FakeVerifier verifier(rig.ca, ends_with(row.code, "words\n"));
    Stream stream(verifier.endpoint(rig.ca), rig.wakeup);
    const Fault why = rig.wait_for<Closed>(stream).why;
    CHECK(why.id == row.want);
    CAPTURE(why.detail);
    CHECK(why.detail.find(row.says) != std::string::npos);
  }
}

TEST_CASE("Stream: a verifier that our CA does not vouch for is not spoken to") {
  Rig rig;
  bool reached = false;
  const auto script = [&](FakeVerifier::Wire&, grpc::ServerContext&) {
    reached = true;
    return grpc::Status::OK;
  };
  const auto check_refused = [&](const Endpoint& endpoint) {
    Stream stream(endpoint, rig.wakeup);
    stream.write(Hello{.ak_public = {}, .agent_version = ""});
    const Fault why = rig.wait_for<Closed>(stream).why;
    CHECK(why.id == FaultId::kUnavailable);
    CAPTURE(why.detail);
    CHECK(why.detail.find("check ca_file, server_name") != std::string::npos);
    CHECK_FALSE(reached);
  };
  SUBCASE("another CA") {
    const TestCa other;
    const FakeVerifier verifier(other, script);
    check_refused(verifier.endpoint(rig.ca));
  }
  SUBCASE("another name") {
    const FakeVerifier verifier(rig.ca, script, 0, "DNS:other.example");
    check_refused(verifier.endpoint(rig.ca));
  }
  SUBCASE("another name than server_name") {
    const FakeVerifier verifier(rig.ca, script, 0, "IP:127.0.0.1");
    Endpoint endpoint = verifier.endpoint(rig.ca);
    endpoint.server_name = "assay.example";
    check_refused(endpoint);
  }
}

TEST_CASE("Stream: server_name is the name that the certificate has to bear") {
  Rig rig;
  const FakeVerifier verifier(rig.ca, ends_with(grpc::StatusCode::PERMISSION_DENIED, ""), 0,
                              "DNS:assay.example");
  Endpoint endpoint = verifier.endpoint(rig.ca);
  endpoint.server_name = "assay.example";
  Stream stream(endpoint, rig.wakeup);
  CHECK(rig.wait_for<Closed>(stream).why.id == FaultId::kAkUnknown);
}

TEST_CASE("Stream: nobody at the port is a fault at once") {
  Rig rig;
  int port = 0;
  { port = FakeVerifier(rig.ca, ends_with(grpc::StatusCode::OK, "")).port(); }
  Stream stream({.verifier = "127.0.0.1:" + std::to_string(port),
                 .ca_pem = rig.ca.certificate_pem(),
                 .server_name = ""},
                rig.wakeup);
  CHECK(rig.wait_for<Closed>(stream).why.id == FaultId::kUnavailable);
}

TEST_CASE("Stream: it can be let go of at any moment") {
  Rig rig;
  const FakeVerifier verifier(rig.ca, [](FakeVerifier::Wire& wire, grpc::ServerContext&) {
    for (v1::AgentMessage message; wire.Read(&message);) continue;
    return grpc::Status::OK;
  });
  for (int i = 0; i < 20; ++i) {
    Stream stream(verifier.endpoint(rig.ca), rig.wakeup);
    stream.write(Hello{.ak_public = {}, .agent_version = ""});
    if (i % 2 == 0) rig.wait_for<Written>(stream);
  }
}

TEST_CASE("Stream: a message from the verifier over the limit ends the stream") {
  Rig rig;
  const FakeVerifier verifier(rig.ca, [](FakeVerifier::Wire& wire, grpc::ServerContext& context) {
    v1::VerifierMessage message;
    message.mutable_outcome()->set_state(std::string(100'000, 'x'));
    wire.Write(message);
    testing::eventually([&] { return context.IsCancelled(); });
    return grpc::Status::OK;
  });
  Stream stream(verifier.endpoint(rig.ca), rig.wakeup);
  const Fault why = rig.wait_for<Closed>(stream).why;
  CHECK(why.id == FaultId::kUnavailable);
  CHECK(why.detail.find("larger than max") != std::string::npos);
}

}  // namespace
}  // namespace assay::agent
