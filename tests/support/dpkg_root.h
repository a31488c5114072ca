// A tree with a package database, as dpkg leaves it.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "golden/md5.h"
#include "tests/support/temp_dir.h"

namespace assay::testing {

inline std::string md5_hex(std::string_view content) {
  Md5Hasher hasher;
  hasher.start();
  hasher.add(as_bytes(content));
  return to_hex(hasher.finish());
}

class DpkgRoot {
 public:
  using Files = std::vector<std::pair<std::string, std::string>>;  // absolute path, content

  DpkgRoot() {
    std::filesystem::create_directories(dir_ / "var/lib/dpkg/info");
    add("status", "");
  }

  std::string path() const { return dir_.path().string(); }
  std::filesystem::path operator/(std::string_view name) const { return dir_ / name; }

  // Writes a file of the tree and its directories.
  void file(const std::string& path, std::string_view content) const {
    const auto full = dir_ / path.substr(1);
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full, std::ios::binary) << content;
  }

  // Adds to a file of the database.
  void add(const std::string& name, std::string_view text) const {
    std::ofstream(dir_ / ("var/lib/dpkg/" + name), std::ios::binary | std::ios::app) << text;
  }

  // Adds a package whose list and sums have these files, and writes those.
  void package(const std::string& name, const Files& files) const {
    stanza(name);
    std::string list = "/.\n";
    std::string sums;
    for (const auto& [path, content] : files) {
      file(path, content);
      list += path + '\n';
      sums += md5_hex(content) + "  " + path.substr(1) + '\n';
    }
    add("info/" + name + ".list", list);
    add("info/" + name + ".md5sums", sums);
  }

  // Adds a package as distroless images have it.
  void status_d(const std::string& name, const Files& files) const {
    std::filesystem::create_directories(dir_ / "var/lib/dpkg/status.d");
    add("status.d/" + name, "Package: " + name + "\nVersion: 1\nArchitecture: amd64\n");
    add("status.d/" + name + ".md5sums", "");
    for (const auto& [path, content] : files) {
      file(path, content);
      add("status.d/" + name + ".md5sums", md5_hex(content) + "  " + path.substr(1) + '\n');
    }
  }

  void stanza(const std::string& name, std::string_view more = "",
              std::string_view state = "install ok installed") const {
    add("status", "Package: " + name + "\nStatus: " + std::string(state) +
                      "\nArchitecture: amd64\n" + std::string(more) + '\n');
  }

 private:
  TempDir dir_;
};

}  // namespace assay::testing
