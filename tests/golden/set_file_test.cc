#include "golden/set_file.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

GoldenSet sample() {
  GoldenSet set{.name = "host/debian-12", .source = "rootfs", .files = {}};
  set.files.push_back({.path = "/bin/sh", .digests = {digest_of("sh")}, .size = 2, .mode = 0755});
  set.files.push_back({.path = "/bin/sh",  // other content under the same name
                       .digests = {hash(HashAlg::kSha1, as_bytes("x")), digest_of("x"),
                                   hash(HashAlg::kSha512, as_bytes("x"))},
                       .size = 1,
                       .mode = 04755});
  set.files.push_back({.path = "/a\"b\\c\n\xff\x1b[31m\xc3\xa9 d",
                       .digests = {digest_of("odd")},
                       .size = ~std::uint64_t{0},
                       .mode = 0});
  sort_files(set.files);
  return set;
}

// The sample with one piece of its text replaced, and its subject digest left as it was.
std::string edited(std::string_view from, std::string_view to) {
  std::string text = format_golden_set(sample());
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

// The same, with the subject digest made to fit the lines as they stand.
std::string forged(std::string_view from, std::string_view to) {
  std::string text = edited(from, to);
  std::string lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    std::string line = text.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with("{\"path\"")) continue;
    if (line.ends_with(',')) line.pop_back();
    lines += line + "\n";
  }
  const std::string key = "\"digest\":{\"sha256\":\"";
  const std::size_t at = text.find(key);
  if (at == std::string::npos) return text;
  return text.replace(at + key.size(), 64, to_hex(hash(HashAlg::kSha256, as_bytes(lines)).bytes()));
}

FaultId fault_of(std::string_view text) {
  const auto set = parse_golden_set(as_bytes(text));
  REQUIRE_FALSE(set.has_value());
  CAPTURE(set.error().detail);
  CHECK(escape_bytes(set.error().detail).size() < 300);
  return set.error().id;
}

}  // namespace

TEST_CASE("parse_golden_set: reads what format_golden_set writes") {
  const GoldenSet set = sample();
  const auto read = parse_golden_set(as_bytes(format_golden_set(set)));
  REQUIRE(read.has_value());
  CHECK(*read == set);
  CHECK(format_golden_set(*read) == format_golden_set(set));
}

TEST_CASE("format_golden_set: is an in-toto statement to a parser that knows nothing of ours") {
  const auto json = nlohmann::json::parse(format_golden_set(sample()));
  CHECK(json.at("_type") == "https://in-toto.io/Statement/v1");
  CHECK(json.at("predicateType") == "https://assay.dev/golden-set/v1");
  CHECK(json.at("subject").size() == 1);
  CHECK(json.at("subject")[0].at("name") == "host/debian-12");
  const auto& files = json.at("predicate").at("files");
  REQUIRE(files.size() == 3);
  CHECK(files[0].at("path") == "/a\"b\\\\c\\x0a\\xff\\x1b[31mé d");
  CHECK(files[0].at("size") == ~std::uint64_t{0});
  CHECK(files[0].at("mode") == "0000");
  CHECK(files[1].at("path") == "/bin/sh");
}

TEST_CASE("format_golden_set: the subject digest is the SHA-256 of the file lines") {
  const std::string text = format_golden_set(sample());
  CHECK(forged("\"_type\"", "\"_type\"") == text);
}

TEST_CASE("parse_golden_set: spacing and the order of members do not matter") {
  const auto json = nlohmann::json::parse(format_golden_set(sample()));  // sorts members by name
  const auto read = parse_golden_set(as_bytes(json.dump(3)));
  REQUIRE(read.has_value());
  CHECK(*read == sample());
}

