#include "golden/set_file.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "tests/support/evidence_case.h"
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

Fault refusal_of(std::string_view text) {
  const auto set = parse_golden_set(as_bytes(text));
  REQUIRE_FALSE(set.has_value());
  for (const char c : set.error().detail) CHECK((c >= 0x20 && c < 0x7f));
  CHECK(set.error().detail.size() < 200);
  return set.error();
}

FaultId fault_of(std::string_view text) {
  return refusal_of(text).id;
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
  // All are kGoldenMalformed: the row says which check has to be the one that refuses.
  struct Row {
    std::string name;
    std::string text;
    std::string says;
  };
  const Row rows[] = {
      {"nothing", "", "not JSON"},
      {"no JSON", "assay", "not JSON"},
      {"a list", "[]", "a list out of place"},
      {"a number", "1", "a number out of place"},
      {"an empty object", "{}", "no \"_type\""},
      {"bytes after the statement", format_golden_set(sample()) + "{}", "not JSON"},
      {"something behind a NUL", format_golden_set(sample()) + std::string("\0{}", 3), "a NUL"},
      {"invalid UTF-8", edited("host/", "\xff"), "not JSON"},
      {"another statement type", edited("Statement/v1", "Statement/v2"), "bad \"_type\""},
      {"another predicate type", edited("golden-set/v1", "golden-set/v9"), "bad \"predicateType\""},
      {"a member that is not known", edited("\"source\"", "\"exclude\":\"/bin\",\"source\""),
       "unknown member \"exclude\""},
      {"a member with an escape code", edited("\"source\"", "\"\\u001b[31m\":1,\"source\""),
       "unknown member \"\\x1b[31m\""},
      {"a member of a file that is not known", forged(sh, sh + "\"owner\":\"0\","),
       "file 1: unknown member \"owner\""},
      {"a member twice", forged(sh, sh + "\"path\":\"/bin/sh\","), "\"path\" twice"},
      {"no type", edited("\"_type\":\"https://in-toto.io/Statement/v1\",", ""), "no \"_type\""},
      {"no predicate type", edited("\"predicateType\":\"https://assay.dev/golden-set/v1\",", ""),
       "no \"predicateType\""},
      {"no source", edited("\"source\":\"rootfs\",", ""), "no \"source\""},
      {"no path", forged(sh, "{"), "no \"path\""},
      {"no size", forged(",\"size\":2", ""), "no \"size\""},
      {"no mode", forged(",\"mode\":\"0755\"", ""), "no \"mode\""},
      {"an empty name", edited("host/debian-12", ""), "bad \"name\""},
      {"a name with a space", edited("host/debian-12", "host debian-12"), "bad \"name\""},
      {"a name outside ASCII", edited("host/debian-12", "h\xc3\xb4te"), "bad \"name\""},
      {"a name over the limit", edited("host/debian-12", std::string(kMaxSetNameBytes + 1, 'a')),
       "bad \"name\""},
      {"a source that is no word", edited("rootfs", "root fs"), "bad \"source\""},
      {"a source over the limit", edited("rootfs", std::string(65, 'a')), "bad \"source\""},
      {"an empty path", forged("\"/bin/sh\"", "\"\""), "bad \"path\""},
      {"a path over the limit",
       forged("\"/bin/sh\"", "\"" + std::string(kMaxSetPathBytes + 1, 'a') + "\""), "bad \"path\""},
      {"a path with an escape that was not needed", forged("/bin/sh", "/bin/s\\\\x68"),
       "bad \"path\""},
      {"a path with a bare backslash", forged("/bin/sh", "/bin\\\\sh"), "bad \"path\""},
      {"a path with a control character", forged("/bin/sh", "/bin/\\u001bsh"), "bad \"path\""},
      {"a digest cut short", forged("\"sha1\":\"11f6ad8e", "\"sha1\":\"11f6ad"), "bad \"sha1\""},
      {"a digest in capitals", forged("\"sha1\":\"11f6ad8e", "\"sha1\":\"11F6AD8E"),
       "bad \"sha1\""},
      {"a digest that is not hex", forged("\"sha1\":\"11f6ad8e", "\"sha1\":\"zzf6ad8e"),
       "bad \"sha1\""},
      {"an unknown algorithm", forged("\"sha1\"", "\"md5\""), "unknown member \"md5\""},
      {"a size that is text", forged("\"size\":2", "\"size\":\"2\""), "text out of place"},
      {"a negative size", forged("\"size\":2", "\"size\":-2"), "a negative number"},
      {"a size that is a fraction", forged("\"size\":2", "\"size\":2.5"), "a fraction"},
      {"a size over 64 bits", forged("\"size\":2", "\"size\":99999999999999999999"), "a fraction"},
      {"a mode with three digits", forged("\"0755\"", "\"755\""), "bad \"mode\""},
      {"a mode that is not octal", forged("\"0755\"", "\"0789\""), "bad \"mode\""},
      {"a mode over the permission bits", forged("\"0755\"", "\"10755\""), "bad \"mode\""},
      {"a negative owner", forged(sh, sh + "\"uid\":-1,"), "a negative number"},
      {"an owner over 32 bits", forged(sh, sh + "\"uid\":4294967296,"), "bad \"uid\""},
      {"a group over 32 bits", forged(sh, sh + "\"gid\":4294967296,"), "bad \"gid\""},
      {"an owner that is text", forged(sh, sh + "\"uid\":\"0\","), "text out of place"},
      {"an owner twice", forged(sh, sh + "\"uid\":0,\"uid\":0,"), "\"uid\" twice"},
      {"a kind that is not known", forged(sh, sh + "\"kind\":\"pe\","), "bad \"kind\""},
      {"a kind that is nothing", forged(sh, sh + "\"kind\":\"\","), "bad \"kind\""},
      {"a kind that is a number", forged(sh, sh + "\"kind\":1,"), "a number out of place"},
      {"a layer that is text", forged(sh, sh + "\"layer\":\"0\","), "text out of place"},
      {"a layer over any limit", forged(sh, sh + "\"layer\":256,"), "file 1: bad \"layer\""},
      {"a layer without an image", forged("\"mode\":\"0755\"", "\"mode\":\"0755\",\"layer\":0"),
       "file 2: a layer without an image"},
      {"a null", forged("\"size\":2", "\"size\":null"), "a null"},
      {"a boolean", forged("\"size\":2", "\"size\":true"), "a boolean"},
      {"an object for text", forged("\"0755\"", "{}"), "an object out of place"},
      {"a list for text", forged("\"0755\"", "[]"), "a list out of place"},
      {"files as an object", "{\"predicate\":{\"files\":{}}}", "an object out of place"},
      {"a subject that is text", "{\"subject\":[\"x\"]}", "text out of place"},
      {"two subjects",
       edited("}}],",
              "}},{\"name\":\"x\",\"digest\":{\"sha256\":\"" + std::string(64, '0') + "\"}}],"),
       "more than one subject"},
      {"a file changed after the subject digest was taken", edited("\"size\":2", "\"size\":3"),
       "subject digest"},
      {"a file out of order", forged("/bin/sh", "/zzz"), "not in order"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Fault fault = refusal_of(row.text);
    CHECK(fault.id == FaultId::kGoldenMalformed);
    CAPTURE(fault.detail);
    CHECK(fault.detail.find(row.says) != std::string::npos);
  }
}

TEST_CASE("parse_golden_set: a file without a digest vouches for nothing and is refused") {
  GoldenSet set{.name = "x", .source = "rootfs", .files = {}};
  set.files.push_back({.path = "/a", .digests = {digest_of("a")}, .size = 0, .mode = 0});
  std::string text = format_golden_set(set);
  const std::size_t at = text.find("\"sha256\":\"", text.find("\"path\""));
  text.erase(at, std::string("\"sha256\":\"\",").size() + 64);
  CHECK(fault_of(text) == FaultId::kGoldenMalformed);
  CHECK(refusal_of(text).detail == "file 0: no digest");
}

TEST_CASE("parse_golden_set: a set without files or subjects is refused, not empty") {
  const std::string none = to_hex(hash(HashAlg::kSha256, {}).bytes());
  const std::string head =
      R"({"_type":"https://in-toto.io/Statement/v1","predicateType":"https://assay.dev/golden-set/v1",)"
      R"("predicate":{"source":"rootfs","files":[]},)";
  const Fault no_file =
      refusal_of(head + R"("subject":[{"name":"x","digest":{"sha256":")" + none + "\"}}]}");
  CHECK(no_file.id == FaultId::kGoldenMalformed);
  CHECK(no_file.detail == "no file and no signer");
  const Fault no_subject = refusal_of(head + "\"subject\":[]}");
  CHECK(no_subject.id == FaultId::kGoldenMalformed);
  CHECK(no_subject.detail == "no subject");
}

