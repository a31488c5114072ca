#include "golden/image/blob.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <climits>
#include <string_view>

#include "core/text.h"
#include "golden/image/archive.h"
#include "golden/posix.h"

namespace assay {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{256} << 10;
constexpr unsigned kMaxLinks = 8;  // docker writes one; a compressed archive is read again for each

tl::unexpected<Fault> unreadable(std::string_view path, const std::string& why) {
  return fail(FaultId::kFileUnreadable, escape_bytes(path) + ": " + why);
}

tl::unexpected<Fault> missing(std::string_view path) {
  return fail(FaultId::kImageMalformed, "the image has no " + shorten(escape_bytes(path), 200));
}

tl::unexpected<Fault> escape(std::string_view path, const std::string& why) {
  return fail(FaultId::kImagePathEscape, shorten(escape_bytes(path), 200) + ": " + why);
}

// Where a link in the directory `parent` leads, as a path from the root.
Result<std::string> link_path(std::string_view parent, std::string_view target) {
  if (target.starts_with('/')) return escape(target, "a link out of the image");
  std::string out(parent);
  while (!target.empty()) {
    const std::size_t slash = std::min(target.find('/'), target.size());
    const std::string_view name = target.substr(0, slash);
    target.remove_prefix(std::min(slash + 1, target.size()));
    if (name == "..") {
      if (out.empty()) return escape(parent, "a link out of the image");
      out.resize(out.find('/') == std::string::npos ? 0 : out.rfind('/'));
    } else if (!name.empty() && name != ".") {
      out += (out.empty() ? "" : "/") + std::string(name);
    }
  }
  return out;
}

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? "" : path.substr(0, slash);
}

// What a name stands for.
struct Part {
  std::unique_ptr<ByteSource> bytes;  // null: it is a link
  std::string link = {};              // to this path from the root
};

class LinkedStore : public BlobStore {
 public:
  Result<std::unique_ptr<ByteSource>> open(const std::string& path) const final {
    std::string at = path;
    for (unsigned links = 0; links <= kMaxLinks; ++links) {
      ASSAY_TRY(Part part, find(at));
      if (part.bytes != nullptr) return std::move(part.bytes);
      at = std::move(part.link);
    }
    return escape(path, "over " + std::to_string(kMaxLinks) + " links");
  }

 private:
  virtual Result<Part> find(const std::string& path) const = 0;
};

class FileSource final : public ByteSource {
 public:
  FileSource(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<ByteView> next() override {
    ssize_t size = -1;
    do {
      size = ::read(fd_.get(), buffer_.data(), buffer_.size());
    } while (size < 0 && errno == EINTR);
    if (size < 0) return unreadable(path_, errno_text());
    return ByteView(buffer_).first(static_cast<std::size_t>(size));
  }

 private:
  Fd fd_;
  std::string path_;
  Bytes buffer_ = Bytes(kBufferBytes);
};

class Directory final : public LinkedStore {
 public:
  explicit Directory(Fd root) : root_(std::move(root)) {}

 private:
  // Each directory is opened by itself: nothing that changes meanwhile leads out.
  Result<Part> find(const std::string& path) const override {
    Fd at(::openat(root_.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    std::string_view rest = path;
    for (std::size_t slash = rest.find('/'); at.ok() && slash != std::string_view::npos;
         slash = rest.find('/')) {
      const std::string name(rest.substr(0, slash));
      if (name.empty() || name == "..") return missing(path);
      at = Fd(::openat(at.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      rest.remove_prefix(slash + 1);
    }
    if (at.ok()) {
      const std::string name(rest);
      std::array<char, PATH_MAX> target;
      const ssize_t size = ::readlinkat(at.get(), name.c_str(), target.data(), target.size());
      if (size > 0) {
        ASSAY_TRY(std::string link,
                  link_path(parent_of(path), {target.data(), static_cast<std::size_t>(size)}));
        return Part{nullptr, std::move(link)};
      }
      at = Fd(::openat(at.get(), name.c_str(),
                       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    }
    struct stat st = {};
    if (!at.ok()) {
      if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return missing(path);
      return unreadable(path, errno_text());
    }
    if (::fstat(at.get(), &st) != 0 || !S_ISREG(st.st_mode)) return missing(path);
    return Part{std::make_unique<FileSource>(std::move(at), path)};
  }

  Fd root_;
};

class MemberSource final : public ByteSource {
 public:
  MemberSource(ArchiveReader reader, std::string path)
      : reader_(std::move(reader)), path_(std::move(path)) {}

  Result<ByteView> next() override {
    const la_ssize_t size = ::archive_read_data(reader_.get(), buffer_.data(), buffer_.size());
    if (size < 0) return unreadable(path_, archive_error(reader_.get()));
    return ByteView(buffer_).first(static_cast<std::size_t>(size));
  }

 private:
  ArchiveReader reader_;
  std::string path_;
  Bytes buffer_ = Bytes(kBufferBytes);
};

// Looks for a member from the start each time: archives on a disk are skipped through by seeking.
class TarFile final : public LinkedStore {
 public:
  explicit TarFile(std::string path) : path_(std::move(path)) {}

 private:
  Result<Part> find(const std::string& name) const override {
    const Utf8Locale locale;
    ArchiveReader reader(::archive_read_new());
    ASSAY_CHECK(reader != nullptr);
    ::archive_read_support_format_tar(reader.get());
    ::archive_read_support_filter_gzip(reader.get());
    ::archive_read_support_filter_zstd(reader.get());
    if (::archive_read_open_filename(reader.get(), path_.c_str(), kBufferBytes) != ARCHIVE_OK) {
      return unreadable(path_, archive_error(reader.get()));
    }
    while (true) {
      ::archive_entry* entry = nullptr;
      const int code = ::archive_read_next_header(reader.get(), &entry);
      if (code == ARCHIVE_EOF) return missing(name);
      if (code != ARCHIVE_OK) return unreadable(path_, archive_error(reader.get()));
      std::string_view found = text_or_empty(::archive_entry_pathname(entry));
      if (found.starts_with("./")) found.remove_prefix(2);
      if (found != name) continue;
      if (const char* target = ::archive_entry_hardlink(entry)) {
        ASSAY_TRY(std::string link, link_path("", target));
        return Part{nullptr, std::move(link)};
      }
      if (const char* target = ::archive_entry_symlink(entry)) {
        ASSAY_TRY(std::string link, link_path(parent_of(name), target));
        return Part{nullptr, std::move(link)};
      }
      if (::archive_entry_filetype(entry) == AE_IFREG) {
        return Part{std::make_unique<MemberSource>(std::move(reader), name)};
      }
    }
  }

  std::string path_;
};

}  // namespace

Result<std::unique_ptr<BlobStore>> open_blobs(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st = {};
  if (!fd.ok() || ::fstat(fd.get(), &st) != 0) return unreadable(path, errno_text());
  if (S_ISDIR(st.st_mode)) return std::make_unique<Directory>(std::move(fd));
  return std::make_unique<TarFile>(path);
}

}  // namespace assay
