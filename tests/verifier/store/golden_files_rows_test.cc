#include "verifier/store/golden_files_rows.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"
#include "tests/verifier/store/golden_case.h"

namespace assay {
namespace {

using testing::count;
using testing::digest;
using testing::fault_of;
using testing::host_set;
using testing::kNow;
using testing::push_of;
using testing::set_of;
using testing::snapshot_at;
using testing::StoreCase;

// A file of layer `layer` whose content is `content`.
GoldenFile layered(std::uint8_t content, std::uint8_t layer) {
  return {.path = "/bin/" + std::to_string(content),
          .digests = {digest(content)},
          .size = 7,
          .mode = 04755,
          .uid = 0,
          .gid = 4'294'967'295,
          .kind = ContentKind::kElf,
          .layer = layer};
}

TEST_CASE("push_golden: files that sets share are stored once") {
  StoreCase c;
  for (int tag = 0; tag < 50; ++tag) {
    REQUIRE(c.store->push_golden(push_of(set_of("shop/web:" + std::to_string(tag), {1, 2, 3}),
                                         static_cast<std::uint8_t>(tag)),
                                 kNow));
  }
  CHECK(count(c, "golden_generations") == 50);
  CHECK(count(c, "golden_groups") == 1);
  CHECK(count(c, "golden_group_files") == 3);
  CHECK(snapshot_at(*c.store, kNow).sets_of(digest(2)).size() == 50);
}

TEST_CASE("push_golden: files are stored once for each layer, whatever else images have") {
  StoreCase c;
  for (std::uint8_t tag = 0; tag < 50; ++tag) {
    GoldenSet set{.name = "shop/web:" + std::to_string(tag), .source = "oci", .files = {}};
    set.image =
        GoldenImage{.names = {}, .digests = {}, .layers = {digest(1), digest(2), digest(3)}};
    // Base layers that all share, and an uppermost one of its own; in the order of paths.
    set.files = {layered(1, 0), layered(2, 1), layered(3, 0)};
    set.files.push_back(layered(static_cast<std::uint8_t>(100 + tag), 2));
    sort_files(set.files);
    REQUIRE(c.store->push_golden(push_of(set, tag), kNow));
  }
  CHECK(count(c, "golden_groups") == 52);
  CHECK(count(c, "golden_group_files") == 53);
  // Layer by layer, in each by path, in pages that do not end where layers do.
  const std::vector<GoldenFile> all{layered(1, 0), layered(3, 0), layered(2, 1), layered(107, 2)};
  CHECK(*c.store->golden_files({"shop/web:7"}, 0, 10) == all);
  CHECK(*c.store->golden_files({"shop/web:7"}, 1, 2) ==
        std::vector(all.begin() + 1, all.begin() + 3));
  CHECK(*c.store->golden_files({"shop/web:7"}, 3, 9) == std::vector(all.begin() + 3, all.end()));
  CHECK(c.store->golden_files({"shop/web:7"}, 4, 9)->empty());
  const GoldenSnapshot snapshot = snapshot_at(*c.store, kNow);
  CHECK(snapshot.sets_of(digest(3)).size() == 50);
  CHECK(snapshot.sets_of(digest(107)).size() == 1);
}

TEST_CASE("push_golden: files that differ in one member are other files") {
  const GoldenFile original = layered(1, 0);
  std::vector<GoldenFile> others(7, original);
  others[0].path = "/bin/2";
  others[1].digests = {digest(2)};
  others[2].size = 8;
  others[3].mode = 0755;
  others[4].uid.reset();  // not known is not 0
  others[5].gid = 0;
  others[6].kind = ContentKind::kScript;
  StoreCase c;
  const auto push = [&](const GoldenFile& file, std::uint8_t number) {
    const GoldenSet set{.name = "set" + std::to_string(number),
                        .source = "oci",
                        .files = {file},
                        .image = GoldenImage{.names = {}, .digests = {}, .layers = {digest(1)}}};
    REQUIRE(c.store->push_golden(push_of(set, number), kNow));
    CHECK(*c.store->golden_files({set.name}, 0, 2) == set.files);
  };
  push(original, 100);
  for (std::size_t i = 0; i < others.size(); ++i) push(others[i], static_cast<std::uint8_t>(i));
  CHECK(count(c, "golden_groups") == 8);
}

TEST_CASE("golden_files: pages in the set's order, and nothing after the end") {
  StoreCase c;
  REQUIRE(c.store->push_golden(push_of(host_set(), 9), kNow));
  const auto page = c.store->golden_files({"host/debian-12"}, 1, 1);
  REQUIRE(page);
  REQUIRE(page->size() == 1);
  CHECK((*page)[0] == host_set().files[1]);
  CHECK(c.store->golden_files({"host/debian-12"}, ~std::uint64_t{0}, 10)->empty());
  CHECK(c.store->golden_files({"host/debian-12"}, 0, 0)->empty());
}

TEST_CASE("golden_files: a kind that no version wrote is refused") {
  StoreCase c;
  REQUIRE(c.store->push_golden(push_of(host_set(), 9), kNow));
  c.edit("UPDATE golden_group_files SET kind = 'exe'");
  c.reopen();
  CHECK(fault_of(c.store->golden_files({"host/debian-12"}, 0, 9)) == FaultId::kStoreFailed);
}

}  // namespace
}  // namespace assay
