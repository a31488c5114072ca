#include "golden/image/blob.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <string_view>

#include "core/text.h"
#include "golden/image/archive.h"
#include "golden/posix.h"

namespace assay {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{256} << 10;

tl::unexpected<Fault> unreadable(std::string_view path, const std::string& why) {
  return fail(FaultId::kFileUnreadable, escape_bytes(path) + ": " + why);
}

tl::unexpected<Fault> missing(std::string_view path) {
  return fail(FaultId::kImageMalformed, "the image has no " + shorten(escape_bytes(path), 200));
}

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

class Directory final : public BlobStore {
 public:
  explicit Directory(Fd root) : root_(std::move(root)) {}

  Result<std::unique_ptr<ByteSource>> open(const std::string& path) const override {
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
      at = Fd(::openat(at.get(), std::string(rest).c_str(),
                       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    }
    struct stat st = {};
    if (!at.ok()) {
      if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return missing(path);
      return unreadable(path, errno_text());
    }
    if (::fstat(at.get(), &st) != 0 || !S_ISREG(st.st_mode)) return missing(path);
    return std::make_unique<FileSource>(std::move(at), path);
  }

 private:
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
class TarFile final : public BlobStore {
 public:
  explicit TarFile(std::string path) : path_(std::move(path)) {}

  Result<std::unique_ptr<ByteSource>> open(const std::string& name) const override {
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
      if (found == name && ::archive_entry_filetype(entry) == AE_IFREG) {
        return std::make_unique<MemberSource>(std::move(reader), name);
      }
    }
  }

 private:
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
