#include "golden/dpkg/database.h"

#include <doctest/doctest.h>

#include "golden/set_file.h"
#include "tests/support/fault_of.h"

using namespace assay;
using testing::fault_of;

namespace {

constexpr std::string_view kSum = "9f86d081884c7d659a2feaa0c55ad015";

Result<std::vector<DpkgPackage>> parse_status(std::string_view text) {
  return parse_dpkg_status(as_bytes(text));
}

}  // namespace

TEST_CASE("parse_dpkg_status: has the packages and what of them is there") {
  const auto got = parse_status(
      "Package: libc6\nStatus: install ok installed\nPriority: optional\nArchitecture: amd64\n"
      "Multi-Arch: same\nDescription: C library\n with a : and more\n .\n\n"
      "Package: g++-12\nStatus: hold ok triggers-pending\n\n\n"
      "Package: gone\nStatus: deinstall ok config-files\n\n"
      "Package: broken\nStatus: install reinstreq half-installed\n");
  REQUIRE(got.has_value());
  REQUIRE(got->size() == 4);
  CHECK((*got)[0].name == "libc6");
  CHECK((*got)[0].architecture == "amd64");
  CHECK((*got)[0].state == PackageState::kThere);
  CHECK((*got)[1].name == "g++-12");
  CHECK((*got)[1].architecture.empty());
  CHECK((*got)[1].state == PackageState::kThere);
  CHECK((*got)[2].state == PackageState::kAbsent);
  CHECK((*got)[3].state == PackageState::kPartly);
}

TEST_CASE(
    "parse_dpkg_status: configuration files have spaces, flags, and sums that are not there yet") {
  const auto got = parse_status("Package: p\nStatus: install ok installed\nConffiles:\n /etc/a " +
                                std::string(kSum) + "\n /etc/b c " + std::string(kSum) +
                                " obsolete\n /etc/d newconffile\n /etc/e " + std::string(kSum) +
                                " obsolete remove-on-upgrade\nVersion: 1\n");
  REQUIRE(got.has_value());
  const auto& conffiles = got->front().conffiles;
  REQUIRE(conffiles.size() == 4);
  const Md5 sum = *conffiles.at("/etc/a");
  CHECK(sum.front() == 0x9f);
  CHECK(sum.back() == 0x15);
  CHECK(conffiles.at("/etc/b c") == sum);
  CHECK_FALSE(conffiles.at("/etc/d").has_value());
  CHECK(conffiles.at("/etc/e") == sum);
}

TEST_CASE("parse_dpkg_status: what dpkg does not write is refused, by line") {
  struct Row {
    std::string name;
    std::string text;
    std::string says;
  };
  const std::string good = "Package: p\nStatus: install ok installed\n";
  const Row rows[] = {
      {"a path for a name", "Package: ../p\nStatus: install ok installed\n",
       "line 1: a bad package"},
      {"a slash in a name", "Package: p/q\n", "line 1: a bad package"},
      {"a hidden name", "Package: .p\n", "line 1: a bad package"},
      {"an empty name", "Package:\n", "line 1: a bad package"},
      {"a second name", good + "Package: q\n", "line 3: a bad package"},
      {"a path for an architecture", "Package: p\nArchitecture: ../x\n", "line 2: a bad arch"},
      {"a state that there is not", "Package: p\nStatus: install ok fine\n", "line 2: a bad state"},
      {"one word of state", "Package: p\nStatus: installed\n", "line 2: a bad state"},
      {"a second state", good + "Status: install ok installed\n", "line 3: a bad state"},
      {"no state", "Package: p\n\n" + good, "line 2: a package without name or state"},
      {"no name", "Status: install ok installed\n", "line 1: a package without name or state"},
      {"no field", good + "text\n", "line 3: no field"},
      {"a field without name", good + ": x\n", "line 3: no field"},
      {"a continuation at the front", " x\n", "line 1: a continuation of nothing"},
      {"a continuation after a stanza", good + "\n x\n", "line 4: a continuation of nothing"},
      {"a configuration file without sum", good + "Conffiles:\n /etc/a\n", "line 4: a bad config"},
      {"a configuration file elsewhere", good + "Conffiles:\n /../a x\n", "line 4: a bad config"},
      {"a relative configuration file", good + "Conffiles:\n etc/a x\n", "line 4: a bad config"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto got = parse_status(row.text);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().id == FaultId::kGoldenMalformed);
    CAPTURE(got.error().detail);
    CHECK(got.error().detail.starts_with(row.says));
  }
}

