#include "golden/dpkg/dpkg.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "core/text.h"
#include "golden/dpkg/database.h"
#include "golden/dpkg/real_path.h"

namespace assay {
namespace {

constexpr std::string_view kDatabase = "/var/lib/dpkg/";
constexpr std::string_view kSums = ".md5sums";
constexpr std::size_t kReadBytes = std::size_t{64} << 10;

tl::unexpected<Fault> in_file(std::string_view name, Fault fault) {
  fault.detail = escape_bytes(name) + ": " + fault.detail;
  return tl::unexpected<Fault>(std::move(fault));
}

// What is not there says nothing.
ByteView view_of(const std::optional<Bytes>& file) {
  return file ? ByteView(*file) : ByteView();
}

// The database's files, all of which share one limit.
class Database {
 public:
  Database(const TreeRoot& root, RealPaths& paths) : root_(root), paths_(paths) {}

  // Nothing when there is no such file. `name` is from var/lib/dpkg.
  Result<std::optional<Bytes>> read(std::string_view name) {
    ASSAY_TRY(const auto path, paths_.resolve(std::string(kDatabase) + std::string(name)));
    if (!path) return std::nullopt;
    const Fd fd = root_.open_beneath(*path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat st = {};
    if (!fd.ok() || ::fstat(fd.get(), &st) != 0) {
      if (errno == ENOENT) return std::nullopt;
      return root_.unreadable(*path, errno);
    }
    if (!S_ISREG(st.st_mode)) {
      return fail(FaultId::kFileUnreadable,
                  escape_bytes(root_.dir() + "/" + *path) + ": not a regular file");
    }
    // Of a sparse file at once; what grows meanwhile, read_all() finds.
    if (static_cast<std::size_t>(st.st_size) > left_) return too_large();
    return read_all(fd, *path);
  }

  // The names in the directory `name`, in order; none when it is not there.
  Result<std::vector<std::string>> list(std::string_view name) {
    ASSAY_TRY(const auto path, paths_.resolve(std::string(kDatabase) + std::string(name)));
    if (!path) return {};
    Fd fd = root_.open_beneath(*path, O_RDONLY | O_DIRECTORY);
    if (!fd.ok() && errno == ENOENT) return {};
    const int number = fd.release();
    const Dir stream(number < 0 ? nullptr : ::fdopendir(number));
    if (stream == nullptr) {
      const Fd owner(number);
      return root_.unreadable(*path, errno);
    }
    std::vector<std::string> out;
    errno = 0;
    while (const dirent* entry = ::readdir(stream.get())) {
      const std::string_view one = entry->d_name;
      if (one == "." || one == "..") continue;
      out.emplace_back(one);
      if (out.size() > 2 * kMaxDpkgPackages) {
        return fail(FaultId::kGoldenTooLarge,
                    "over " + std::to_string(kMaxDpkgPackages) + " packages");
      }
    }
    if (errno != 0) return root_.unreadable(*path, errno);
    std::ranges::sort(out);
    return out;
  }

 private:
  Result<std::optional<Bytes>> read_all(const Fd& fd, const std::string& path) {
    Bytes out;
    while (true) {
      const std::size_t used = out.size();
      out.resize(used + kReadBytes);
      const ssize_t size = ::read(fd.get(), out.data() + used, kReadBytes);
      out.resize(used + (size > 0 ? static_cast<std::size_t>(size) : 0));
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return root_.unreadable(path, errno);
      if (size == 0) return out;
      if (static_cast<std::size_t>(size) > left_) {
        return fail(FaultId::kGoldenTooLarge,
                    "the package database is over " + std::to_string(kMaxDpkgBytes >> 20) + " MiB");
      }
      left_ -= static_cast<std::size_t>(size);
    }
  }

  static tl::unexpected<Fault> too_large() {
    return fail(FaultId::kGoldenTooLarge,
                "the package database is over " + std::to_string(kMaxDpkgBytes >> 20) + " MiB");
  }

  const TreeRoot& root_;
  RealPaths& paths_;
  std::size_t left_ = kMaxDpkgBytes;
};

// What the packages that have a file say of it: it is as packaged when one of them says so.
struct Claim {
  std::size_t package = 0;  // the last of them
  std::vector<Md5> sums = {};
  bool conffile = false;
};

using Sums = std::map<std::string_view, Md5>;

class DpkgRun {
 public:
  DpkgRun(const TreeRoot& root, const DpkgOptions& options)
      : root_(root), options_(options), paths_(root), database_(root, paths_) {}

