#include "verifier/store/monitored_rows.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"
#include "tests/verifier/store/golden_case.h"

namespace assay {
namespace {

using testing::digest;
using testing::kNow;
using testing::later;
using testing::StoreCase;

struct Case : StoreCase {
  void see(const std::vector<MonitoredFile>& files, int second) {
    AttemptRecord seen = attempt(NodeState::kTrusted);
    seen.at = later(second);
    seen.monitored = files;
    REQUIRE(store->commit(seen));
  }

  std::vector<std::string> paths(const GoldenId& id) {
    const auto files = store->golden_files(id, 0, 100'000);
    REQUIRE(files);
    std::vector<std::string> out;
    for (const GoldenFile& file : *files) out.push_back(file.path);
    return out;
  }

  GoldenRecord newest(const std::string& name) {
    const auto history = store->golden_history(name);
    REQUIRE(history);
    return history->front();
  }
};

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("commit: files of monitored namespaces are drafted, each in its set, and counted once") {
  Case c;
  c.see({{"staging", "/a", digest(1)}, {"dev", "/d", digest(4)}}, 1);
  GoldenRecord draft = c.newest("monitored/staging");
  CHECK(draft.state == GoldenState::kDraft);
  CHECK(draft.source == "monitor");
  CHECK(draft.pushed_by == "monitor");
  CHECK(c.paths({"monitored/dev"}) == Paths{"/d"});
  c.see({{"staging", "/b", digest(2)}}, 2);
  c.see({{"staging", "/a", digest(1)}, {"staging", "/b", digest(2)}}, 3);  // nothing new
  draft = c.newest("monitored/staging");
  CHECK(draft.generation == 2);
  CHECK(draft.files == 2);
  CHECK(c.paths({"monitored/staging", 2}) == Paths{"/a", "/b"});
  CHECK(c.store->golden_in_force(later(4))->empty());
}

TEST_CASE("commit: a draft goes on from what was approved, and what was revoked stays so") {
  Case c;
  c.see({{"staging", "/a", digest(1)}}, 1);
  REQUIRE(c.store->approve_golden({"monitored/staging"}, {.by = "operator", .at = later(2)}, {}));
  c.see({{"staging", "/b", digest(2)}}, 3);
  const GoldenRecord draft = c.newest("monitored/staging");
  CHECK(draft.state == GoldenState::kDraft);
  CHECK(c.paths({"monitored/staging", draft.generation}) == Paths{"/a", "/b"});
  CHECK(c.store->golden_in_force(later(4))->size() == 1);
  REQUIRE(c.store->revoke_golden({"monitored/staging"}, {.by = "operator", .at = later(5)}, "no"));
  c.see({{"staging", "/a", digest(1)}}, 6);  // as the first generation was: not again
  CHECK(c.newest("monitored/staging").state == GoldenState::kRevoked);
  c.see({{"staging", "/c", digest(3)}}, 7);
  CHECK(c.newest("monitored/staging").state == GoldenState::kDraft);
  CHECK(c.paths({"monitored/staging", c.newest("monitored/staging").generation}) == Paths{"/c"});
}

TEST_CASE("commit: a draft goes on from a set that somebody pushed under its name") {
  Case c;
  GoldenSet pushed{.name = "monitored/staging", .source = "oci", .files = {}};
  pushed.image = GoldenImage{.names = {}, .digests = {}, .layers = {digest(9)}};
  pushed.files = {{.path = "/a", .digests = {digest(1)}, .layer = 0}};
  REQUIRE(c.store->push_golden(testing::push_of(pushed, 8), kNow));
  c.see({{"staging", "/b", digest(2)}}, 1);
  const GoldenRecord draft = c.newest("monitored/staging");
  CHECK(draft.state == GoldenState::kDraft);
  CHECK_FALSE(draft.image.has_value());
  CHECK(c.paths({"monitored/staging", draft.generation}) == Paths{"/a", "/b"});
}

TEST_CASE("commit: a draft has a bound, and the audit says when it is reached") {
  Case c;
  std::vector<MonitoredFile> files;
  for (std::size_t i = 0; i < kMaxDraftedFiles + 5; ++i) {
    files.push_back({"staging", "/" + std::to_string(i), digest(1)});
  }
  c.see(files, 1);
  CHECK(c.newest("monitored/staging").files == kMaxDraftedFiles);
  c.see({{"staging", "/more", digest(2)}}, 2);
  CHECK(c.newest("monitored/staging").files == kMaxDraftedFiles);
  const auto audit = c.store->audit(0, 100);
  REQUIRE(audit);
  CHECK(std::ranges::count(*audit, "golden.draft_full", &AuditRecord::action) == 1);
}

}  // namespace assay
