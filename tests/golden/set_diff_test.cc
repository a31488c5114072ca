#include "golden/set_diff.h"

#include <doctest/doctest.h>

#include "tests/support/evidence_case.h"
#include "tests/support/golden_file.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

GoldenFile file_with(std::string path, std::string_view content, std::vector<HashAlg> algorithms) {
  GoldenFile out = file(std::move(path), content);
  out.digests.clear();
  for (const HashAlg alg : algorithms) out.digests.push_back(hash(alg, as_bytes(content)));
  return out;
}

GoldenFile owned(std::uint32_t uid, std::uint32_t gid) {
  GoldenFile out = file("/a", "a");
  out.uid = uid;
  out.gid = gid;
  return out;
}

GoldenSet set_of(std::vector<GoldenFile> files) {
  GoldenSet out{.name = "n", .source = "rootfs", .files = std::move(files)};
  sort_files(out.files);
  return out;
}

// "moved /a /b; added - /c": what changed, with the paths before and after.
std::string words(const SetDifference& diff) {
  std::string out;
  for (const FileDifference& file : diff.files) {
    out += (out.empty() ? "" : "; ") + std::string(file_change_name(file.change)) + ' ';
    out += (file.before != nullptr ? file.before->path : "-") + ' ';
    out += file.after != nullptr ? file.after->path : "-";
  }
  return out;
}

std::string changes(std::vector<GoldenFile> before, std::vector<GoldenFile> after) {
  const GoldenSet older = set_of(std::move(before));
  const GoldenSet newer = set_of(std::move(after));
  return words(diff_golden_sets(older, newer));
}

}  // namespace

TEST_CASE("diff_golden_sets: equal sets have no difference") {
  const GoldenSet set = set_of({file("/a", "a"), file("/b", "b")});
  const SetDifference diff = diff_golden_sets(set, set);
  CHECK(diff.empty());
  CHECK(diff.unchanged == 2);
}

TEST_CASE("diff_golden_sets: names, sources and facts decide nothing") {
  const GoldenSet older = set_of({file("/a", "a")});
  GoldenSet newer = older;
  newer.name = "other";
  newer.source = "ima-log";
  newer.facts = {{"revision", "2"}};
  CHECK(diff_golden_sets(older, newer).empty());
}

TEST_CASE("diff_golden_sets: says what became of each file, in order of paths") {
  const GoldenSet older =
      set_of({file("/bin/mode", "m", 0644), file("/bin/same", "s"), file("/bin/gone", "g"),
              file("/bin/new content", "1"), file("/bin/tool", "t")});
  const GoldenSet newer =
      set_of({file("/bin/mode", "m", 0755), file("/bin/same", "s"), file("/bin/a", "a"),
              file("/bin/new content", "2"), file("/usr/bin/tool", "t")});
  const SetDifference diff = diff_golden_sets(older, newer);
  CHECK(words(diff) ==
        "added - /bin/a; removed /bin/gone -; mode /bin/mode /bin/mode; "
        "content /bin/new content /bin/new content; moved /bin/tool /usr/bin/tool");
  CHECK(diff.unchanged == 1);
  for (const FileChange change : {FileChange::kAdded, FileChange::kRemoved, FileChange::kMoved,
                                  FileChange::kContent, FileChange::kMode}) {
    CHECK(diff.counts[static_cast<std::size_t>(change)] == 1);
  }
}

