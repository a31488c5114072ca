#include "verifier/store/golden_origin_rows.h"

#include <doctest/doctest.h>

#include "tests/verifier/store/golden_case.h"

namespace assay {
namespace {

using testing::digest;
using testing::draft_of;
using testing::kNow;
using testing::later;
using testing::push_of;
using testing::set_of;
using testing::StoreCase;

// "a 2 approved /bin/7".
std::vector<std::string> told(Store& store, const Digest& wanted) {
  const auto got = store.golden_origins(wanted);
  REQUIRE_MESSAGE(got.has_value(), format_fault(got.error()));
  CHECK(got->total == got->listed.size());
  std::vector<std::string> out;
  for (const GoldenOrigin& origin : got->listed) {
    out.push_back(origin.set.name + ' ' + std::to_string(origin.set.generation) + ' ' +
                  std::string(golden_state_name(origin.set.state)) + ' ' + origin.path);
  }
  return out;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("golden_origins: every file of every set that has the digest, whatever its state") {
  StoreCase c;
  REQUIRE(c.store->push_golden(push_of(set_of("a", {7}), 20), kNow));
  REQUIRE(c.store->push_golden(push_of(set_of("a", {7, 8}), 21), later(1)));
  REQUIRE(c.store->push_golden(draft_of(set_of("b", {7}), 22), later(2)));
  REQUIRE(c.store->push_golden(push_of(set_of("c", {7, 9}), 23), later(3)));
  REQUIRE(c.store->revoke_golden({"c"}, {.by = "operator", .at = later(4)}, "leaks"));
  const Lines found = told(*c.store, digest(7));
  CHECK(std::set(found.begin(), found.end()) ==
        std::set<std::string>{"a 1 superseded /bin/7", "a 2 approved /bin/7", "b 1 draft /bin/7",
                              "c 1 revoked /bin/7"});
  CHECK(told(*c.store, digest(8)) == Lines{"a 2 approved /bin/8"});
  CHECK(told(*c.store, digest(10)).empty());
  CHECK(told(*c.store, digest(7, HashAlg::kSha512)).empty());
}

TEST_CASE("golden_origins: a file of an image comes from a layer of it") {
  StoreCase c;
  GoldenSet set{.name = "shop/web", .source = "oci", .files = {}};
  set.image = GoldenImage{.names = {"registry.example/web:1", "web:latest"},
                          .digests = {digest(50)},
                          .layers = {digest(60), digest(61)}};
  set.files = {{.path = "/bin/sh", .digests = {digest(1), digest(1, HashAlg::kSha512)}, .layer = 0},
               {.path = "/bin/dash", .digests = {digest(1)}, .layer = 0},
               {.path = "/bin/web", .digests = {digest(2)}, .layer = 1}};
  REQUIRE(c.store->push_golden(push_of(set, 20), kNow));
  const auto got = c.store->golden_origins(digest(1));
  REQUIRE(got->listed.size() == 2);
  CHECK(got->listed[0].path == "/bin/sh");
  CHECK(got->listed[1].path == "/bin/dash");
  for (const GoldenOrigin& origin : got->listed) {
    CHECK(origin.layer == digest(60));
    CHECK(origin.images == set.image->names);
    CHECK_FALSE(origin.set.image);
    CHECK(origin.set.approved_by == "operator");
    CHECK(origin.set.approved_at == kNow);
  }
  CHECK(c.store->golden_origins(digest(2))->listed.at(0).layer == digest(61));
  CHECK(c.store->golden_origins(digest(1, HashAlg::kSha512))->listed.at(0).path == "/bin/sh");
}

TEST_CASE("golden_origins: bytes that only look like the digest are not it") {
  StoreCase c;
  // A SHA-256 digest of 31 times 0x14 and its size, as it is packed: 0x20 and then its bytes. Of a SHA-1
  // digest the packed bytes, 0x14 and 20 times 0x14, are in that.
  REQUIRE(c.store->push_golden(push_of(set_of("a", {0x14}), 20), kNow));
  CHECK(told(*c.store, digest(0x14)) == Lines{"a 1 approved /bin/20"});
  CHECK(told(*c.store, digest(0x14, HashAlg::kSha1)).empty());
}

TEST_CASE("golden_origins: what is over the limit is counted") {
  StoreCase c;
  GoldenSet set{.name = "a", .source = "rootfs", .files = {}};
  for (std::uint32_t i = 0; i < kMaxGoldenRuns + 5; ++i) {
    set.files.push_back({.path = "/bin/" + std::to_string(i), .digests = {digest(7)}});
  }
  REQUIRE(c.store->push_golden(push_of(set, 20), kNow));
  REQUIRE(c.store->push_golden(push_of(set_of("b", {7}), 21), kNow));
  const auto got = c.store->golden_origins(digest(7));
  CHECK(got->listed.size() == kMaxGoldenRuns);
  CHECK(got->total == kMaxGoldenRuns + 6);
}

TEST_CASE("GoldenRecord: who approved a set stays known when it no longer counts") {
  StoreCase c;
  REQUIRE(c.store->push_golden(draft_of(set_of("a", {1}), 20), kNow));
  CHECK(c.store->golden_set({"a"})->approved_by == "");
  CHECK_FALSE(c.store->golden_set({"a"})->approved_at);
  REQUIRE(c.store->approve_golden({"a"}, {.by = "alice", .at = later(1)}, {}));
  REQUIRE(c.store->push_golden(push_of(set_of("a", {2}), 21), later(2)));
  REQUIRE(c.store->revoke_golden({"a", 1}, {.by = "bob", .at = later(3)}, "leaks"));
  const auto first = c.store->golden_set({"a", 1});
  CHECK(first->state == GoldenState::kRevoked);
  CHECK(first->state_by == "bob");
  CHECK(first->approved_by == "alice");
  CHECK(first->approved_at == later(1));
  const auto second = c.store->golden_set({"a", 2});
  CHECK(second->approved_by == "operator");
  CHECK(second->approved_at == later(2));
}

}  // namespace assay
