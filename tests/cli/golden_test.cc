#include "cli/golden.h"

#include <doctest/doctest.h>

#include "golden/set_file.h"
#include "tests/cli/fake_verifier.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

// A set file of about `files` times 130 bytes.
std::string set_file(int files) {
  GoldenSet set{.name = "pushed", .source = "rootfs", .files = {}};
  for (int i = 0; i < files; ++i) {
    set.files.push_back({.path = "/f" + std::to_string(i), .digests = {digest_of("f")}});
  }
  sort_files(set.files);
  return format_golden_set(set);
}

v1::GetGoldenResponse stored(int files) {
  v1::GetGoldenResponse out;
  out.mutable_set()->set_name("host");
  out.mutable_set()->set_digest("sha256:ab");
  out.mutable_set()->set_state("approved");
  out.mutable_set()->set_pushed_by("token:ci");
  out.mutable_set()->set_files(static_cast<std::uint64_t>(files));
  for (int i = 0; i < files; ++i) {
    out.add_files()->set_path("/f" + std::to_string(i) + "\x1b\xff");
    out.mutable_files(i)->add_digest("sha256:cd");
  }
  return out;
}

}  // namespace

TEST_CASE("golden push: the verifier gets the file byte by byte, in bounded pieces") {
  FakeVerifier verifier;
  const TempDir dir;
  const std::string content = set_file(30'000);
  REQUIRE(content.size() > (std::size_t{3} << 20));
  const std::string path = dir.write("set.json", content).string();
  const Finished first = verifier.run({"golden", "push", path});
  CHECK(first.exit == 0);
  CHECK(first.out.starts_with("pushed\n"));
  CHECK(first.err.empty());
  CHECK(verifier.pushed == content);
  CHECK(verifier.largest_chunk_bytes == std::size_t{1} << 20);
  const Finished second = verifier.run({"golden", "push", path, "--json"});
  CHECK(second.exit == 0);
  CHECK(second.json().at("changed") == false);
  CHECK(second.json().at("set").at("name") == "pushed");
}

TEST_CASE("golden push: a set that is not one is refused here, by file") {
  FakeVerifier verifier;
  const TempDir dir;
  const Finished bad = verifier.run({"golden", "push", dir.write("bad.json", "{").string()});
  CHECK(bad.exit == 3);
  CHECK(bad.complains_of("bad.json: a golden set cannot be read: not JSON"));
  const Finished none = verifier.run({"golden", "push", (dir / "none").string()});
  CHECK(none.exit == 3);
  CHECK(none.complains_of("No such file"));
  CHECK(verifier.pushed.empty());
}

TEST_CASE("golden push: a refusal is status 1, and no verifier 3") {
  const TempDir dir;
  const std::string path = dir.write("set.json", set_file(1)).string();
  {
    FakeVerifier verifier;
    verifier.refuse_with = {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many sets"};
    const Finished got = verifier.run({"golden", "push", path});
    CHECK(got.exit == 1);
    CHECK(got.complains_of("too many sets"));
  }
  const Finished none = run_assay({"golden", "push", path, "--server", "127.0.0.1:1"});
  CHECK(none.exit == 3);
  CHECK(none.complains_of("cannot reach the verifier"));
}

TEST_CASE("golden list: is a table for people and JSON for programs") {
  FakeVerifier verifier;
  CHECK(verifier.run({"golden", "list"}).out == "no golden sets\n");
  CHECK(verifier.run({"golden", "list", "--json"}).out == "{\"sets\":[]}\n");
  verifier.set = stored(2);
  const Finished people = verifier.run({"golden", "list"});
  CHECK(people.exit == 0);
  CHECK(
      people.out ==
      "NAME  GENERATION  STATE     FILES  HASHES  SIGNERS  SOURCE  PUSHED  BY        DIGEST\n"
      "host  0           approved  2      0       0        -       -       token:ci  sha256:ab\n");
  CHECK(verifier.run({"golden", "list", "--json"}).json().at("sets")[0].at("name") == "host");
}

TEST_CASE("golden show: has every file, page by page, names escaped") {
  FakeVerifier verifier;
  verifier.set = stored(2000);
  const auto json = verifier.run({"golden", "show", "host", "--json"}).json();
  REQUIRE(json.at("files").size() == 2000);
  for (std::size_t i = 0; i < 2000; ++i) {
    CHECK(json.at("files")[i].at("path") == "/f" + std::to_string(i) + "\\x1b\\xff");
  }
  CHECK(json.at("set").at("digest") == "sha256:ab");
  CHECK(json.at("signers").empty());
  const Finished people = verifier.run({"golden", "show", "host"});
  CHECK(people.exit == 0);
  CHECK(people.out.find("sha256:cd  /f1999\\x1b\\xff\n") != std::string::npos);
  CHECK(people.out.find('\x1b') == std::string::npos);
}

TEST_CASE("golden show: pages go by file, also where files have several digests") {
  FakeVerifier verifier;
  verifier.set = stored(1500);
  for (v1::GoldenFile& file : *verifier.set.mutable_files()) file.add_digest("sha512:ef");
  verifier.set.mutable_set()->add_signed_by("sha256:ab");
  const auto json = verifier.run({"golden", "show", "host", "--json"}).json();
  REQUIRE(json.at("files").size() == 3000);
  CHECK(json.at("files")[2998].at("path") == "/f1499\\x1b\\xff");
  CHECK(json.at("files")[2999].at("digest") == "sha512:ef");
  CHECK(json.at("set").at("signed_by").size() == 1);  // every page says it
}

TEST_CASE("golden show: says what is known of image, files and build, and nothing of the rest") {
  FakeVerifier verifier;
  verifier.set = stored(2);
  v1::GoldenFile& file = *verifier.set.mutable_files(0);
  file.set_size(7);
  file.set_mode(04755);
  file.set_uid(0);
  file.set_gid(5);
  file.set_kind("elf");
  file.set_layer(0);
  verifier.set.mutable_image()->add_names("web:1");
  verifier.set.mutable_image()->add_digests("sha256:aa");
  verifier.set.mutable_image()->add_layers("sha256:bb");
  (*verifier.set.mutable_facts())["revision"] = "4f0c\x1b";
  const auto json = verifier.run({"golden", "show", "host", "--json"}).json();
  CHECK(
      json.at("files")[0].dump() ==
      R"({"digest":"sha256:cd","gid":5,"kind":"elf","layer":0,"mode":"4755","path":"/f0\\x1b\\xff","size":7,"uid":0})");
  CHECK(json.at("files")[1].dump() == R"({"digest":"sha256:cd","path":"/f1\\x1b\\xff","size":0})");
  CHECK(json.at("image").dump() ==
        R"({"digests":["sha256:aa"],"layers":["sha256:bb"],"names":["web:1"]})");
  const std::string people = verifier.run({"golden", "show", "host"}).out;
  for (const char* line :
       {"image", "web:1", "reported as", "sha256:aa", "sha256:bb", "4f0c\\x1b"}) {
    CAPTURE(std::string(line));
    CHECK(people.find(line) != std::string::npos);
  }
  verifier.set = stored(1);
  CHECK(verifier.run({"golden", "show", "host", "--json"}).json().at("image").is_null());
}

TEST_CASE("golden show: a set that is not there, or changes meanwhile, is status 1") {
  FakeVerifier verifier;
  verifier.set = stored(1500);
  const Finished none = verifier.run({"golden", "show", "other"});
  CHECK(none.exit == 1);
  CHECK(none.complains_of("no golden set \"other\""));
  verifier.replace_set_between_pages = true;
  const Finished changed = verifier.run({"golden", "show", "host"});
  CHECK(changed.exit == 1);
  CHECK(changed.complains_of("replaced while being listed"));
}
