#include "cli/fault_row.h"

#include <doctest/doctest.h>

#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

TEST_CASE("to_json: has every member, in the documented order, null for what is not there") {
  const Fault entry{.id = FaultId::kImaUnknownDigest,
                    .entry = 57,
                    .path = "/bin/x\n\xff\\",
                    .digest = digest_of("x"),
                    .detail = "d"};
  CHECK(to_json(row_of(entry)).dump() ==
        "{\"id\":\"ima.unknown_digest\",\"severity\":\"critical\",\"entry\":57,"
        "\"path\":\"/bin/x\\\\x0a\\\\xff\\\\\\\\\",\"digest\":\"" +
            format_digest(digest_of("x")) + "\",\"detail\":\"d\"}");
  const auto bare = to_json(row_of(Fault{.id = FaultId::kQuoteBadSignature}));
  CHECK(bare["entry"].is_null());
  CHECK(bare["path"].is_null());
  CHECK(bare["digest"].is_null());
  CHECK(bare["detail"] == std::string(fault_meaning(FaultId::kQuoteBadSignature)));
}

TEST_CASE("to_json: an entry without a name has an empty path, not none") {
  const auto json = to_json(row_of(Fault{.id = FaultId::kImaViolation, .entry = 1}));
  CHECK(json["path"] == "");
}

TEST_CASE("to_json: an id that this program does not know is passed on") {
  const auto json = to_json(FaultRow{.id = "new.fault", .severity = "warning"});
  CHECK(json["id"] == "new.fault");
  CHECK(json["severity"] == "warning");
  CHECK(json["detail"] == "");
}

TEST_CASE("format_faults: shows fifty and counts the rest, with what each id means") {
  std::vector<FaultRow> rows;
  for (std::uint64_t i = 0; i < 60; ++i) {
    rows.push_back(row_of(Fault{.id = FaultId::kImaViolation, .entry = i, .path = "/a\x1b[2J"}));
  }
  const std::string text = format_faults(rows, 2000);
  CHECK(text.find("\n49 ") != std::string::npos);
  CHECK(text.find("\n50 ") == std::string::npos);
  CHECK(text.find("\nima.violation: " + std::string(fault_meaning(FaultId::kImaViolation))) !=
        std::string::npos);
  CHECK(text.ends_with("and 1950 more\n"));
  CHECK(text.find('\x1b') == std::string::npos);
}

TEST_CASE("format_json: never fails, whatever the text") {
  nlohmann::ordered_json json;
  json["text"] = "\xff\n";
  const std::string text = format_json(json);
  CHECK(nlohmann::json::accept(text));
  CHECK(text.ends_with("}\n"));
}