TEST_CASE("parse_golden_set: refuses what is not exactly a golden set") {
  const std::string sh = "{\"path\":\"/bin/sh\",";
  struct Row {
    std::string name;
    std::string text;
  };
  const Row rows[] = {
      {"nothing", ""},
      {"no JSON", "assay"},
      {"a list", "[]"},
      {"a number", "1"},
      {"an empty object", "{}"},
      {"bytes after the statement", format_golden_set(sample()) + "{}"},
      {"a NUL after the statement", format_golden_set(sample()) + std::string(1, '\0')},
      {"something behind a NUL", format_golden_set(sample()) + std::string("\0{}", 3)},
      {"invalid UTF-8", edited("host/", "\xff")},
      {"another statement type", edited("Statement/v1", "Statement/v2")},
      {"another predicate type", edited("golden-set/v1", "golden-set/v9")},
      {"a member that is not known", forged("\"source\"", "\"exclude\":\"/bin\",\"source\"")},
      {"a member of a file that is not known", forged(sh, sh + "\"owner\":\"0\",")},
      {"a member twice", forged(sh, sh + "\"path\":\"/bin/sh\",")},
      {"no type", edited("\"_type\":\"https://in-toto.io/Statement/v1\",", "")},
      {"no predicate type", edited("\"predicateType\":\"https://assay.dev/golden-set/v1\",", "")},
      {"no subject at all", edited("{\"name\":\"host/debian-12\"", "{\"name\":\"\"")},
      {"no source", edited("\"source\":\"rootfs\",", "")},
      {"no path", forged(sh, "{")},
      {"no size", forged(",\"size\":2", "")},
      {"no mode", forged(",\"mode\":\"0755\"", "")},
      {"a name with a space", edited("host/debian-12", "host debian-12")},
      {"a name outside ASCII", edited("host/debian-12", "h\xc3\xb4te")},
      {"a name over the limit", edited("host/debian-12", std::string(kMaxSetNameBytes + 1, 'a'))},
      {"a source that is no word", edited("rootfs", "root fs")},
      {"an empty path", forged("\"/bin/sh\"", "\"\"")},
      {"a path over the limit",
       forged("\"/bin/sh\"", "\"" + std::string(kMaxSetPathBytes + 1, 'a') + "\"")},
      {"a path with an escape that was not needed", forged("/bin/sh", "/bin/s\\\\x68")},
      {"a path with a bare backslash", forged("/bin/sh", "/bin\\\\sh")},
      {"a path with a control character", forged("/bin/sh", "/bin/\\u001bsh")},
      {"a digest cut short", forged("\"sha1\":\"11f6ad8e", "\"sha1\":\"11f6ad")},
      {"a digest in capitals", forged("\"sha1\":\"11f6ad8e", "\"sha1\":\"11F6AD8E")},
      {"an unknown algorithm", forged("\"sha1\"", "\"md5\"")},
      {"a size that is text", forged("\"size\":2", "\"size\":\"2\"")},
      {"a negative size", forged("\"size\":2", "\"size\":-2")},
      {"a size that is a fraction", forged("\"size\":2", "\"size\":2.5")},
      {"a size over 64 bits", forged("\"size\":2", "\"size\":99999999999999999999")},
      {"a mode with three digits", forged("\"0755\"", "\"755\"")},
      {"a mode that is not octal", forged("\"0755\"", "\"0789\"")},
      {"a mode over the permission bits", forged("\"0755\"", "\"10755\"")},
      {"a null", forged("\"size\":2", "\"size\":null")},
      {"a boolean", forged("\"size\":2", "\"size\":true")},
      {"an object for text", forged("\"0755\"", "{}")},
      {"a list for text", forged("\"0755\"", "[]")},
      {"files as an object", "{\"predicate\":{\"files\":{}}}"},
      {"a subject that is text", "{\"subject\":[\"x\"]}"},
      {"two subjects", edited("}}],", "}},{\"name\":\"x\",\"digest\":{\"sha256\":\"" +
                                          std::string(64, '0') + "\"}}],")},
      {"a file changed after the subject digest was taken", edited("\"size\":2", "\"size\":3")},
      {"a file out of order", forged("/bin/sh", "/zzz")},
      {"a path beneath two others", forged("\"mode\":\"0755\"}", "\"mode\":\"0755\",\"x\":[[[[")},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(fault_of(row.text) == FaultId::kGoldenMalformed);
  }
}