TEST_CASE("parse_golden_set: the same file twice is refused") {
  std::string text = format_golden_set(sample());
  const std::size_t at = text.find("{\"path\":\"/bin/sh\"");
  const std::string line = text.substr(at, text.find('\n', at) - at);
  REQUIRE(line.ends_with("},"));
  const Fault fault = refusal_of(forged(line, line + "\n" + line));
  CHECK(fault.id == FaultId::kGoldenMalformed);
  CHECK(fault.detail == "file 2: not in order");
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

TEST_CASE("valid_fact_name: takes a few characters of ASCII, up to the limit") {
  CHECK(valid_fact_name("build.url_2-x"));
  CHECK(valid_fact_name(std::string(kMaxFactNameBytes, 'a')));
  CHECK_FALSE(valid_fact_name(std::string(kMaxFactNameBytes + 1, 'a')));
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

TEST_CASE("parse_golden_set: what a set knows of its image comes back") {
  const Digest digest = Digest::filled(HashAlg::kSha256, 7);
  GoldenSet set{.name = "x",
                .source = "oci",
                .files = {{.path = "/a", .digests = {digest}}},
                .image = GoldenImage{.names = {"shop/web:1", "shop/web:latest"},
                                     .digests = {digest, Digest::filled(HashAlg::kSha512, 1)},
                                     .layers = {digest}}};
  CHECK(parse_golden_set(as_bytes(format_golden_set(set))) == set);
  set.image = GoldenImage{.names = {}, .digests = {}, .layers = {}};
  CHECK(parse_golden_set(as_bytes(format_golden_set(set))) == set);
}

TEST_CASE("parse_golden_set: owner, kind and layer of a file come back, in one order") {
  const Digest digest = Digest::zero(HashAlg::kSha256);
  GoldenSet set{.name = "x",
                .source = "oci",
                .files = {{.path = "/a",
                           .digests = {digest},
                           .size = 7,
                           .mode = 0755,
                           .uid = 0,
                           .gid = 4294967295,
                           .kind = ContentKind::kElf,
                           .layer = 1},
                          {.path = "/b", .digests = {digest}, .kind = ContentKind::kScript}},
                .image = GoldenImage{.names = {}, .digests = {}, .layers = {digest, digest}}};
  const std::string text = format_golden_set(set);
  const std::string zeros(64, '0');
  CHECK(text.ends_with("\n{\"path\":\"/a\",\"sha256\":\"" + zeros +
                       "\",\"size\":7,\"mode\":\"0755\",\"uid\":0,\"gid\":4294967295,"
                       "\"kind\":\"elf\",\"layer\":1},\n{\"path\":\"/b\",\"sha256\":\"" +
                       zeros + "\",\"size\":0,\"mode\":\"0000\",\"kind\":\"script\"}\n]}}\n"));
  CHECK(parse_golden_set(as_bytes(text)) == set);
  // Sorted by name, members of the predicate have the image behind the files.
  CHECK(parse_golden_set(as_bytes(nlohmann::json::parse(text).dump())) == set);
}

TEST_CASE("parse_golden_set: what is known of a file is in the subject digest") {
  const Digest digest = Digest::zero(HashAlg::kSha256);
  const std::string text = format_golden_set(
      {.name = "x",
       .source = "oci",
       .files = {{.path = "/a",
                  .digests = {digest},
                  .uid = 0,
                  .gid = 0,
                  .kind = ContentKind::kElf,
                  .layer = 0}},
       .image = GoldenImage{.names = {}, .digests = {}, .layers = {digest, digest}}});
  for (const std::pair<std::string, std::string>& edit :
       {std::pair<std::string, std::string>{"\"uid\":0", "\"uid\":1"},
        {"\"gid\":0", "\"gid\":1"},
        {"\"kind\":\"elf\"", "\"kind\":\"script\""},
        {"\"layer\":0", "\"layer\":1"},
        {",\"layer\":0", ""}}) {
    CAPTURE(edit.first);
    std::string changed = text;
    changed.replace(changed.find(edit.first), edit.first.size(), edit.second);
    CHECK(refusal_of(changed).detail == "the content is not that which the subject digest is of");
  }
}

TEST_CASE("parse_golden_set: a layer that the image does not have is refused") {
  const Digest digest = Digest::zero(HashAlg::kSha256);
  GoldenSet set{.name = "x",
                .source = "oci",
                .files = {{.path = "/a", .digests = {digest}, .layer = 0},
                          {.path = "/b", .digests = {digest}, .layer = 1}},
                .image = GoldenImage{.names = {}, .digests = {}, .layers = {digest, digest}}};
  std::string text = format_golden_set(set);
  const std::string both = format_digest(digest) + "\",\"" + format_digest(digest);
  text.replace(text.find(both), both.size(), format_digest(digest));
  const Fault fault = refusal_of(text);
  CHECK(fault.id == FaultId::kGoldenMalformed);
  CHECK(fault.detail == "file 1: a layer that the image does not have");
}

TEST_CASE(
    "parse_golden_set: files without and with all that may be known of them are the same bytes") {
  for (const char* name : {"golden-set.json", "golden-image.json"}) {
    CAPTURE(name);
    const Bytes seed = read_test_data("../fuzz/seeds/" + std::string(name));
    const auto set = parse_golden_set(seed);
    REQUIRE(set.has_value());
    CHECK(format_golden_set(*set) == as_text(seed));
  }
}

TEST_CASE("parse_golden_set: facts come back, ordered by name, and are in no digest") {
  GoldenSet set = sample();
  const std::string without = format_golden_set(set);
  set.facts = {{"url", "https://ci.example/7"}, {"revision", "\"4f0c\" \\ \xc3\xa9"}};
  const std::string text = format_golden_set(set);
  CHECK(text.find("\"source\":\"rootfs\",\"facts\":{\"revision\":\"\\\"4f0c\\\" \\\\ \xc3\xa9\","
                  "\"url\":\"https://ci.example/7\"},\"files\":[") != std::string::npos);
  CHECK(parse_golden_set(as_bytes(text)) == set);
  const auto json = nlohmann::json::parse(text);
  CHECK(json.at("subject") == nlohmann::json::parse(without).at("subject"));

  set.facts = {{std::string(kMaxFactNameBytes, 'a'), std::string(kMaxFactValueBytes, 'b')}};
  CHECK(parse_golden_set(as_bytes(format_golden_set(set))) == set);
  set.facts.clear();
  CHECK(format_golden_set(set) == without);
}

TEST_CASE("parse_golden_set: bad facts are refused") {
  const auto refusal = [](const std::string& facts) {
    return refusal_of(edited("\"source\"", "\"facts\":" + facts + ",\"source\""));
  };
  const std::pair<std::string, std::string> rows[] = {
      {"[]", "a list out of place"},
      {"\"x\"", "text out of place"},
      {R"({"a":1})", "a number out of place"},
      {R"({"a":null})", "a null"},
      {R"({"a":[]})", "a list out of place"},
      {R"({"a":{}})", "an object out of place"},
      {R"({"":"x"})", "bad name of a fact: \"\""},
      {R"({"A":"x"})", "bad name of a fact: \"A\""},
      {R"({"a b":"x"})", "bad name of a fact: \"a b\""},
      {R"({"\u001b":"x"})", "bad name of a fact: \"\\x1b\""},
      {R"({"a":""})", "bad fact \"a\""},
      {R"({"a":"\u001b[2J"})", "bad fact \"a\""},
      {R"({"a":"x\n"})", "bad fact \"a\""},
      {"{\"a\":\"" + std::string(kMaxFactValueBytes + 1, 'x') + "\"}", "bad fact \"a\""},
      {R"({"a":"x","a":"x"})", "fact \"a\" twice"},
      {R"({"a":"x"},"facts":{"b":"x"})", "\"facts\" twice"},
  };
  for (const auto& [facts, says] : rows) {
    CAPTURE(facts);
    const Fault fault = refusal(facts);
    CHECK(fault.id == FaultId::kGoldenMalformed);
    CAPTURE(fault.detail);
    CHECK(fault.detail.starts_with(says));
  }
  std::string many = "{\"x\":\"x\"";
  for (std::size_t i = 0; i < kMaxSetFacts; ++i) many += ",\"" + std::to_string(i) + "\":\"x\"";
  CHECK(refusal(many + "}").id == FaultId::kGoldenTooLarge);
}

TEST_CASE("parse_golden_set: keys of signers come back, and the subject digest is of them too") {
  std::vector<GoldenSigner> signers;
  for (const char* name : {"ima-rsa", "ima-ec"}) {
    const Bytes spki = *signer_spki(read_test_data("keys/" + std::string(name) + ".pub"));
    signers.push_back({"\xff\n" + std::string(name), *parse_file_signer(spki)});
  }
  signers.push_back(signers[0]);
  sort_signers(signers);
  REQUIRE(signers.size() == 2);
  GoldenSet set{.name = "x", .source = "signers", .files = {}, .signers = signers};
  const std::string text = format_golden_set(set);
  CHECK(parse_golden_set(as_bytes(text)) == set);
  set.files = {{.path = "/a", .digests = {Digest::zero(HashAlg::kSha256)}}};
  CHECK(parse_golden_set(as_bytes(format_golden_set(set))) == set);

  const auto refusal = [&](std::string_view from, std::string_view to) {
    std::string changed = text;
    REQUIRE(changed.find(from) != std::string::npos);
    return refusal_of(changed.replace(changed.find(from), from.size(), to)).detail;
  };
  CHECK(refusal("\"name\":\"\\\\xff", "\"name\":\"\\\\xfe") ==
        "the content is not that which the subject digest is of");
  CHECK(refusal("\"key\":\"30", "\"key\":\"31") == "bad \"key\"");
  CHECK(refusal("\"key\":\"30", "\"key\":\"3g") == "bad \"key\"");
  CHECK(refusal("\"key\":\"3059", "\"kay\":\"3059") == "unknown member \"kay\"");
  const std::size_t first = text.find("{\"name\":\"\\");
  const std::string line = text.substr(first, text.find('}', first) + 1 - first);
  CHECK(refusal(line, line + "," + line) == "signers not in order");
  CHECK(refusal(line, "{}") == "no \"name\"");
  std::string many = line;
  for (std::size_t i = 0; i < kMaxSetSigners; ++i) many += "," + line;
  CHECK(fault_of(text.substr(0, first) + many) == FaultId::kGoldenMalformed);
}

TEST_CASE("parse_golden_set: bad facts of an image are refused") {
  const auto refusal = [](const std::string& image) {
    std::string text =
        format_golden_set({.name = "x",
                           .source = "oci",
                           .files = {{.path = "/a", .digests = {Digest::zero(HashAlg::kSha256)}}}});
    text.insert(text.find("\"files\""), "\"image\":" + image + ",");
    const auto got = parse_golden_set(as_bytes(text));
    REQUIRE_FALSE(got);
    return got.error().id;
  };
  CHECK(refusal("{}") == FaultId::kGoldenMalformed);
  CHECK(refusal("[]") == FaultId::kGoldenMalformed);
  CHECK(refusal(R"({"names":["a b"],"digests":[],"layers":[]})") == FaultId::kGoldenMalformed);
  CHECK(refusal(R"({"names":[7],"digests":[],"layers":[]})") == FaultId::kGoldenMalformed);
  CHECK(refusal(R"({"names":[[]],"digests":[],"layers":[]})") == FaultId::kGoldenMalformed);
  CHECK(refusal(R"({"names":[],"digests":["md5:00"],"layers":[]})") == FaultId::kGoldenMalformed);
  CHECK(refusal(R"({"names":[],"digests":[],"layers":["sha256:00"]})") ==
        FaultId::kGoldenMalformed);
  std::string many = "\"a\"";
  for (std::size_t i = 0; i < kMaxSetImageItems; ++i) many += ",\"a\"";
  CHECK(refusal("{\"names\":[" + many + "],\"digests\":[],\"layers\":[]}") ==
        FaultId::kGoldenTooLarge);
}
