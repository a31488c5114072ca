#include "golden/rootfs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/text.h"
#include "golden/posix.h"
#include "golden/tree_root.h"

namespace assay {
namespace {

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

class Listing {
 public:
  explicit Listing(const TreeRoot& root) : root_(root) {}

  // Every regular file, and in `out` what is left out.
  Result<std::vector<ListedFile>> list(RootfsFiles& out) && {
    todo_.push_back({"", root_.device()});
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

  Status list_directory(const Directory& directory, RootfsFiles& out) {
    Fd fd = root_.open_beneath(directory.path, O_RDONLY | O_DIRECTORY);
    struct stat st = {};
    if (!fd.ok() || ::fstat(fd.get(), &st) != 0) {
      if (!gone(errno)) return root_.unreadable(directory.path, errno);
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
      return root_.unreadable(directory.path, errno);
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
    return errno == 0 ? Status{} : root_.unreadable(directory.path, errno);
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
      if (!gone(errno)) return root_.unreadable(path, errno);
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

  const TreeRoot& root_;
  std::vector<Directory> todo_;
  std::vector<ListedFile> found_;
};

}  // namespace

Result<RootfsFiles> build_from_rootfs(const RootfsOptions& options) {
  ASSAY_TRY(const TreeRoot root, TreeRoot::open(options.dir));
  RootfsFiles out;
  ASSAY_TRY(const std::vector<ListedFile> found, Listing(root).list(out));
  ASSAY_TRY(HashedFiles hashed, hash_files(root,
                                           {.algorithms = options.algorithms,
                                            .threads = options.threads,
                                            .on_progress = options.on_progress},
                                           found));
  out.files.reserve(hashed.files.size());
  for (HashedFile& file : hashed.files) out.files.push_back(std::move(file.golden));
  out.changed.insert(out.changed.end(), hashed.changed.begin(), hashed.changed.end());
  if (out.files.empty()) {
    return fail(FaultId::kGoldenMalformed, escape_bytes(options.dir) + " holds no regular file");
  }
  sort_files(out.files);
  std::ranges::sort(out.changed);
  std::ranges::sort(out.pseudo_filesystems);
  return out;
}

}  // namespace assay
