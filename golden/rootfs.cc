#include "golden/rootfs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>

#include "core/text.h"
#include "golden/posix.h"

namespace assay {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{256} << 10;
constexpr std::uint64_t kProgressBytes = std::uint64_t{4} << 20;

// File systems whose "files" the kernel makes up: those that Linux ima_policy.c dont_measure_rules[]
// names and that hold no files of anybody's, and their younger relatives.
constexpr std::uint64_t kPseudoFilesystems[] = {
    PROC_SUPER_MAGIC,
    SYSFS_MAGIC,
    DEBUGFS_MAGIC,
    TRACEFS_MAGIC,
    DEVPTS_SUPER_MAGIC,
    BINFMTFS_MAGIC,
    SECURITYFS_MAGIC,
    SELINUX_MAGIC,
    SMACK_MAGIC,
    CGROUP_SUPER_MAGIC,
    NSFS_MAGIC,
    CGROUP2_SUPER_MAGIC,
    EFIVARFS_MAGIC,
    BPF_FS_MAGIC,
    PSTOREFS_MAGIC,
    0x19800202 /* mqueue: Linux ipc/mqueue.c */,
    0x62656570 /* configfs: Linux fs/configfs/mount.c */,
    0x65735543 /* fusectl: Linux fs/fuse/control.c */};

struct Found {
  std::string path;  // from the root, without a leading slash
  std::uint64_t bytes;
};

// Opens what `path` names under `root`, one component at a time, none of them a symbolic link.
Fd open_beneath(const Fd& root, std::string_view path, int flags) {
  Fd at(::openat(root.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  while (at.ok()) {
    const std::size_t slash = path.find('/');
    const std::string name(path.substr(0, slash));
    if (slash == std::string_view::npos) {
      return Fd(
          ::openat(at.get(), name.empty() ? "." : name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
    }
    at = Fd(::openat(at.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    path.remove_prefix(slash + 1);
  }
  return at;
}

// What a name gives that went, or became something else, after it was listed.
bool gone(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENXIO;
}

class Tree {
 public:
  static Result<Tree> open(const std::string& dir) {
    Fd root(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat st = {};
    if (!root.ok() || ::fstat(root.get(), &st) != 0) {
      return fail(FaultId::kFileUnreadable, escape_bytes(dir) + ": " + errno_text());
    }
    return Tree(dir, std::move(root), st.st_dev);
  }

  const Fd& root() const { return root_; }

  tl::unexpected<Fault> unreadable(std::string_view path, int error) const {
    return fail(FaultId::kFileUnreadable,
                escape_bytes(dir_ + "/" + std::string(path)) + ": " + errno_text(error));
  }

  // Every regular file, and in `out` what is left out.
  Result<std::vector<Found>> list(RootfsFiles& out) {
    todo_.push_back({"", root_device_});
    while (!todo_.empty()) {
      const Directory directory = std::move(todo_.back());
      todo_.pop_back();
      ASSAY_OK(list_directory(directory, out));
    }
    return std::move(found_);
  }

 private:
  struct Directory {
    std::string path;
    dev_t parent_device;
  };

  Tree(std::string dir, Fd root, dev_t device)
      : dir_(std::move(dir)), root_(std::move(root)), root_device_(device) {}

  Status list_directory(const Directory& directory, RootfsFiles& out) {
    Fd fd = open_beneath(root_, directory.path, O_RDONLY | O_DIRECTORY);
    struct stat st = {};
    if (!fd.ok() || ::fstat(fd.get(), &st) != 0) {
      if (!gone(errno)) return unreadable(directory.path, errno);
      out.changed.push_back("/" + directory.path);
      return {};
    }
    if (st.st_dev != directory.parent_device && pseudo(fd)) {
      out.pseudo_filesystems.push_back("/" + directory.path);
      return {};
    }
    const int number = fd.release();
    const Dir stream(::fdopendir(number));
    if (stream == nullptr) {
      const Fd owner(number);
      return unreadable(directory.path, errno);
    }
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(stream.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") {
        ASSAY_OK(take(directory.path, entry->d_name, {number, st.st_dev}, out));
      }
    }
    return errno == 0 ? Status{} : unreadable(directory.path, errno);
  }

  struct Opened {
    int fd;
    dev_t device;
  };

  Status take(const std::string& parent, const char* name, Opened at, RootfsFiles& out) {
    std::string path = parent.empty() ? name : parent + "/" + name;
    if (path.size() + 1 > kMaxSetPathBytes) {
      return fail(FaultId::kGoldenTooLarge, "a path over " + std::to_string(kMaxSetPathBytes) +
                                                " bytes: " + shorten(escape_bytes(path), 200));
    }
    struct stat st = {};
    if (::fstatat(at.fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
      if (!gone(errno)) return unreadable(path, errno);
      out.changed.push_back("/" + path);
    } else if (S_ISDIR(st.st_mode)) {
      todo_.push_back({std::move(path), at.device});
    } else if (S_ISREG(st.st_mode)) {
      if (found_.size() == kMaxSetFiles) {
        return fail(FaultId::kGoldenTooLarge, "over " + std::to_string(kMaxSetFiles) + " files");
      }
      found_.push_back({std::move(path), static_cast<std::uint64_t>(st.st_size)});
    } else if (!S_ISLNK(st.st_mode)) {
      ++out.special;
    }
    return {};
  }

  static bool pseudo(const Fd& fd) {
    struct statfs filesystem = {};
    if (::fstatfs(fd.get(), &filesystem) != 0) return false;
    // f_type is signed, and some magic numbers have the top bit set.
    const auto magic = static_cast<std::uint32_t>(filesystem.f_type);
    return std::ranges::find(kPseudoFilesystems, magic) != std::end(kPseudoFilesystems);
  }

  std::string dir_;
  Fd root_;
  dev_t root_device_;
  std::vector<Directory> todo_;
  std::vector<Found> found_;
};

// Threads that take files from one list until it is done or one of them has failed.
class HashRun {
 public:
  HashRun(const Tree& tree, const RootfsOptions& options, std::vector<Found> found)
      : tree_(tree), options_(options), found_(std::move(found)) {
    progress_.files_total = found_.size();
    for (const Found& file : found_) progress_.bytes_total += file.bytes;
  }

  Status run(RootfsFiles& out) && {
    {
      std::vector<std::jthread> others;
      for (unsigned i = 1; i < options_.threads; ++i) others.emplace_back([this] { work(); });
      work();
    }
    if (fault_) return tl::unexpected<Fault>(*std::move(fault_));
    out.files = std::move(files_);
    out.changed.insert(out.changed.end(), changed_.begin(), changed_.end());
    return {};
  }

 private:
  struct Worker {
    std::vector<Hasher> hashers;
    Bytes buffer;
  };

  void work() {
    Worker worker{.hashers = {}, .buffer = Bytes(kBufferBytes)};
    for (const HashAlg alg : options_.algorithms) worker.hashers.emplace_back(alg);
    for (std::size_t i = next_++; i < found_.size() && !failed_; i = next_++) {
      auto file = hash_file(found_[i], worker);
      const std::scoped_lock lock(mutex_);
      if (!file) {
        failed_ = true;
        if (!fault_) fault_ = std::move(file).error();
      } else if (*file) {
        files_.push_back(*std::move(*file));
      } else {
        changed_.push_back("/" + found_[i].path);
      }
      ++progress_.files_done;
      report();
    }
  }

  // Nothing when the file is not what it was.
  Result<std::optional<GoldenFile>> hash_file(const Found& found, Worker& worker) {
    const Fd fd = open_beneath(tree_.root(), found.path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat before = {};
    if (!fd.ok() || ::fstat(fd.get(), &before) != 0) {
      if (!gone(errno)) return tree_.unreadable(found.path, errno);
      return std::nullopt;
    }
    if (!S_ISREG(before.st_mode)) return std::nullopt;
    ASSAY_TRY(const std::uint64_t bytes, read_through(fd, found, worker));
    struct stat after = {};
    if (::fstat(fd.get(), &after) != 0) return tree_.unreadable(found.path, errno);
    // Both: times have the kernel's tick, sizes miss what is overwritten.
    if (after.st_size != before.st_size || after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
        after.st_mtim.tv_nsec != before.st_mtim.tv_nsec) {
      return std::nullopt;
    }
    GoldenFile out{.path = "/" + found.path,
                   .digests = {},
                   .size = bytes,
                   .mode = static_cast<std::uint32_t>(after.st_mode & 07777)};
    for (Hasher& hasher : worker.hashers) out.digests.push_back(hasher.finish());
    std::ranges::sort(out.digests);
    return out;
  }

  Result<std::uint64_t> read_through(const Fd& fd, const Found& found, Worker& worker) {
    for (Hasher& hasher : worker.hashers) hasher.start();
    std::uint64_t total = 0;
    std::uint64_t unreported = 0;
    while (true) {
      const ssize_t size = ::read(fd.get(), worker.buffer.data(), worker.buffer.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return tree_.unreadable(found.path, errno);
      const ByteView part = ByteView(worker.buffer).first(static_cast<std::size_t>(size));
      for (Hasher& hasher : worker.hashers) hasher.add(part);
      total += part.size();
      unreported += part.size();
      if (part.empty() || unreported >= kProgressBytes) {
        count_bytes(std::exchange(unreported, 0));
      }
      if (part.empty()) return total;
    }
  }

  void count_bytes(std::uint64_t bytes) {
    const std::scoped_lock lock(mutex_);
    progress_.bytes_done += bytes;
    report();
  }

  void report() const {
    if (options_.on_progress) options_.on_progress(progress_);
  }

  const Tree& tree_;
  const RootfsOptions& options_;
  const std::vector<Found> found_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<bool> failed_ = false;

  std::mutex mutex_;  // guards all below
  BuildProgress progress_;
  std::vector<GoldenFile> files_;
  std::vector<std::string> changed_;
  std::optional<Fault> fault_;
};

}  // namespace

Result<RootfsFiles> build_from_rootfs(const RootfsOptions& options) {
  ASSAY_CHECK(!options.algorithms.empty() && options.threads > 0);
  ASSAY_TRY(Tree tree, Tree::open(options.dir));
  RootfsFiles out;
  ASSAY_TRY(std::vector<Found> found, tree.list(out));
  ASSAY_OK(HashRun(tree, options, std::move(found)).run(out));
  if (out.files.empty()) {
    return fail(FaultId::kGoldenMalformed, escape_bytes(options.dir) + " holds no regular file");
  }
  sort_files(out.files);
  std::ranges::sort(out.changed);
  std::ranges::sort(out.pseudo_filesystems);
  return out;
}

}  // namespace assay
