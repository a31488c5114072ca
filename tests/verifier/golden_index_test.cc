#include "verifier/golden_index.h"

#include <doctest/doctest.h>

#include <random>
#include <set>

#include "tests/support/fake_clock.h"
#include "tests/support/golden_file.h"
#include "tests/support/signing.h"
#include "tests/support/temp_dir.h"

using namespace assay;
using namespace assay::testing;

namespace {

struct Case {
  TempDir dir;
  FakeClock clock;
  Store store = *Store::open(dir / "d.db", {});
  GoldenIndex index{7};
  int pushed = 0;

  void push(const std::string& name, const std::set<int>& contents) {
    GoldenSet set{.name = name, .source = "rootfs", .files = {}};
    for (const int content : contents) {
      const std::string text = std::to_string(content);
      set.files.push_back(file("/bin/" + text, text));
    }
    sort_files(set.files);
    REQUIRE(store.push_golden({.set = set,
                               .digest = digest_of(std::to_string(++pushed)),
                               .by = "operator",
                               .grace = std::chrono::seconds(5)},
                              clock.now()));
  }
};

}  // namespace

TEST_CASE("GoldenIndex: an appraisal keeps the snapshot that it began with") {
  Case c;
  c.push("a", {1});
  REQUIRE(c.index.refresh(c.store, c.clock.now()));
  const auto before = c.index.current();
  c.push("a", {2});
  c.clock.advance(std::chrono::seconds(5));
  const auto contents = c.index.refresh(c.store, c.clock.now());
  REQUIRE(contents.has_value());
  CHECK(contents->sets == 1);
  CHECK(contents->hashes == 1);
  CHECK(before->contains(digest_of("1")));
  CHECK_FALSE(before->contains(digest_of("2")));
  CHECK(c.index.current()->contains(digest_of("2")));
  CHECK_FALSE(c.index.current()->contains(digest_of("1")));
}

TEST_CASE("GoldenIndex: knows when a superseded set stops counting") {
  Case c;
  c.push("a", {1});
  REQUIRE(c.index.refresh(c.store, c.clock.now()));
  CHECK_FALSE(c.index.next_change().has_value());
  const Instant first = c.clock.now();
  c.push("a", {2});
  c.clock.advance(std::chrono::seconds(1));
  c.push("a", {3});
  REQUIRE(c.index.refresh(c.store, c.clock.now()));
  CHECK(c.index.next_change() == first + std::chrono::seconds(5));
  c.clock.advance(std::chrono::seconds(4));
  REQUIRE(c.index.refresh(c.store, c.clock.now()));
  CHECK(c.index.next_change() == first + std::chrono::seconds(6));
}

TEST_CASE("GoldenIndex: what counts no more is dropped in time") {
  Case c;
  std::uint64_t held = 0;
  for (int i = 0; i < 200; ++i) {
    std::set<int> contents;
    for (int file = 0; file < 10; ++file) contents.insert(1000 * i + file);
    c.push("a", contents);
    c.clock.advance(std::chrono::seconds(5));
    const auto now = c.index.refresh(c.store, c.clock.now());
    REQUIRE(now.has_value());
    CHECK(now->hashes == 10);
    held = std::max(held, now->held);
  }
  CHECK(held <= 20);  // a table is merged with the next one of its size
}

TEST_CASE("GoldenIndex: however sets change, it holds what one made anew holds") {
  // Tables are merged, groups dropped and taken up again many times on the way.
  Case c;
  std::mt19937 random(3);
  for (int step = 0; step < 150; ++step) {
    const std::string name = "set" + std::to_string(random() % 6);
    if (random() % 8 == 0) {
      static_cast<void>(c.store.revoke_golden({name}, {.by = "x", .at = c.clock.now()}, "test"));
    } else if (random() % 8 == 0) {
      static_cast<void>(c.store.approve_golden(
          {name, 1 + random() % 4}, {.by = "x", .at = c.clock.now()}, std::chrono::seconds(3)));
    } else {
      std::set<int> contents;
      for (std::size_t i = 0; i < 1 + random() % (step % 10 == 0 ? 300 : 20); ++i) {
        contents.insert(static_cast<int>(random() % 500));
      }
      c.push(name, contents);
    }
    c.clock.advance(std::chrono::seconds(random() % 3));
    REQUIRE(c.index.refresh(c.store, c.clock.now()));
    GoldenIndex anew(11);
    REQUIRE(anew.refresh(c.store, c.clock.now()));
    const auto ours = c.index.current();
    const auto theirs = anew.current();
    REQUIRE(ours->set_count() == theirs->set_count());
    CHECK(ours->digest_count() == theirs->digest_count());
    for (int content = 0; content < 500; ++content) {
      const Digest digest = digest_of(std::to_string(content));
      REQUIRE(ours->sets_of(digest) == theirs->sets_of(digest));
      REQUIRE(ours->contains(digest) == theirs->contains(digest));
    }
  }
}

