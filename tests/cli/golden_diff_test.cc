#include "cli/golden_diff.h"

#include <doctest/doctest.h>

#include "golden/set_file.h"
#include "tests/cli/assay_process.h"
#include "tests/support/golden_file.h"
#include "tests/support/ima_builder.h"
#include "tests/support/temp_dir.h"

using namespace assay;
using namespace assay::testing;

namespace {

struct Sets {
  TempDir dir;

  std::string write(std::string_view name, GoldenSet set) const {
    sort_files(set.files);
    return dir.write(name, format_golden_set(set)).string();
  }
  Finished diff(const GoldenSet& before, const GoldenSet& after, Arguments more = {}) const {
    more.insert(more.begin(), {"golden", "diff", write("a", before), write("b", after)});
    return run_assay(more);
  }
};

const GoldenSet kOlder{.name = "host/1",
                       .source = "rootfs",
                       .files = {file("/bin/tool", "t"), file("/etc/x", "1"), file("/m", "m")}};
const GoldenSet kNewer{
    .name = "host/2",
    .source = "rootfs",
    .files = {file("/usr/bin/tool", "t"), file("/etc/x", "22"), file("/m", "m", 0755)}};

}  // namespace

TEST_CASE("golden diff: equal sets are one line, and status 0") {
  const Sets sets;
  const Finished got = sets.diff(kOlder, kOlder);
  CHECK(got.exit == 0);
  CHECK(got.err.empty());
  CHECK(got.out ==
        "same: 3 files\n"
        "before  host/1 (rootfs, 3 files)\n"
        "after   host/1 (rootfs, 3 files)\n");
}

TEST_CASE("golden diff: counts come first, then every file that changed, and status 1") {
  const Sets sets;
  const Finished got = sets.diff(kOlder, kNewer);
  CHECK(got.exit == 1);
  CHECK(got.err.empty());
  CHECK(got.out ==
        "different: 1 moved, 1 content, 1 mode; 0 unchanged\n"
        "before  host/1 (rootfs, 3 files)\n"
        "after   host/2 (rootfs, 3 files)\n"
        "\n"
        "CHANGE   PATH       DETAIL\n"
        "moved    /bin/tool  to /usr/bin/tool\n"
        "content  /etc/x     sha256:6b86b273ff34fc… -> sha256:785f3ec7eb32f3…, 1 -> 2 bytes\n"
        "mode     /m         mode 0644 -> 0755\n");
}

TEST_CASE("golden diff: names of files cannot speak to the terminal") {
  const Sets sets;
  GoldenSet hostile = kOlder;
  hostile.files = {file("/\x1b[2J\nadded", "t")};
  const Finished got = sets.diff(kOlder, hostile);
  CHECK(got.exit == 1);
  CHECK(got.out.find("moved    /bin/tool  to /\\x1b[2J\\x0aadded\n") != std::string::npos);
  CHECK(got.out.find('\x1b') == std::string::npos);
}

TEST_CASE("golden diff: another owner is a change, and another kind goes with the content") {
  const Sets sets;
  GoldenSet older = kOlder;
  GoldenSet newer = kOlder;
  newer.files[1] = file("/etc/x", "22");
  for (GoldenFile& f : older.files) f.uid = f.gid = 0;
  for (GoldenFile& f : newer.files) f.uid = f.gid = 0;
  newer.files[0].uid = 1000;
  newer.files[2].gid = 7;
  older.files[1].kind = ContentKind::kElf;
  newer.files[1].kind = ContentKind::kScript;
  const Finished got = sets.diff(older, newer);
  CHECK(got.exit == 1);
  CHECK(got.out.starts_with("different: 1 content, 2 owner; 0 unchanged\n"));
  CHECK(got.out.find("owner    /bin/tool  uid 0 -> 1000\n") != std::string::npos);
  CHECK(got.out.find("owner    /m         gid 0 -> 7\n") != std::string::npos);
  CHECK(got.out.find("1 -> 2 bytes, kind elf -> script\n") != std::string::npos);
  const auto json = sets.diff(older, newer, {"--json"}).json();
  CHECK(json.at("counts").at("owner") == 2);
  CHECK(json.at("files")[0].at("after").at("uid") == 1000);
  CHECK(json.at("files")[0].at("after").at("gid") == 0);
  CHECK(json.at("files")[1].at("before").at("kind") == "elf");
}

TEST_CASE("golden diff: facts are shown where they differ, and are no difference") {
  const Sets sets;
  GoldenSet older = kOlder;
  older.facts = {{"gone", "g"}, {"revision", "1"}, {"same", "s"}};
  GoldenSet newer = kOlder;
  newer.facts = {{"revision", "2"}, {"same", "s"}};
  const Finished got = sets.diff(older, newer);
  CHECK(got.exit == 0);
  CHECK(got.out ==
        "same: 3 files\n"
        "before  host/1 (rootfs, 3 files)\n"
        "after   host/1 (rootfs, 3 files)\n"
        "\n"
        "FACT      BEFORE  AFTER\n"
        "gone      g       -\n"
        "revision  1       2\n");
  const auto json = sets.diff(older, newer, {"--json"}).json();
  CHECK(json.at("same") == true);
  CHECK(json.at("before").at("facts").at("gone") == "g");
  CHECK(json.at("after").at("facts") == nlohmann::json{{"revision", "2"}, {"same", "s"}});
}

