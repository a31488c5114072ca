#include "cli/evidence_log.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "tests/cli/assay_process.h"
#include "tests/cli/bundle_dir.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

Finished show(const std::string& path, Arguments more = {}) {
  more.insert(more.begin(), {"evidence", "log", path});
  return run_assay(more);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

}  // namespace

TEST_CASE("evidence log: every entry is a line of JSON, with words for a buffer") {
  const BundleDir bundle("h-imabuf");
  const Finished got = show(bundle.path(), {"--json"});
  CHECK(got.exit == 0);
  const auto lines = lines_of(got.out);
  REQUIRE(lines.size() == 86);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto entry = nlohmann::json::parse(lines[i]);
    CHECK(entry.at("entry") == i);
    CHECK(entry.at("pcr") == 10);
    CHECK(entry.at("words").is_null() == (entry.at("template") != "ima-buf"));
  }
  const auto table = nlohmann::json::parse(lines[81]);
  CHECK(table.at("path") == "dm_table_load");
  CHECK(table.at("violation") == false);
  CHECK(table.at("words") == "device-mapper table of 'holdout' loaded: linear on 7:0");
}

TEST_CASE("evidence log: a log file is shown for people as well") {
  const TempDir dir;
  ImaBuilder log;
  log.file("/bin/a\x1b", digest_of("a")).violation("/bin/torn");
  dir.write("log", as_text(log.bytes()));
  const Finished got = show((dir / "log").string());
  CHECK(got.exit == 0);
  const auto lines = lines_of(got.out);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == "0      10 ima-ng   " + format_digest(digest_of("a")) + " /bin/a\\x1b");
  CHECK(lines[1] ==
        "1      10 ima-ng   - /bin/torn  violation: not measured, and the name is not "
        "authenticated");
}

TEST_CASE("evidence log: entries that stand across the window's ends are whole") {
  const TempDir dir;
  ImaBuilder log;
  const Bytes content(300'000, 'x');
  for (int i = 0; i < 40; ++i) {
    log.record(kImaPcr, "ima-buf", {d_ng(hash(HashAlg::kSha256, content)), n_ng("x"), content});
  }
  dir.write("log", as_text(log.bytes()));
  const Finished got = show((dir / "log").string(), {"--json"});
  CHECK(got.exit == 0);
  const auto lines = lines_of(got.out);
  REQUIRE(lines.size() == 40);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    CHECK(nlohmann::json::parse(lines[i]).at("entry") == i);
  }
}

TEST_CASE("evidence log: a digest that is not the buffer's is pointed at") {
  ImaBuilder log;
  log.record(kImaPcr, "ima-buf", {d_ng(digest_of("a")), n_ng("kexec-cmdline"), {'b'}});
  const auto entry = ImaLogReader(log.bytes()).next();
  REQUIRE(entry.has_value());
  CHECK(format_entry(*entry).ends_with(
      " kexec-cmdline  kexec command line: b (the entry's digest is of something else)\n"));
}

TEST_CASE("evidence log: fields that are not known are shown, and labels as text") {
  ImaBuilder log;
  log.record(kImaPcr, "d-ng|n-ng|nope|cg-path|sig",
             {d_ng(digest_of("a")), n_ng("/bin/a"), {1, 2}, n_ng("/kubepods.slice\n"), {}});
  log.record(kImaPcr, "ima-nx", {{3}});
  ImaLogReader reader(log.bytes());
  const std::string first = format_entry(*reader.next());
  CHECK(first.ends_with(" /bin/a  nope=0102  cg-path=/kubepods.slice\\x0a\n"));
  const auto foreign = reader.next();
  CHECK(format_entry(*foreign).ends_with(" -   ?=03\n"));
  const auto json = nlohmann::json::parse(format_entry_json(*foreign));
  CHECK(json.at("fields") == nlohmann::json::parse(R"([{"name": "?", "value": "03"}])"));
}

TEST_CASE("evidence log: a log of another byte order and digest is read as what it is") {
  const TempDir dir;
  ImaBuilder log({HashAlg::kSha256}, {.order = ByteOrder::kBig, .digests = HashAlg::kSha512});
  log.file("/bin/a", digest_of("a")).file("/bin/b", digest_of("b"));
  dir.write("log", as_text(log.bytes()));
  const Finished got = show((dir / "log").string());
  CHECK(got.exit == 0);
  CHECK(lines_of(got.out).size() == 2);
}

TEST_CASE("evidence log: what cannot be read ends the list, and says why") {
  const TempDir dir;
  ImaBuilder log;
  log.file("/bin/a", digest_of("a")).file("/bin/b", digest_of("b"));
  Bytes cut = log.bytes();
  cut.pop_back();
  dir.write("cut", as_text(cut));
  const Finished got = show((dir / "cut").string());
  CHECK(got.exit == 2);
  CHECK(lines_of(got.out).size() == 1);
  CHECK(got.complains_of("ima.malformed"));

  const Finished missing = show((dir / "none").string());
  CHECK(missing.exit == 3);
  CHECK(missing.complains_of("No such file"));
}