TEST_CASE("GoldenIndex: names what an appraisal accepted, by the snapshot that it began with") {
  Case c;
  c.push("a", {1});
  c.push("b", {2});
  REQUIRE(c.index.refresh(c.store, c.clock.now()));
  const auto before = c.index.current();
  const auto groups_of = [&](const GoldenSnapshot& golden, const char* content) {
    AcceptedEntries accepted;
    golden.contains(digest_of(content), [&](GoldenSnapshot::Group group) {
      accepted.groups.push_back({.group = group, .alone = true});
    });
    std::vector<std::vector<Digest>> out;
    for (const GoldenUse::Group& group : c.index.use_of(accepted, golden).groups) {
      CHECK(group.alone);
      out.push_back(*c.store.golden_group_digests(group.id));
    }
    return out;
  };
  const std::vector<std::vector<Digest>> of_a = {{digest_of("1")}};
  CHECK(groups_of(*before, "1") == of_a);
  for (int i = 0; i < 100; ++i) {
    c.push("c", {1000 + i});
    c.clock.advance(std::chrono::seconds(6));
    REQUIRE(c.index.refresh(c.store, c.clock.now()));
  }
  CHECK(groups_of(*before, "1") == of_a);
  CHECK(groups_of(*c.index.current(), "1") == of_a);
  CHECK(groups_of(*c.index.current(), "1099") ==
        std::vector<std::vector<Digest>>{{digest_of("1099")}});
}

TEST_CASE("GoldenIndex: names what pods were accepted by, and leaves out who has nothing left") {
  Case c;
  c.push("a", {1});
  REQUIRE(c.index.refresh(c.store, c.clock.now()));
  const auto golden = c.index.current();
  AcceptedEntries accepted{.pods_complete = false};
  const PodLabel first = *PodLabel::uid_range(65536);
  golden->contains(digest_of("1"), [&](GoldenSnapshot::Group group) {
    accepted.pods.push_back({.label = first, .groups = {{.group = group, .alone = true}}});
  });
  accepted.pods.push_back({.label = *PodLabel::uid_range(131072), .groups = {{.group = 999}}});
  const GoldenUse use = c.index.use_of(accepted, *golden);
  CHECK_FALSE(use.pods_complete);
  REQUIRE(use.pods.size() == 1);
  CHECK(use.pods[0].label == first);
  REQUIRE(use.pods[0].groups.size() == 1);
  CHECK(use.pods[0].groups[0].alone);
  CHECK(*c.store.golden_group_digests(use.pods[0].groups[0].id) ==
        std::vector<Digest>{digest_of("1")});
}

TEST_CASE("GoldenIndex: names the keys that signed what pods ran") {
  const SigningKey key = SigningKey::ecdsa();
  const SigningKey other = SigningKey::ecdsa();
  GoldenSnapshot::Builder builder;
  const auto set = builder.add_set("signed");
  builder.add_signer(set, other.signer());
  builder.add_signer(set, key.signer());
  const GoldenSnapshot golden = std::move(builder).build();
  AcceptedEntries accepted;
  const Digest fingerprint = key.signer().fingerprint();
  accepted.signers.push_back({.set = "signed", .key = fingerprint, .entries = 1});
  accepted.pods.push_back(
      {.label = *PodLabel::uid_range(65536), .groups = {}, .signers = {fingerprint}});
  const GoldenUse use = GoldenIndex(1).use_of(accepted, golden);
  REQUIRE(use.pods.size() == 1);
  CHECK(use.pods[0].signers == std::vector<Bytes>{key.signer().encoded()});
  CHECK(use.signers == use.pods[0].signers);
}
