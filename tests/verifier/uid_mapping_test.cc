#include "verifier/sessions/uid_mapping.h"

#include <doctest/doctest.h>

#include "tests/support/fault_of.h"

using namespace assay;
using assay::testing::fault_of;

namespace {

std::string mappings(const std::string& users, const std::string& groups) {
  return R"({"uidMappings":[)" + users + R"(],"gidMappings":[)" + groups + "]}";
}

std::string both(const std::string& mapping) {
  return mappings(mapping, mapping);
}

const std::string kMapping = R"({"hostId":131072,"containerId":0,"length":65536})";

}  // namespace

TEST_CASE("parse_uid_mapping: what the kubelet writes") {
  const auto got = parse_uid_mapping(as_bytes(both(kMapping)));
  REQUIRE(got.has_value());
  CHECK(got->ranges() == 1);
  CHECK(got->label(0).text() == "131072-196607");
  const auto long_one = parse_uid_mapping(
      as_bytes(both(R"({"length":131072,"containerId":0,"hostId":65536})") + "\n"));
  REQUIRE(long_one.has_value());
  CHECK(long_one->ranges() == 2);
}

TEST_CASE("parse_uid_mapping: anything else is a fault") {
  struct Row {
    std::string text;
    FaultId want = FaultId::kEvidenceMalformed;
  };
  const auto with = [](const std::string& host, const std::string& container,
                       const std::string& length) {
    return both(R"({"hostId":)" + host + R"(,"containerId":)" + container + R"(,"length":)" +
                length + "}");
  };
  const Row rows[] = {
      {""},
      {"[]"},
      {"null"},
      {"{}"},
      {both(kMapping) + "x"},
      {both(kMapping) + std::string(1, '\0')},
      {both("")},
      {both(kMapping + "," + kMapping)},
      {both("1")},
      {both("[" + kMapping + "]")},
      {R"({"uidMappings":[)" + kMapping + "]}"},
      {R"({"uidMappings":)" + kMapping + R"(,"gidMappings":)" + kMapping + "}"},
      {mappings(kMapping, R"({"hostId":196608,"containerId":0,"length":65536})")},
      {mappings(kMapping, R"({"hostId":131072,"containerId":0,"length":131072})")},
      {R"({"more":1,)" + both(kMapping).substr(1)},
      {R"({"uidMappings":[],)" + both(kMapping).substr(1)},
      {both(R"({"hostId":131072,"containerId":0,"length":65536,"more":1})")},
      {both(R"({"hostId":131072,"length":65536})")},
      {with("0", "0", "65536")},
      {with("131072", "1", "65536")},
      {with("131073", "0", "65536")},
      {with("-131072", "0", "65536")},
      {with("131072.0", "0", "65536")},
      {with("\"131072\"", "0", "65536")},
      {with("131072", "0", "0")},
      {with("131072", "0", "65535")},
      {with("131072", "0", "4259840")},
      {with("4294901760", "0", "131072")},
      {with("4295098368", "0", "65536")},
      {with("18446744073709551616", "0", "65536")},
      {both(kMapping) + std::string(kMaxUidMappingBytes, ' '), FaultId::kEvidenceTooLarge},
      {std::string(100, '['), FaultId::kEvidenceMalformed},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(fault_of(parse_uid_mapping(as_bytes(row.text))) == row.want);
  }
  std::string longest = both(kMapping);
  longest.resize(kMaxUidMappingBytes, ' ');
  CHECK(parse_uid_mapping(as_bytes(longest)).has_value());
}
