#include "golden/learn.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <sstream>

#include "tests/support/evidence_case.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

using PathAndDigest = std::pair<std::string, std::string>;

// What an independent reader found in a log: entries.tsv.
struct Independent {
  std::set<PathAndDigest> files;
  std::uint64_t entries = 0;
  std::uint64_t violations = 0;
};

Independent read_entries(const std::string& name) {
  const Bytes file = read_test_data("evidence/" + name + "/entries.tsv");
  std::istringstream lines{std::string(as_text(file))};
  std::string line;
  std::getline(lines, line);  // headings
  Independent out;
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    std::vector<std::string> cell(9);
    for (std::string& c : cell) std::getline(cells, c, '\t');
    ++out.entries;
    if (cell[5] == "1") {
      ++out.violations;
      continue;
    }
    std::string alg = cell[6];
    if (const auto colon = alg.find(':'); colon != std::string::npos) alg.erase(0, colon + 1);
    const auto path = from_hex(cell[8]);
    REQUIRE(path.has_value());
    out.files.emplace(as_text(*path), alg + ":" + cell[7]);
  }
  return out;
}

// A buffer's entry bears the keyring's or event's name alone.
std::string logged_name(const std::string& path) {
  if (path == "kexec:command-line") return "kexec-cmdline";
  const bool buffer = path.starts_with("keyring:") || path.starts_with("critical:");
  return buffer ? path.substr(path.find(':') + 1) : path;
}

}  // namespace

TEST_CASE("learn_ima_log: finds in real logs what an independent reader finds") {
  for (const std::string name : {"a-clean-ovmf", "b-ima-ng-sha1", "b-ima-ngv2", "c-legacy-ima",
                                 "d-sha512", "e-violations-sig", "h-imabuf", "i-evm-sig"}) {
    CAPTURE(name);
    const Independent want = read_entries(name);
    const auto learned = learn_ima_log(load_case(name).ima_log);
    REQUIRE(learned.has_value());
    std::set<PathAndDigest> got;
    for (const GoldenFile& file : learned->files) {
      REQUIRE(file.digests.size() == 1);
      got.emplace(logged_name(file.path), format_digest(file.digests[0]));
    }
    CHECK(got == want.files);
    CHECK(learned->files.size() == got.size());
    CHECK(learned->entries == want.entries);
    CHECK(learned->violations == want.violations);
  }
}

TEST_CASE("learn_ima_log: keys, command lines and critical data are named by what they are") {
  const auto learned = learn_ima_log(load_case("h-imabuf").ima_log);
  REQUIRE(learned.has_value());
  std::map<std::string, int> buffers;
  for (const GoldenFile& file : learned->files) {
    if (file.path != logged_name(file.path)) ++buffers[file.path];
  }
  CHECK(buffers == std::map<std::string, int>{{"critical:kernel_version", 1},
                                              {"keyring:.builtin_trusted_keys", 1},
                                              {"keyring:_ima", 1},
                                              {"keyring:mykeys", 1},
                                              {"kexec:command-line", 1},
                                              {"critical:dm_table_load", 1},
                                              {"critical:dm_device_resume", 1},
                                              {"critical:dm_device_rename", 1},
                                              {"critical:dm_device_remove", 1}});
}

TEST_CASE("learn_ima_log: what nothing can vouch for is counted and left out") {
  Bytes unknown_digest;
  for (const char c : std::string("sm3:")) unknown_digest.push_back(static_cast<std::uint8_t>(c));
  unknown_digest.resize(unknown_digest.size() + 33);
  const std::string long_name(kMaxSetPathBytes + 1, 'n');
  ImaBuilder log;
  log.file("/bin/a", digest_of("a"))
      .violation("/bin/torn")
      .record(kImaPcr, "ima-ng", {unknown_digest, n_ng("/bin/sm3")})
      .file("", digest_of("nameless"))
      .file(long_name, digest_of("long"))
      .file("/bin/a", digest_of("other content"))
      .file("/bin/a", digest_of("a"));
  const auto learned = learn_ima_log(log.bytes());
  REQUIRE(learned.has_value());
  CHECK(learned->entries == 7);
  CHECK(learned->violations == 1);
  CHECK(learned->without_digest == 1);
  CHECK(learned->without_name == 2);
  REQUIRE(learned->files.size() == 2);  // two contents of one path
  CHECK(learned->files[0].path == "/bin/a");
  CHECK(learned->files[1].path == "/bin/a");
}

TEST_CASE("learn_ima_log: refuses a log that it cannot learn from") {
  ImaBuilder only_violations;
  only_violations.violation("/bin/torn");
  ImaBuilder whole;
  whole.file("/bin/a", digest_of("a"));
  Bytes damaged = whole.bytes();
  damaged.at(damaged.size() - 2) ^= 1;  // the last letter of the name, before its NUL
  ImaBuilder forged_buffer;
  forged_buffer.record(kImaPcr, "ima-buf", {d_ng(digest_of("a")), n_ng(".ima"), {'b'}});
  Bytes cut = whole.bytes();
  cut.pop_back();
  struct Row {
    std::string name;
    Bytes log;
    FaultId want;
  };
  const Row rows[] = {
      {"an empty log", {}, FaultId::kGoldenMalformed},
      {"a log of violations alone", only_violations.bytes(), FaultId::kGoldenMalformed},
      {"a log cut short", cut, FaultId::kImaMalformed},
      {"a buffer under another's digest", forged_buffer.bytes(), FaultId::kImaBufferDigestMismatch},
      {"a damaged record", damaged, FaultId::kImaTemplateDigestMismatch},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto learned = learn_ima_log(row.log);
    REQUIRE_FALSE(learned.has_value());
    CHECK(learned.error().id == row.want);
  }
}
