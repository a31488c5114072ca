#include "verifier/store/store.h"

#include <doctest/doctest.h>

#include <thread>

#include "tests/verifier/store/store_case.h"

namespace assay {
namespace {

using testing::kNow;
using testing::later;
using testing::StoreCase;
using testing::unknown_file;

TEST_CASE("Store: works in memory") {
  auto store = Store::open(":memory:", {});
  REQUIRE(store);
  REQUIRE(store->enrol_node("n1", testing::FakeTpm().ak(), kNow));
  CHECK(store->nodes()->size() == 1);
}

TEST_CASE("Store: a second one on the same file is refused while the first is open") {
  StoreCase c;
  const auto second = Store::open(c.path, {});
  REQUIRE_FALSE(second);
  CHECK(second.error().id == FaultId::kStoreFailed);
  CHECK(second.error().detail.find("open in another program") != std::string::npos);
  CHECK(second.error().detail.find(c.path.string()) != std::string::npos);
  CHECK(c.store->commit(c.attempt(NodeState::kTrusted)));
  c.reopen();
}

TEST_CASE("commit: an attempt whose last part fails leaves no trace of its first") {
  StoreCase c;
  REQUIRE(c.store->commit(c.attempt(NodeState::kTrusted)));
  c.edit("CREATE TRIGGER no_room BEFORE INSERT ON outbox BEGIN SELECT raise(ABORT, 'no'); END");
  c.reopen();
  const auto failed = c.store->commit(c.findings({unknown_file(9)}));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().id == FaultId::kStoreFailed);
  CHECK(c.node().standing.state == NodeState::kTrusted);
  CHECK(c.node().faults.empty());
  CHECK(c.store->violations({})->empty());
  c.edit("DROP TRIGGER no_room");
  c.reopen();
  CHECK(c.store->commit(c.findings({unknown_file(9)})) == 1);
}

TEST_CASE("commit: many threads at once lose nothing") {
  StoreCase c;
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < 8; ++t) {
      threads.emplace_back([&c, t] {
        for (std::uint64_t i = 0; i < 20; ++i) {
          static_cast<void>(c.store->commit(c.findings({unknown_file(t * 100 + i)})));
        }
      });
    }
  }
  CHECK(c.node().open_violations == 160);
  CHECK(c.store->queued_notifications() == 161);
}

}  // namespace
}  // namespace assay