TEST_CASE("diff_golden_sets: each pair of files is the change that its table row says") {
  struct Row {
    std::string name;
    std::vector<GoldenFile> before;
    std::vector<GoldenFile> after;
    std::string want;
  };
  GoldenFile bare = file("/a", "a", 0);
  bare.size = 0;
  GoldenFile elf = file("/a", "a");
  elf.kind = ContentKind::kElf;
  GoldenFile script = elf;
  script.kind = ContentKind::kScript;
  GoldenFile low = file("/a", "a");
  low.layer = 0;
  GoldenFile high = low;
  high.layer = 1;
  GoldenFile longer = file("/a", "a");
  longer.size = 7;
  const HashAlg sha1 = HashAlg::kSha1;
  const HashAlg sha256 = HashAlg::kSha256;
  GoldenFile forged = file_with("/a", "a", {sha1, sha256});
  forged.digests[0] = hash(sha1, as_bytes("b"));
  const Row rows[] = {
      {"a mode and size that are not known", {bare}, {file("/a", "a")}, ""},
      {"another size beside equal digests", {file("/a", "a")}, {longer}, "record /a /a"},
      {"mode and content", {file("/a", "a", 0600)}, {file("/a", "b")}, "content /a /a"},
      {"more algorithms",
       {file("/a", "a")},
       {file_with("/a", "a", {sha1, sha256})},
       "record /a /a"},
      {"more algorithms, other content",
       {file("/a", "a")},
       {file_with("/a", "b", {sha1, sha256})},
       "content /a /a"},
      {"one of two digests equal",
       {forged},
       {file_with("/a", "a", {sha1, sha256})},
       "content /a /a"},
      {"no algorithm in common",
       {file_with("/a", "a", {sha1})},
       {file_with("/a", "a", {sha256})},
       "incomparable /a /a"},
      {"no algorithm in common, and moved",
       {file_with("/a", "a", {sha1})},
       {file_with("/b", "a", {sha256})},
       "removed /a -; added - /b"},
      {"moved, with a digest that decides less than the one in common",
       {file_with("/a", "a", {sha1, sha256})},
       {file_with("/b", "a", {sha256})},
       "moved /a /b"},
      {"moved, by digests stronger than usual",
       {file_with("/a", "a", {HashAlg::kSha512})},
       {file_with("/b", "a", {HashAlg::kSha384, HashAlg::kSha512})},
       "moved /a /b"},
      {"another owner", {owned(0, 0)}, {owned(7, 0)}, "owner /a /a"},
      {"another group", {owned(0, 0)}, {owned(0, 7)}, "owner /a /a"},
      {"an owner that is not known", {file("/a", "a")}, {owned(7, 7)}, ""},
      {"mode and owner", {file("/a", "a", 0600)}, {owned(7, 7)}, "mode /a /a"},
      {"content and owner", {file("/a", "b")}, {owned(7, 7)}, "content /a /a"},
      {"a kind that is not known", {file("/a", "a")}, {elf}, ""},
      {"another kind beside equal digests", {script}, {elf}, "record /a /a"},
      {"another layer", {low}, {high}, ""},
      {"moved and of another mode", {file("/a", "a", 0600)}, {file("/b", "a")}, "moved /a /b"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(changes(row.before, row.after) == row.want);
  }
}

TEST_CASE("diff_golden_sets: the contents of one path come and go one by one") {
  CHECK(changes({file("/a", "1"), file("/a", "2")}, {file("/a", "2"), file("/a", "3")}) ==
        "content /a /a");
  CHECK(changes({file("/a", "1")}, {file("/a", "1"), file("/a", "2")}) == "added - /a");
  CHECK(changes({file("/a", "1"), file("/a", "2")}, {file("/a", "3"), file("/a", "4")}) ==
        "added - /a; added - /a; removed /a -; removed /a -");
  CHECK(changes({file("/a", "1", 0600), file("/a", "2")}, {file("/a", "1"), file("/a", "3")}) ==
        "content /a /a; mode /a /a");
}

TEST_CASE("diff_golden_sets: moved files of one content are paired by name first") {
  CHECK(changes({file("/bin/cat", "busybox"), file("/bin/ls", "busybox")},
                {file("/usr/bin/ls", "busybox"), file("/usr/bin/vi", "busybox")}) ==
        "moved /bin/cat /usr/bin/vi; moved /bin/ls /usr/bin/ls");
  CHECK(changes({file("/a", "x")}, {file("/b", "x"), file("/c", "x")}) ==
        "moved /a /b; added - /c");
}

TEST_CASE("diff_golden_sets: a copy is added, and no move of the file that stayed") {
  CHECK(changes({file("/a", "x")}, {file("/a", "x"), file("/b", "x")}) == "added - /b");
}

TEST_CASE("diff_golden_sets: a new content under the old path is not a move of the old content") {
  CHECK(changes({file("/a", "1")}, {file("/a", "2"), file("/b", "1")}) ==
        "content /a /a; added - /b");
}

TEST_CASE("diff_golden_sets: names without a slash are names like others") {
  CHECK(changes({file("key:a", "k")}, {file("key:b", "k")}) == "moved key:a key:b");
}

TEST_CASE("diff_golden_sets: as many equal files as a set may have cost no more than others") {
  std::vector<GoldenFile> before;
  std::vector<GoldenFile> after;
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    before.push_back({.path = "/a", .digests = {digest_of("x")}, .size = 2 * i + 1});
    after.push_back({.path = "/a", .digests = {digest_of("x")}, .size = 2 * i + 2});
  }
  const GoldenSet older = set_of(before);
  const GoldenSet newer = set_of(after);
  const SetDifference diff = diff_golden_sets(older, newer);
  CHECK(diff.counts[static_cast<std::size_t>(FileChange::kRecord)] == 100'000);
}

TEST_CASE("diff_golden_sets: names, digests and layers of an image are compared item by item") {
  GoldenSet older = set_of({file("/a", "a")});
  older.image = GoldenImage{.names = {"shop/web:1", "shop/web:latest"},
                            .digests = {digest_of("index")},
                            .layers = {digest_of("low"), digest_of("high")}};
  GoldenSet newer = older;
  CHECK(diff_golden_sets(older, newer).empty());
  newer.image = GoldenImage{.names = {"shop/web:2", "shop/web:latest"},
                            .digests = {digest_of("index")},
                            .layers = {digest_of("high"), digest_of("low")}};
  const SetDifference diff = diff_golden_sets(older, newer);
  CHECK(diff.files.empty());
  CHECK_FALSE(diff.empty());
  CHECK(diff.image.names.removed == std::vector<std::string>{"shop/web:1"});
  CHECK(diff.image.names.added == std::vector<std::string>{"shop/web:2"});
  CHECK_FALSE(diff.image.names.reordered);
  CHECK(diff.image.digests.empty());
  CHECK(diff.image.layers.reordered);

  newer.image->layers = {digest_of("low"), digest_of("low")};
  const SetDifference twice = diff_golden_sets(older, newer);
  CHECK(twice.image.layers.removed == std::vector{format_digest(digest_of("high"))});
  CHECK(twice.image.layers.added == std::vector{format_digest(digest_of("low"))});
  CHECK_FALSE(twice.image.layers.reordered);

  newer.image.reset();
  CHECK(diff_golden_sets(older, newer).image.layers.removed.size() == 2);
}

TEST_CASE("diff_golden_sets: keys that came and went are a difference") {
  const auto signer = [](const std::string& name) {
    return GoldenSigner{name,
                        *parse_file_signer(*signer_spki(read_test_data("keys/" + name + ".pub")))};
  };
  GoldenSet older = set_of({file("/a", "a")});
  older.signers = {signer("ima-ec")};
  GoldenSet newer = older;
  CHECK(diff_golden_sets(older, newer).empty());
  newer.signers = {signer("ima-rsa")};
  const SetDifference diff = diff_golden_sets(older, newer);
  CHECK_FALSE(diff.empty());
  REQUIRE(diff.signers.removed.size() == 1);
  CHECK(diff.signers.removed[0] == format_digest(older.signers[0].key.fingerprint()) + " ima-ec");
  CHECK(diff.signers.added.size() == 1);
}
