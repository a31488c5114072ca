// Evidence bundles in folders, made from the cases in tests/data/evidence.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tests/support/evidence_case.h"
#include "tests/support/temp_dir.h"

namespace assay::testing {

class BundleDir {
 public:
  explicit BundleDir(const EvidenceCase& evidence);
  explicit BundleDir(std::string_view case_name) : BundleDir(load_case(case_name)) {}

  std::string path() const { return dir_.path().string(); }
  std::string file(std::string_view name) const { return (dir_ / name).string(); }

  void write(std::string_view name, std::string_view content) const { dir_.write(name, content); }
  std::string read(std::string_view name) const { return read_file(dir_ / name); }
  void remove(std::string_view name) const { std::filesystem::remove(dir_ / name); }

 private:
  TempDir dir_;
};

}  // namespace assay::testing
