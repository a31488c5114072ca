#include "cli/golden_dpkg.h"

#include <doctest/doctest.h>

#include "golden/set_file.h"
#include "tests/cli/assay_process.h"
#include "tests/support/dpkg_root.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;
namespace fs = std::filesystem;

namespace {

struct Root : DpkgRoot {
  TempDir out;
  std::string set = (out / "set.json").string();

  Root() { package("tool", {{"/usr/bin/a", "a"}, {"/usr/bin/b", "b"}, {"/usr/lib/c", "c"}}); }
  Finished build(Arguments more = {}) const {
    more.insert(more.begin(), {"golden", "build", "--dpkg", path(), "--name", "n", "-o", set});
    return run_assay(more);
  }
  GoldenSet read() const {
    const auto parsed = parse_golden_set(as_bytes(read_file(set)));
    REQUIRE(parsed.has_value());
    return *parsed;
  }
};

}  // namespace

TEST_CASE("golden build --dpkg: a set of what is installed, quiet when all is as it should be") {
  const Root root;
  const Finished got = root.build({"--hash", "sha1,sha256"});
  CHECK(got.exit == 0);
  CHECK(got.err.empty());
  CHECK(got.out.find("dpkg\n") != std::string::npos);
  const GoldenSet set = root.read();
  CHECK(set.source == "dpkg");
  REQUIRE(set.files.size() == 3);
  CHECK(set.files[0].path == "/usr/bin/a");
  CHECK(set.files[0].digests == std::vector{hash(HashAlg::kSha1, as_bytes("a")), digest_of("a")});
}

TEST_CASE("golden build --dpkg: says on standard error what is missing, changed or unchecked") {
  const Root root;
  fs::remove(root / "usr/bin/b");
  root.stanza("conf", "Conffiles:\n /etc/x " + md5_hex("old") + "\n");
  root.add("info/conf.list", "/etc/x\n/etc/y\n");
  root.file("/etc/x", "mine");
  root.file("/etc/y", "y");
  root.stanza("half", "", "install reinstreq half-installed");
  const Finished got = root.build({"--json"});
  CHECK(got.exit == 0);
  CHECK(got.err ==
        "assay: 1 file that a package lists is missing\n"
        "assay: 1 configuration file was changed, and is golden as it is\n"
        "assay: 1 file has no sum in the database to be checked against\n"
        "assay: package half is half installed, and left out\n");
  CHECK(got.json().at("left_out") == nlohmann::json{{"missing", 1},
                                                    {"sockets_pipes_devices", 0},
                                                    {"changed_while_read", 0},
                                                    {"half_installed_packages", 1}});
  CHECK(got.json().at("left_out_paths") == nlohmann::json{"/usr/bin/b"});
  CHECK(got.json().at("files") == 4);
}

TEST_CASE("golden build --dpkg: a changed file makes no set, unless that is asked for") {
  const Root root;
  root.file("/usr/bin/b", "trojan");
  const Finished one = root.build();
  CHECK(one.exit == 3);
  CHECK(one.complains_of("/usr/bin/b is not the file that package tool installed: "));
  CHECK(one.complains_of("--allow-changed"));
  CHECK_FALSE(fs::exists(root.set));
  root.file("/usr/lib/c", "horse");
  CHECK(root.build().complains_of("package tool installed, nor are 1 more what they should be"));

  const Finished taken = root.build({"--allow-changed"});
  CHECK(taken.exit == 0);
  CHECK(taken.err ==
        "assay: 2 files are not as their packages installed them, and golden as they are\n");
  REQUIRE(root.read().files.size() == 3);
  CHECK(root.read().files[1].digests[0] == digest_of("trojan"));
}

TEST_CASE("golden build --dpkg: what cannot be built is one line, status 3, and no file") {
  const Root root;
  const TempDir empty;
  const std::string set = (empty / "set.json").string();
  struct Row {
    Arguments arguments;
    std::string says;
  };
  const Row rows[] = {
      {{"--dpkg", empty.path().string()}, "var/lib/dpkg/status: No such file"},
      {{"--dpkg", (empty / "none").string()}, "none: No such file"},
      {{"--rootfs", root.path(), "--allow-changed"}, "--allow-changed requires --dpkg"},
      {{"--rootfs", root.path(), "--dpkg", root.path()},
       "--rootfs,--oci,--docker-archive,--ima-log,--key,--dpkg"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.says);
    Arguments arguments = {"golden", "build", "--name", "n", "-o", set};
    arguments.insert(arguments.end(), row.arguments.begin(), row.arguments.end());
    const Finished got = run_assay(arguments);
    CHECK(got.exit == 3);
    CAPTURE(got.err);
    CHECK(got.complains_of(row.says));
    CHECK_FALSE(fs::exists(set));
  }
}

TEST_CASE("golden build --dpkg: shows its progress on a terminal, and wipes it away") {
  const Root root;
  const Finished got = run_assay_on_terminal(
      {"golden", "build", "--dpkg", root.path(), "--name", "n", "-o", root.set});
  CHECK(got.exit == 0);
  CHECK(got.err.find("\rhashing [") != std::string::npos);
  CHECK(got.err.ends_with("\r\x1b[K"));
}
