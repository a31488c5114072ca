#include "agent/pod_claims.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/fault_of.h"
#include "tests/support/temp_dir.h"

namespace assay::agent {
namespace {

using testing::fault_of;
using testing::TempDir;

const std::string kUid = "11111111-2222-4333-8444-555555555555";

// A pod's folder, with `content` in userns.
void add(const TempDir& dir, const std::string& uid, const std::string& content) {
  std::filesystem::create_directory(dir.path() / uid);
  dir.write(uid + "/userns", content);
}

PodFolders read(const TempDir& dir) {
  auto got = read_pod_claims(dir.path().string());
  REQUIRE(got.has_value());
  return *std::move(got);
}

TEST_CASE("read_pod_claims: pods with a userns file, sorted, as bytes") {
  const TempDir dir;
  add(dir, "b", "two");
  add(dir, kUid, std::string("o\0e", 3));
  add(dir, "00000000000000000000000000000000", "");
  std::filesystem::create_directory(dir.path() / "c");  // hostUsers: true
  const PodFolders got = read(dir);
  CHECK(got.claims == PodClaims{.pods = {{"00000000000000000000000000000000", {}},
                                         {kUid, {'o', 0, 'e'}},
                                         {"b", {'t', 'w', 'o'}}}});
  CHECK(got.unreadable == 0);
  CHECK(read(TempDir()).claims == PodClaims{});
}

TEST_CASE("read_pod_claims: what is named as no pod is, is left alone") {
  const TempDir dir;
  for (const char* name : {"B", "g", "a b", ".a", "a.b"}) add(dir, name, "x");
  add(dir, kUid + "0", "x");
  CHECK(read(dir).claims.pods.empty());
  CHECK(read(dir).unreadable == 0);
}

TEST_CASE("read_pod_claims: no link is followed, nothing but a file is read, and it is counted") {
  const TempDir dir;
  const TempDir outside;
  add(outside, "f", "secret");
  std::filesystem::create_directory_symlink(outside.path() / "f", dir.path() / "a");
  std::filesystem::create_directory(dir.path() / "b");
  std::filesystem::create_symlink(outside.path() / "f" / "userns", dir.path() / "b" / "userns");
  std::filesystem::create_directories(dir.path() / "c" / "userns");
  std::filesystem::create_directory(dir.path() / "d");
  REQUIRE(::mkfifo((dir.path() / "d" / "userns").c_str(), 0600) == 0);
  dir.write("e", "no folder");
  add(dir, "f", std::string(kMaxMappingBytes + 1, 'x'));
  add(dir, kUid, std::string(kMaxMappingBytes, 'x'));
  const PodFolders got = read(dir);
  REQUIRE(got.claims.pods.size() == 1);
  CHECK(got.claims.pods[0].pod_uid == kUid);
  CHECK(got.claims.pods[0].mapping.size() == kMaxMappingBytes);
  CHECK(got.unreadable == 6);
  CHECK_FALSE(got.claims.incomplete);
}

TEST_CASE("read_pod_claims: as many as fit, by number and by size") {
  const TempDir many;
  for (std::size_t i = 0; i < kMaxClaimedPods; ++i) add(many, std::to_string(10'000 + i), "x");
  CHECK_FALSE(read(many).claims.incomplete);
  add(many, "0", "x");
  const PodFolders cut = read(many);
  CHECK(cut.claims.incomplete);
  CHECK(cut.claims.pods.size() == kMaxClaimedPods);
  CHECK(cut.claims.pods[0].pod_uid == "0");

  const TempDir large;
  for (std::size_t i = 0; i < 64; ++i) add(large, std::to_string(10 + i), std::string(4094, 'x'));
  CHECK_FALSE(read(large).claims.incomplete);  // 64 of 4096 bytes
  large.write("10/userns", std::string(4095, 'x'));
  CHECK(read(large).claims.incomplete);
  CHECK(read(large).claims.pods.size() == 63);
}

TEST_CASE("read_pod_claims: a folder that cannot be read is a fault") {
  const TempDir dir;
  CHECK(fault_of(read_pod_claims((dir.path() / "none").string())) == FaultId::kFileUnreadable);
  CHECK(fault_of(read_pod_claims(dir.write("file", "x").string())) == FaultId::kFileUnreadable);
}

}  // namespace
}  // namespace assay::agent
