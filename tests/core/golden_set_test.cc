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
    const auto found = snapshot.find(digest);
    CHECK(std::set<GoldenSnapshot::SetIndex>(found.begin(), found.end()) == sets);
  }
  for (int i = 0; i < 1000; ++i) CHECK_FALSE(snapshot.contains(digest_of(std::to_string(i))));
}
