#include "cli/table.h"

#include <doctest/doctest.h>

using namespace assay;

TEST_CASE("Table: columns are as wide as their widest cell, in characters") {
  Table table({"NAME", "N", "PATH"});
  CHECK(table.empty());
  table.add({"a", "100", "/x"});
  table.add({"f\xc3\xbcnf\xc3\xbc", "", "/longer"});
  CHECK_FALSE(table.empty());
  CHECK(table.text() ==
        "NAME   N    PATH\n"
        "a      100  /x\n"
        "f\xc3\xbcnf\xc3\xbc  -    /longer\n");
}

TEST_CASE("Table: no cell can break a line or reach the terminal") {
  Table table({"PATH"});
  table.add({"/a\n\x1b[2J\xff"});
  CHECK(table.text() == "PATH\n/a\\x0a\\x1b[2J\\xff\n");
}

TEST_CASE("format_fields: labels are padded, values escaped, nothing is a dash") {
  CHECK(format_fields({{"a", "1\n"}, {"long", ""}}) == "a     1\\x0a\nlong  -\n");
}

TEST_CASE("format_time: is RFC 3339 in UTC, and empty for never") {
  CHECK(format_time(0).empty());
  CHECK(format_time(1) == "1970-01-01T00:00:00.001Z");
  CHECK(format_time(1795457237804) == "2026-11-23T18:07:17.804Z");
  CHECK(format_time(-1) == "-1 ms");
  CHECK(format_time(std::int64_t{1} << 62).find("4611686018427387904") == 0);
}