  Result<DpkgFiles> run() && {
    ASSAY_OK(read_database());
    if (!Md5Hasher::available()) {
      return fail(FaultId::kConfigInvalid,
                  "OpenSSL as set up here has no MD5, which dpkg's sums are");
    }
    ASSAY_TRY(HashedFiles hashed, hash_files(root_,
                                             {.algorithms = options_.algorithms,
                                              .md5 = WithMd5::kYes,
                                              .threads = options_.threads,
                                              .on_progress = options_.on_progress},
                                             listed_));
    out_.changed_while_read = std::move(hashed.changed);
    for (HashedFile& file : hashed.files) take(std::move(file));
    if (out_.files.empty() && out_.changed.empty()) {
      return fail(FaultId::kGoldenMalformed,
                  escape_bytes(options_.dir) + " has no file of an installed package");
    }
    std::ranges::sort(out_.changed, {}, &ChangedFile::file);
    sort_files(out_.files);
    std::ranges::sort(out_.changed_while_read);
    std::ranges::sort(out_.missing);
    out_.missing.erase(std::unique(out_.missing.begin(), out_.missing.end()), out_.missing.end());
    return std::move(out_);
  }

 private:
  Status read_database() {
    ASSAY_TRY(const auto file, database_.read("status"));
    auto packages = parse_dpkg_status(view_of(file));
    if (!packages) return in_file("status", packages.error());
    packages_ = *std::move(packages);
    ASSAY_TRY(const std::vector<std::string> more, database_.list("status.d"));
    if (!file && more.empty()) return root_.unreadable("var/lib/dpkg/status", ENOENT);
    for (const std::string& name : more) {
      if (!name.ends_with(kSums)) ASSAY_OK(read_status_d(name));
    }
    ASSAY_TRY(const auto diversions, database_.read("diversions"));
    auto parsed = parse_dpkg_diversions(view_of(diversions));
    if (!parsed) return in_file("diversions", parsed.error());
    diversions_ = *std::move(parsed);
    for (std::size_t i = 0; i < packages_.size(); ++i) {
      if (packages_[i].state == PackageState::kThere) ASSAY_OK(add_package(i));
      if (packages_[i].state == PackageState::kPartly) {
        out_.half_installed.push_back(packages_[i].name);
      }
    }
    return {};
  }

  Status read_status_d(const std::string& name) {
    const std::string path = "status.d/" + name;
    ASSAY_TRY(const auto file, database_.read(path));
    auto package = parse_dpkg_status_d(view_of(file));
    if (!package) return in_file(path, package.error());
    package->status_d = path;
    packages_.push_back(*std::move(package));
    return {};
  }

  // info/NAME:ARCH.kind of a package that may be there for several architectures, or info/NAME.kind.
  Result<std::optional<Bytes>> read_info(const DpkgPackage& package, std::string_view kind) {
    const std::string name = "info/" + package.name;
    ASSAY_TRY(auto of_architecture,
              database_.read(name + ":" + package.architecture + std::string(kind)));
    if (of_architecture) return of_architecture;
    return database_.read(name + std::string(kind));
  }

  // The files of a package, by its list. Those of status.d have sums alone, which are not of
  // configuration files.
  Result<std::vector<std::string>> read_paths(const DpkgPackage& package, const Sums* sums) {
    ASSAY_TRY(const auto list, read_info(package, ".list"));
    if (list) {
      const auto paths = parse_dpkg_list(*list);
      if (!paths) return in_file(package.name + ".list", paths.error());
      return std::vector<std::string>(paths->begin(), paths->end());
    }
    if (package.status_d.empty() || sums == nullptr) {
      return fail(FaultId::kGoldenMalformed,
                  "package " + package.name + " is installed and has no list of its files");
    }
    auto paths = paths_of_dpkg_md5sums(*sums);
    if (!paths) return in_file(package.name + std::string(kSums), paths.error());
    return paths;
  }

