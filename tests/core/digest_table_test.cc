#include "core/digest_table.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>

#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

std::vector<DigestTable::Group> groups_of(const DigestTable& table, const Digest& digest) {
  const auto found = table.find(digest);
  return {found.begin(), found.end()};
}

Digest numbered(HashAlg alg, std::uint32_t number, std::size_t at) {
  Bytes bytes(hash_size(alg), 0xab);
  for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<std::uint8_t>(number >> (8 * i));
  return *Digest::from(alg, bytes);
}

}  // namespace

TEST_CASE("DigestTable: an empty one holds nothing") {
  CHECK(DigestTable().find(digest_of("x")).empty());
  CHECK(DigestTable().digest_count() == 0);
  CHECK(DigestTable::Builder().build().find(digest_of("x")).empty());
}

TEST_CASE("DigestTable: finds what an ordinary map finds, of every algorithm") {
  std::mt19937 random(5);
  std::map<Digest, std::set<DigestTable::Group>> reference;
  DigestTable::Builder builder(42);
  builder.reserve(100);
  for (DigestTable::Group group = 0; group < 40; ++group) {
    std::vector<Digest> digests;
    for (int i = 0; i < 500; ++i) {
      const HashAlg alg = kAllHashAlgs[random() % 4];
      digests.push_back(numbered(alg, random() % 3000, 7));
      reference[digests.back()].insert(group);
    }
    if (group == 20) builder.reserve(2000);
    if (group % 2 == 0) {
      builder.add(group, digests);
    } else {
      for (const Digest& digest : digests) builder.add(group, digest);
    }
  }
  const DigestTable table = std::move(builder).build();
  CHECK(table.digest_count() == reference.size());
  std::size_t visited = 0;
  table.for_each([&](const Digest& digest, std::span<const DigestTable::Group> groups) {
    ++visited;
    const std::set<DigestTable::Group> seen(groups.begin(), groups.end());
    CHECK(seen == reference.at(digest));
  });
  CHECK(visited == reference.size());
  for (const auto& [digest, groups] : reference) {
    // Ascending, as they were added, each once.
    CHECK(groups_of(table, digest) == std::vector(groups.begin(), groups.end()));
  }
  for (std::uint32_t i = 3000; i < 4000; ++i) {
    for (const HashAlg alg : kAllHashAlgs) CHECK(table.find(numbered(alg, i, 7)).empty());
  }
}

TEST_CASE("DigestTable: the largest group number is one like others") {
  DigestTable::Builder builder;
  builder.add(0, digest_of("both"));
  builder.add(DigestTable::kMaxGroup, digest_of("both"));
  builder.add(DigestTable::kMaxGroup, digest_of("last"));
  const DigestTable table = std::move(builder).build();
  CHECK(groups_of(table, digest_of("both")) ==
        std::vector<DigestTable::Group>{0, DigestTable::kMaxGroup});
  CHECK(groups_of(table, digest_of("last")) ==
        std::vector<DigestTable::Group>{DigestTable::kMaxGroup});
}

TEST_CASE("DigestTable: digests that differ in four bytes, wherever, do not crowd") {
  // Whoever pushes a set chooses its digests. A table that looked at a few bytes only would take some
  // 10^10 steps here: it would not end within the test's time limit.
  for (const HashAlg alg : kAllHashAlgs) {
    for (std::size_t at = 0; at + 4 <= hash_size(alg); at += 4) {
      DigestTable::Builder builder(at);
      for (std::uint32_t i = 0; i < 100'000; ++i) builder.add(0, numbered(alg, i, at));
      CHECK(std::move(builder).build().digest_count() == 100'000);
    }
  }
}
