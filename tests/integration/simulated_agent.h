// A node whose agent answers by itself, on gRPC's own threads: hundreds fit in one process.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "assay/v1/agent.pb.h"
#include "tests/support/simulated_node.h"

namespace assay::testing {

class SimulatedAgent {
 public:
  SimulatedAgent();
  ~SimulatedAgent();  // ends the stream and waits until it has ended

  Bytes ak_public() const { return node_.tpm().ak_public(); }

  // Dials, and answers every challenge from then on.
  void connect(const std::shared_ptr<grpc::Channel>& channel);

  // Runs a file on the node, and hints that its log has grown.
  void run(const std::string& path, const std::string& content);
  // Likewise, as a process in this cgroup, on a kernel that records it.
  void run_in_cgroup(const std::string& path, const std::string& content,
                     const std::string& cgroup);

  // Likewise, a file that this user owns, on a kernel that records it.
  void run_file_of(const std::string& path, const std::string& content, std::uint32_t owner);

  // The next answer that brings a log claims that this pod alone has 65536 user ids from `host` on.
  void claim(const std::string& pod_uid, std::uint32_t host);

  struct Seen {
    std::uint64_t outcomes = 0;  // so far
    std::string state = {};      // of the last one
    std::string ended = {};      // why the stream has ended; empty while it goes on
  };
  Seen seen() const;

 private:
  class Reactor;
  void grow(const std::function<void()>& measure);
  mutable std::mutex mutex_;
  mutable SimulatedNode node_;
  Seen seen_;
  std::optional<v1::AgentMessage> claims_;
  std::unique_ptr<Reactor> reactor_;
};

}  // namespace assay::testing
