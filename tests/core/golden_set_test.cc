#include "core/golden_set.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>

#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

TEST_CASE("GoldenSnapshot: an empty one holds nothing") {
  CHECK_FALSE(GoldenSnapshot().contains(digest_of("x")));
  CHECK_FALSE(GoldenSnapshot::Builder().build().contains(digest_of("x")));
}

TEST_CASE("GoldenSnapshot: a digest of another algorithm is another digest") {
  GoldenSnapshot::Builder builder;
  const auto set = builder.add_set("a");
  builder.add(set, *Digest::from(HashAlg::kSha1, Bytes(20, 7)));
  const GoldenSnapshot snapshot = std::move(builder).build();
  CHECK(snapshot.contains(*Digest::from(HashAlg::kSha1, Bytes(20, 7))));
  CHECK_FALSE(snapshot.contains(*Digest::padded(HashAlg::kSha256, Bytes(20, 7))));
}

TEST_CASE("GoldenSnapshot: finds what an ordinary map finds, with the sets that hold it") {
  std::mt19937 random(11);
  GoldenSnapshot::Builder builder;
  std::map<Digest, std::set<GoldenSnapshot::SetIndex>> reference;
  for (int s = 0; s < 5; ++s) builder.add_set("set" + std::to_string(s));
  for (int i = 0; i < 5000; ++i) {
    // The first eight bytes collide often: probing has to tell digests apart by all of them.
    Bytes bytes(32, 0);
    bytes[0] = static_cast<std::uint8_t>(random() % 8);
    bytes[20] = static_cast<std::uint8_t>(random() % 64);
    const Digest digest = *Digest::from(HashAlg::kSha256, bytes);
    const auto set = static_cast<GoldenSnapshot::SetIndex>(random() % 5);
    builder.add(set, digest);
    reference[digest].insert(set);
  }
  const GoldenSnapshot snapshot = std::move(builder).build();
  CHECK(snapshot.digest_count() == reference.size());
  CHECK(snapshot.set_count() == 5);
  for (const auto& [digest, sets] : reference) {
    const auto found = snapshot.sets_of(digest);
    CHECK(std::set<GoldenSnapshot::SetIndex>(found.begin(), found.end()) == sets);
  }
  for (int i = 0; i < 1000; ++i) CHECK_FALSE(snapshot.contains(digest_of(std::to_string(i))));
}

TEST_CASE("GoldenSnapshot: tables are shared, and what is golden follows the sets") {
  DigestTable::Builder old_files;
  old_files.add(0, digest_of("base"));
  old_files.add(1, digest_of("old"));
  DigestTable::Builder new_files;
  new_files.add(2, digest_of("new"));
  new_files.add(2, digest_of("old"));  // a file that two groups have
  const std::vector tables{std::move(old_files).build(), std::move(new_files).build()};

  const GoldenSnapshot before(tables, {{"a", {0, 1}}, {"b", {0}}});
  CHECK(before.sets_of(digest_of("base")) == std::vector<GoldenSnapshot::SetIndex>{0, 1});
  CHECK(before.contains(digest_of("old")));
  CHECK_FALSE(before.contains(digest_of("new")));  // its group is in no set
  CHECK(before.digest_count() == 2);

  const GoldenSnapshot both(tables, {{"a", {0, 1}}, {"b", {0, 2}}});
  CHECK(both.sets_of(digest_of("old")) == std::vector<GoldenSnapshot::SetIndex>{0, 1});
  CHECK(both.digest_count() == 3);

  const GoldenSnapshot after(tables, {{"b", {0, 2}}});
  CHECK(after.sets_of(digest_of("old")) == std::vector<GoldenSnapshot::SetIndex>{0});
  CHECK(after.set_name(0) == "b");
  CHECK(GoldenSnapshot(tables, {}).digest_count() == 0);
  CHECK_FALSE(GoldenSnapshot(tables, {}).contains(digest_of("base")));
}