TEST_CASE("parse_dpkg_status_d: a stanza without a state is of a package that is there") {
  const auto parse = [](std::string_view text) { return parse_dpkg_status_d(as_bytes(text)); };
  const auto got = parse("Package: libc6\nArchitecture: amd64\nDescription: x\n more\n");
  REQUIRE(got);
  CHECK(got->name == "libc6");
  CHECK(got->architecture == "amd64");
  CHECK(got->state == PackageState::kThere);
  const auto removed = parse("Package: p\nStatus: deinstall ok config-files\n");
  REQUIRE(removed);
  CHECK(removed->state == PackageState::kAbsent);
  for (const char* text : {"", "Version: 1\n", "Package: p\n\nPackage: q\n", "Package: ../p\n",
                           "Package: p\nStatus: x\n"}) {
    CAPTURE(std::string(text));
    CHECK(fault_of(parse(text)) == FaultId::kGoldenMalformed);
  }
}

TEST_CASE("paths_of_dpkg_md5sums: has the files of sums, and no path that leads out") {
  const auto paths = [](const std::string& path) {
    return paths_of_dpkg_md5sums({{path, Md5{}}, {"usr/bin/z", Md5{}}});
  };
  CHECK(paths("etc/a b") == std::vector<std::string>{"/etc/a b", "/usr/bin/z"});
  const std::string nul("a\0b", 3);
  for (const std::string& path : {std::string("../a"), std::string("a//b"), std::string(""), nul}) {
    CAPTURE(path);
    CHECK(fault_of(paths(path)) == FaultId::kGoldenMalformed);
  }
}

TEST_CASE("parse_dpkg_status: too many packages are refused") {
  std::string text;
  for (std::size_t i = 0; i <= kMaxDpkgPackages; ++i) {
    text += "Package: p\nStatus: install ok installed\n\n";
  }
  const auto got = parse_status(text);
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().id == FaultId::kGoldenTooLarge);
}

TEST_CASE("parse_dpkg_list: has the paths, whatever bytes they are") {
  const auto got = parse_dpkg_list(as_bytes("/.\n/usr\n/usr/a b\xff\n/usr/..x/y"));
  REQUIRE(got.has_value());
  CHECK(*got == std::vector<std::string_view>{"/usr", "/usr/a b\xff", "/usr/..x/y"});
  CHECK(parse_dpkg_list({})->empty());
}

TEST_CASE("parse_dpkg_list: a path that could lead elsewhere is refused") {
  const std::string long_path = "/" + std::string(kMaxSetPathBytes, 'x');
  const std::string with_nul("/a\0b", 4);
  for (const std::string& path :
       {std::string("usr/a"), std::string("/usr/../a"), std::string("/.."), std::string("/usr/./a"),
        std::string("/usr//a"), std::string("/usr/"), std::string("/"), std::string("/a\n\n/b"),
        long_path, with_nul}) {
    CAPTURE(path);
    const auto got = parse_dpkg_list(as_bytes(path + "\n"));
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().id == FaultId::kGoldenMalformed);
  }
  CHECK(parse_dpkg_list(as_bytes(long_path.substr(0, kMaxSetPathBytes))).has_value());
}

TEST_CASE("parse_dpkg_md5sums: has sums by path, as every tool writes them") {
  const std::string sum(kSum);
  const std::string text = sum + "  usr/a b\n" + sum + " *./usr/c\n" + sum + "  /usr/d\n";
  const auto got = parse_dpkg_md5sums(as_bytes(text));
  REQUIRE(got.has_value());
  REQUIRE(got->size() == 3);
  CHECK(got->contains("usr/a b"));
  CHECK(got->contains("usr/c"));
  CHECK(got->at("usr/d").back() == 0x15);
}

TEST_CASE("parse_dpkg_md5sums: what is no sum is refused") {
  const std::string sum(kSum);
  for (const std::string& line :
       {std::string("x"), sum, sum + "  ", sum + " usr/a", sum.substr(1) + "  usr/a",
        "x" + sum.substr(1) + "  usr/a", std::string(), sum + "0  usr/a"}) {
    CAPTURE(line);
    const auto got = parse_dpkg_md5sums(as_bytes(line + "\n"));
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().id == FaultId::kGoldenMalformed);
  }
}

TEST_CASE("diverted: another package's file has the new name, the diverting package's the old") {
  const auto got = parse_dpkg_diversions(
      as_bytes("/usr/bin/perf\n/usr/bin/perf.real\nlinux-perf\n/bin/x\n/bin/x.distrib\n:\n"));
  REQUIRE(got.has_value());
  CHECK(diverted(*got, "other", "/usr/bin/perf") == "/usr/bin/perf.real");
  CHECK(diverted(*got, "linux-perf", "/usr/bin/perf") == "/usr/bin/perf");
  CHECK(diverted(*got, "any", "/bin/x") == "/bin/x.distrib");
  CHECK(diverted(*got, "any", "/bin/y") == "/bin/y");
}

TEST_CASE("parse_dpkg_diversions: what is not three lines each is refused") {
  for (const std::string_view text :
       {"/a\n/b\n", "/a\n", "a\n/b\np\n", "/a\nb\np\n", "\n/a\n/b\n"}) {
    CAPTURE(std::string(text));
    const auto got = parse_dpkg_diversions(as_bytes(text));
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().id == FaultId::kGoldenMalformed);
  }
}
