// Golden sets for tests of the store.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/verifier/store/store_case.h"
#include "verifier/golden_index.h"

namespace assay::testing {

inline Digest digest(std::uint8_t value, HashAlg alg = HashAlg::kSha256) {
  return Digest::filled(alg, value);
}

inline GoldenSet host_set() {
  return {.name = "host/debian-12",
          .source = "rootfs",
          .files = {{.path = "/bin/a",
                     .digests = {digest(1), digest(1, HashAlg::kSha512)},
                     .size = 10,
                     .mode = 0755},
                    {.path = std::string("/bin/\0\xff\n", 8), .digests = {digest(2)}},
                    {.path = "/bin/hard-link", .digests = {digest(1)}, .size = 10, .mode = 0755}}};
}

// A push of the set, of which the file has digest(file).
inline GoldenPushRequest push_of(const GoldenSet& set, std::uint8_t file) {
  return {.set = set, .digest = digest(file), .by = "operator", .grace = std::chrono::seconds(100)};
}

inline GoldenPushRequest draft_of(const GoldenSet& set, std::uint8_t file) {
  GoldenPushRequest request = push_of(set, file);
  request.state = GoldenState::kDraft;
  return request;
}

// A set with a file of each content, which is its digest(content).
inline GoldenSet set_of(const std::string& name, std::vector<std::uint8_t> contents) {
  GoldenSet set{.name = name, .source = "rootfs", .files = {}};
  for (const std::uint8_t content : contents) {
    set.files.push_back({.path = "/bin/" + std::to_string(content), .digests = {digest(content)}});
  }
  return set;
}

// What counts at `now`, as the verifier puts it together.
inline GoldenSnapshot snapshot_at(Store& store, Instant now) {
  GoldenIndex index(1);
  REQUIRE(index.refresh(store, now));
  return *index.current();
}

// "2 approved", newest first.
inline std::vector<std::string> states(Store& store, const std::string& name) {
  const auto history = store.golden_history(name);
  REQUIRE(history);
  std::vector<std::string> out;
  for (const GoldenRecord& set : *history) {
    out.push_back(std::to_string(set.generation) + " " + std::string(golden_state_name(set.state)));
  }
  return out;
}

// Rows of a table. Closes the store and opens it again.
inline std::int64_t count(StoreCase& c, const std::string& table) {
  c.store.reset();
  auto database = Database::open(c.path);
  REQUIRE(database);
  const auto rows = *database->first<std::int64_t>("SELECT count(*) FROM " + table);
  database = fail(FaultId::kNotFound, "");
  c.reopen();
  return *rows;
}

}  // namespace assay::testing