TEST_CASE("parse_golden_set: a file without a digest vouches for nothing and is refused") {
  GoldenSet set{.name = "x", .source = "rootfs", .files = {}};
  set.files.push_back({.path = "/a", .digests = {digest_of("a")}, .size = 0, .mode = 0});
  std::string text = format_golden_set(set);
  const std::size_t at = text.find("\"sha256\":\"", text.find("\"path\""));
  text.erase(at, std::string("\"sha256\":\"\",").size() + 64);
  CHECK(fault_of(text) == FaultId::kGoldenMalformed);
}

TEST_CASE("parse_golden_set: a set without files or subjects is refused, not empty") {
  const std::string none = to_hex(hash(HashAlg::kSha256, {}).bytes());
  const std::string head =
      R"({"_type":"https://in-toto.io/Statement/v1","predicateType":"https://assay.dev/golden-set/v1",)"
      R"("predicate":{"source":"rootfs","files":[]},)";
  CHECK(fault_of(head + R"("subject":[{"name":"x","digest":{"sha256":")" + none + "\"}}]}") ==
        FaultId::kGoldenMalformed);
  CHECK(fault_of(head + "\"subject\":[]}") == FaultId::kGoldenMalformed);
}

TEST_CASE("parse_golden_set: the same file twice is refused") {
  std::string text = format_golden_set(sample());
  const std::size_t at = text.find("{\"path\":\"/bin/sh\"");
  const std::string line = text.substr(at, text.find('\n', at) - at);
  REQUIRE(line.ends_with("},"));
  CHECK(fault_of(forged(line, line + "\n" + line)) == FaultId::kGoldenMalformed);
}

TEST_CASE("parse_golden_set: nesting costs nothing") {
  CHECK(fault_of(std::string(std::size_t{1} << 20, '[')) == FaultId::kGoldenMalformed);
  std::string deep = "{\"predicate\":";
  for (int i = 0; i < 100'000; ++i) deep += "{\"predicate\":";
  CHECK(fault_of(deep) == FaultId::kGoldenMalformed);
}

TEST_CASE("parse_golden_set: a file over the limit is refused before it is parsed") {
  const Bytes huge(kMaxSetFileBytes + 1);
  const auto set = parse_golden_set(huge);
  REQUIRE_FALSE(set.has_value());
  CHECK(set.error().id == FaultId::kGoldenTooLarge);
}

TEST_CASE("parse_golden_set: every proper prefix is refused") {
  const std::string text = format_golden_set(sample());
  REQUIRE(text.ends_with("}}\n"));
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {
    CAPTURE(size);
    CHECK(fault_of(text.substr(0, size)) == FaultId::kGoldenMalformed);
  }
}

TEST_CASE("parse_golden_set: with any one byte changed it is refused or the same set") {
  const std::string text = format_golden_set(sample());
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char c : {'\0', '"', '}', '0', 'z', '\xff'}) {
      std::string changed = text;
      changed[i] = c;
      const auto set = parse_golden_set(as_bytes(changed));
      if (!set) continue;
      // Names of set and source are covered by no digest: a signature around the file covers them.
      CHECK(set->files == sample().files);
    }
  }
}

TEST_CASE("valid_set_name: takes printable ASCII without spaces, up to the limit") {
  CHECK(valid_set_name("host/debian-12@sha256:0"));
  CHECK(valid_set_name(std::string(kMaxSetNameBytes, 'a')));
  CHECK_FALSE(valid_set_name(""));
  CHECK_FALSE(valid_set_name(std::string(kMaxSetNameBytes + 1, 'a')));
  CHECK_FALSE(valid_set_name("a b"));
  CHECK_FALSE(valid_set_name("a\n"));
  CHECK_FALSE(valid_set_name("a\x7f"));
  CHECK_FALSE(valid_set_name("\xc3\xa9"));
}

TEST_CASE("sort_files: orders by bytes, then digests, and leaves each file once") {
  std::vector<GoldenFile> files = {{.path = "/\xff", .digests = {digest_of("a")}},
                                   {.path = "/a", .digests = {digest_of("a")}},
                                   {.path = "/a", .digests = {digest_of("a")}}};
  sort_files(files);
  REQUIRE(files.size() == 2);
  CHECK(files[0].path == "/a");
  CHECK(files[1].path == "/\xff");
}
