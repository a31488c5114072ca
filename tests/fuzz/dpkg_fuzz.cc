// No bytes that stand in a package database may crash its parsers, and no path or name that they
// accept leads out of the tree.
#include "core/bytes.h"
#include "golden/dpkg/database.h"
#include "tests/fuzz/check.h"

namespace {

void check_path(std::string_view path) {
  FUZZ_CHECK(path.starts_with('/') && path.find('\0') == std::string_view::npos);
  const std::string closed = std::string(path) + '/';
  for (const std::string_view part : {"//", "/./", "/../"}) {
    FUZZ_CHECK(closed.find(part) == std::string::npos);
  }
}

void check_package(const assay::DpkgPackage& package) {
  FUZZ_CHECK(!package.name.empty() && package.name.front() != '.');
  FUZZ_CHECK((package.name + package.architecture).find('/') == std::string::npos);
  for (const auto& [path, md5] : package.conffiles) check_path(path);
}

void check_status(assay::ByteView input) {
  const auto packages = assay::parse_dpkg_status(input);
  if (!packages) return;
  for (const assay::DpkgPackage& package : *packages) check_package(package);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const assay::ByteView input(data, size);
  check_status(input);
  if (const auto package = assay::parse_dpkg_status_d(input)) check_package(*package);
  if (const auto paths = assay::parse_dpkg_list(input)) {
    for (const std::string_view path : *paths) check_path(path);
  }
  if (const auto sums = assay::parse_dpkg_md5sums(input)) {
    for (const auto& [path, md5] : *sums) FUZZ_CHECK(path.find('\n') == std::string::npos);
    if (const auto listed = assay::paths_of_dpkg_md5sums(*sums)) {
      for (const std::string& path : *listed) check_path(path);
    }
  }
  if (const auto diversions = assay::parse_dpkg_diversions(input)) {
    for (const auto& [from, diversion] : *diversions) {
      check_path(from);
      check_path(assay::diverted(*diversions, "p", from));
    }
  }
  return 0;
}