TEST_CASE("golden diff: the layer that a file comes from is no difference") {
  const Sets sets;
  GoldenSet older = kOlder;
  older.image =
      GoldenImage{.names = {}, .digests = {}, .layers = {digest_of("low"), digest_of("high")}};
  GoldenSet newer = older;
  for (GoldenFile& f : older.files) f.layer = 0;
  for (GoldenFile& f : newer.files) f.layer = 1;
  const Finished got = sets.diff(older, newer);
  CHECK(got.exit == 0);
  CHECK(got.out.starts_with("same: 3 files\n"));
}

TEST_CASE("golden diff: an image that changed is said, and is a difference alone") {
  const Sets sets;
  GoldenSet older = kOlder;
  older.image = GoldenImage{
      .names = {"web:1"}, .digests = {}, .layers = {digest_of("low"), digest_of("high")}};
  GoldenSet newer = older;
  newer.image->names = {"web:2"};
  std::swap(newer.image->layers[0], newer.image->layers[1]);
  const Finished got = sets.diff(older, newer);
  CHECK(got.exit == 1);
  CHECK(got.out ==
        "different: image; 3 unchanged\n"
        "before  host/1 (rootfs, 3 files)\n"
        "after   host/1 (rootfs, 3 files)\n"
        "\n"
        "CHANGE     IMAGE   VALUE\n"
        "removed    name    web:1\n"
        "added      name    web:2\n"
        "reordered  layers  -\n");
}

TEST_CASE("golden diff: digests of other algorithms are said by name") {
  const Sets sets;
  GoldenSet newer = kOlder;
  newer.files[0].digests = {hash(HashAlg::kSha1, as_bytes("t")), digest_of("t")};
  newer.files[1].digests = {hash(HashAlg::kSha1, as_bytes("1"))};
  const Finished got = sets.diff(kOlder, newer);
  CHECK(got.exit == 1);
  CHECK(got.out.find("record        /bin/tool  digests sha256 -> sha1+sha256\n") !=
        std::string::npos);
  CHECK(got.out.find("incomparable  /etc/x     digests sha256 -> sha1\n") != std::string::npos);
}

TEST_CASE("golden diff: --json has both sides of every change") {
  const Sets sets;
  GoldenSet newer = kNewer;
  newer.files.push_back(file("/new\xff", "n"));
  const Finished got = sets.diff(kOlder, newer, {"--json"});
  CHECK(got.exit == 1);
  const auto json = got.json();
  CHECK(json.at("same") == false);
  CHECK(json.at("before").at("name") == "host/1");
  CHECK(json.at("after") == nlohmann::json{{"name", "host/2"},
                                           {"source", "rootfs"},
                                           {"files", 4},
                                           {"facts", nlohmann::json::object()}});
  CHECK(json.at("counts") == nlohmann::json{{"added", 1},
                                            {"removed", 0},
                                            {"moved", 1},
                                            {"content", 1},
                                            {"mode", 1},
                                            {"owner", 0},
                                            {"record", 0},
                                            {"incomparable", 0},
                                            {"unchanged", 0}});
  const nlohmann::json unchanged_list = {{"removed", nlohmann::json::array()},
                                         {"added", nlohmann::json::array()},
                                         {"reordered", false}};
  CHECK(json.at("image") == nlohmann::json{{"names", unchanged_list},
                                           {"digests", unchanged_list},
                                           {"layers", unchanged_list}});
  REQUIRE(json.at("files").size() == 4);
  CHECK(json.at("files")[0].at("change") == "moved");
  CHECK(json.at("files")[0].at("before").at("path") == "/bin/tool");
  CHECK(json.at("files")[0].at("after").at("path") == "/usr/bin/tool");
  CHECK(json.at("files")[3] == nlohmann::json{{"change", "added"},
                                              {"before", nullptr},
                                              {"after",
                                               {{"path", "/new\\xff"},
                                                {"digests", {format_digest(digest_of("n"))}},
                                                {"size", 1},
                                                {"mode", "0644"}}}});
  CHECK(sets.diff(kOlder, kOlder, {"--json"}).json().at("same") == true);
}

TEST_CASE("golden diff: what is no set is one line by file, and status 3") {
  const Sets sets;
  const std::string good = sets.write("good", kOlder);
  const std::string bad = sets.dir.write("bad.json", "{").string();
  struct Row {
    Arguments arguments;
    std::string says;
  };
  const Row rows[] = {
      {{bad, good}, "bad.json: a golden set cannot be read: not JSON"},
      {{good, bad}, "bad.json: a golden set cannot be read: not JSON"},
      {{good, (sets.dir / "none").string()}, "none: No such file"},
      {{good}, "B is required"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.says);
    Arguments arguments = {"golden", "diff"};
    arguments.insert(arguments.end(), row.arguments.begin(), row.arguments.end());
    const Finished got = run_assay(arguments);
    CHECK(got.exit == 3);
    CHECK(got.complains_of(row.says));
    CHECK(got.out.empty());
  }
}
