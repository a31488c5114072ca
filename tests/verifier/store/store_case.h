// A store with one enrolled node, on a disk that goes away.
#pragma once

#include <string>
#include <vector>

#include "tests/support/fake_tpm.h"
#include "tests/support/temp_dir.h"
#include "verifier/store/sqlite.h"
#include "verifier/store/store.h"

namespace assay::testing {

inline constexpr Instant kNow{std::chrono::milliseconds(1'700'000'000'123)};

inline Instant later(int seconds) {
  return kNow + std::chrono::seconds(seconds);
}

class StoreCase {
 public:
  explicit StoreCase(std::vector<std::string> sinks = {"hook"});

  // Closes the database and opens it again, as a restart does.
  void reopen();
  // Closes it and runs `sql` on the bare file.
  void edit(const char* sql);

  // The default attempt: at kNow, proven, nothing wrong.
  AttemptRecord attempt(NodeState state) const;
  // One that found `faults`, of a node that is compromised by them.
  AttemptRecord findings(std::vector<Fault> faults) const;

  NodeRecord node();
  std::vector<OutboxRecord> due(const std::string& sink = "hook", Instant now = later(0));

  TempDir dir;
  std::filesystem::path path = dir / "assay.db";
  AkPublic ak = FakeTpm().ak();
  std::vector<std::string> sinks;
  std::optional<Store> store;
  NodeId node_id{};
};

// An unknown file at `entry`.
Fault unknown_file(std::uint64_t entry, std::string path = "/bin/x");

// Whether two faults say the same.
bool same(const Fault& a, const Fault& b);

}  // namespace assay::testing