  Status add_package(std::size_t index) {
    const DpkgPackage& package = packages_[index];
    ASSAY_TRY(auto md5sums, read_info(package, kSums));
    if (!md5sums && !package.status_d.empty()) {
      ASSAY_TRY(md5sums, database_.read(package.status_d + std::string(kSums)));
    }
    const auto sums = parse_dpkg_md5sums(view_of(md5sums));
    if (!sums) return in_file(package.name + std::string(kSums), sums.error());
    ASSAY_TRY(const std::vector<std::string> paths,
              read_paths(package, md5sums ? &*sums : nullptr));
    ++out_.packages;
    for (const std::string_view path : paths) {
      const auto conffile = package.conffiles.find(path);
      const auto sum = sums->find(path.substr(1));
      Claim claim{.package = index, .conffile = conffile != package.conffiles.end()};
      if (claim.conffile) {
        if (conffile->second) claim.sums.push_back(*conffile->second);
      } else if (sum != sums->end()) {
        claim.sums.push_back(sum->second);
      }
      // Lists have directories and symbolic links as well; sums are of files alone.
      const bool file = claim.conffile || !claim.sums.empty() || !md5sums;
      ASSAY_OK(add_path(path, std::move(claim), file ? Listed::kFile : Listed::kAnything));
    }
    return {};
  }

  enum class Listed : std::uint8_t { kFile, kAnything };

  Status add_path(std::string_view path, Claim claim, Listed listed) {
    path = diverted(diversions_, packages_[claim.package].name, path);
    ASSAY_TRY(const auto real, paths_.resolve(path));
    struct stat st = {};
    if (!real || !look_at(*real, st)) {
      if (real && !gone(errno)) return root_.unreadable(*real, errno);
      if (listed == Listed::kFile) out_.missing.push_back(real ? "/" + *real : std::string(path));
      return {};
    }
    if (S_ISREG(st.st_mode)) return add_file(*real, std::move(claim), st);
    if (!S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode)) {
      ++out_.special;
    } else if (!claim.sums.empty() && !claim.conffile) {
      out_.missing.push_back("/" + *real);
    }
    return {};
  }

  bool look_at(const std::string& path, struct stat& st) const {
    const Fd fd = root_.open_beneath(path, O_PATH);
    return fd.ok() && ::fstat(fd.get(), &st) == 0;
  }

  Status add_file(const std::string& path, Claim claim, const struct stat& st) {
    const auto [it, added] = claims_.try_emplace("/" + path, std::move(claim));
    if (!added) {
      it->second.sums.insert(it->second.sums.end(), claim.sums.begin(), claim.sums.end());
      it->second.conffile |= claim.conffile;
      return {};
    }
    if (listed_.size() == kMaxSetFiles) {
      return fail(FaultId::kGoldenTooLarge, "over " + std::to_string(kMaxSetFiles) + " files");
    }
    listed_.push_back({path, static_cast<std::uint64_t>(st.st_size)});
    return {};
  }

  void take(HashedFile file) {
    const Claim& claim = claims_.at(file.golden.path);
    const bool as_packaged = std::ranges::find(claim.sums, file.md5) != claim.sums.end();
    if (claim.sums.empty()) {
      ++out_.unchecked;
    } else if (!as_packaged && claim.conffile) {
      ++out_.changed_conffiles;
    } else if (!as_packaged) {
      out_.changed.push_back({std::move(file.golden), packages_[claim.package].name});
      return;
    }
    out_.files.push_back(std::move(file.golden));
  }

  const TreeRoot& root_;
  const DpkgOptions& options_;
  RealPaths paths_;
  Database database_;
  std::vector<DpkgPackage> packages_;
  DpkgDiversions diversions_;
  std::map<std::string, Claim, std::less<>> claims_;  // by path with a slash
  std::vector<ListedFile> listed_;
  DpkgFiles out_;
};

}  // namespace

Result<DpkgFiles> build_from_dpkg(const DpkgOptions& options) {
  ASSAY_CHECK(!options.algorithms.empty() && options.threads > 0);
  ASSAY_TRY(const TreeRoot root, TreeRoot::open(options.dir));
  return DpkgRun(root, options).run();
}

}  // namespace assay
