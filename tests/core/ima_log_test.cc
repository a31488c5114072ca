#include "core/ima_log.h"

#include <doctest/doctest.h>

#include <sstream>

#include "tests/support/evidence_case.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

std::string fault_of(const Bytes& log) {
  ImaLogReader reader(log);
  while (!reader.at_end()) {
    const auto entry = reader.next();
    if (!entry) return std::string(fault_name(entry.error().id));
  }
  return "";
}

Bytes one(std::string_view name, const std::vector<Bytes>& fields) {
  return ImaBuilder().record(kImaPcr, name, fields).bytes();
}

Bytes with(Bytes log, std::size_t at, std::uint8_t value) {
  log[at] = value;
  return log;
}

}  // namespace

TEST_CASE("ImaLogReader: every record of real logs reads as an independent reader read it") {
  for (const std::string& name : all_cases()) {
    if (name.starts_with("p-")) continue;
    CAPTURE(name);
    const EvidenceCase evidence = load_case(name);
    std::istringstream lines{
        std::string(as_text(read_test_data("evidence/" + name + "/entries.tsv")))};
    std::string line;
    std::getline(lines, line);  // the column names
    ImaLogReader reader(evidence.ima_log);
    for (std::uint64_t index = 0; std::getline(lines, line); ++index) {
      CAPTURE(line);
      std::vector<std::string> columns;
      std::istringstream row(line);
      for (std::string column; std::getline(row, column, '\t');) columns.push_back(column);
      REQUIRE(columns.size() >= 9);
      CHECK(reader.offset() == std::stoull(columns[1]));
      const auto entry = reader.next();
      REQUIRE(entry.has_value());
      CHECK(entry->index == index);
      CHECK(std::to_string(entry->pcr.value()) == columns[2]);
      CHECK(entry->template_name == columns[3]);
      CHECK(to_hex(entry->header_digest) == columns[4]);
      CHECK((entry->violation ? "1" : "0") == columns[5]);
      if (!entry->violation) CHECK(to_hex(entry->file_digest.value().bytes()) == columns[7]);
      CHECK(to_hex(as_bytes(entry->name)) == columns[8]);
    }
    CHECK(reader.at_end());
  }
}

TEST_CASE("ImaLogReader: a record that is not its template's is refused for its own reason") {
  const Bytes d = d_ng(digest_of("x"));
  const Bytes n = n_ng("/bin/x");
  const Bytes good = one("ima-ng", {d, n});
  const Bytes short_digest(d.begin(), d.end() - 1);
  const Bytes no_nul(n.begin(), n.end() - 1);
  struct Row {
    std::string name;
    Bytes log;
    std::string want;
  };
  const Row rows[] = {
      {"a well-formed record", good, ""},
      {"PCR 24", with(good, 0, 24), "ima.malformed"},
      {"PCR over 255", with(good, 1, 1), "ima.malformed"},
      {"a template name over the limit", with(good, 25, 2), "ima.too_large"},
      {"a template that is not known", one("ima-nx", {d, n}), "ima.unknown_template"},
      {"an empty template name", one("", {d, n}), "ima.unknown_template"},
      {"a format string with an unknown field", one("d-ng|n-ng|nope", {d, n, {}}),
       "ima.unknown_template"},
      {"a field too many", one("ima-ng", {d, n, {}}), "ima.malformed"},
      {"a field too few", one("ima-sig", {d, n}), "ima.malformed"},
      {"a digest cut short", one("ima-ng", {short_digest, n}), "ima.malformed"},
      {"a digest without algorithm", one("ima-ng", {Bytes(32, 1), n}), "ima.malformed"},
      {"an empty digest field", one("ima-ng", {{}, n}), "ima.malformed"},
      {"a name without NUL", one("ima-ng", {d, no_nul}), "ima.malformed"},
      {"an empty name field", one("ima-ng", {d, {}}), "ima.malformed"},
      {"an ngv2 digest without type", one("ima-ngv2", {d, n}), "ima.malformed"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(fault_of(row.log) == row.want);
  }
}

TEST_CASE("ImaLogReader: template data over 1 MiB is refused before it is looked at") {
  const Bytes big = one("ima-sig", {d_ng(digest_of("x")), n_ng("/x"), Bytes((1 << 20) + 1)});
  CHECK(fault_of(big) == "ima.too_large");
}

TEST_CASE("ImaLogReader: a name is bytes, with anything in it but its final NUL") {
  const std::string name("/tmp/a\n10 \x1b[31m\xff\0b", 17);
  const Bytes log = one("ima-ng", {d_ng(digest_of("x")), n_ng(name)});
  CHECK(ImaLogReader(log).next()->name == name);
}

TEST_CASE("ImaLogReader: a file digest of an algorithm that is not known is left for judgement") {
  Bytes sm3 = n_ng("sm3:");
  sm3.insert(sm3.end(), 32, 7);
  const Bytes log = one("ima-ng", {sm3, n_ng("/x")});
  const auto entry = ImaLogReader(log).next();
  REQUIRE(entry.has_value());
  CHECK_FALSE(entry->file_digest.has_value());
  CHECK_FALSE(entry->violation);
}

TEST_CASE("ImaLogReader: a custom format string is read field by field") {
  const Bytes log =
      one("d-ng|n-ng|iuid|igid|imode",
          {d_ng(digest_of("x")), n_ng("/x"), {1, 0, 0, 0}, {2, 0, 0, 0}, {0xed, 0x81}});
  const auto entry = ImaLogReader(log).next();
  REQUIRE(entry.has_value());
  CHECK(entry->find(ImaField::kIuid)->front() == 1);
  CHECK(entry->find(ImaField::kIgid)->front() == 2);
  CHECK_FALSE(entry->find(ImaField::kSig).has_value());
}
