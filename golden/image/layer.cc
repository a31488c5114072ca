#include "golden/image/layer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "golden/image/archive.h"

namespace assay {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{128} << 10;
constexpr std::size_t kTarBlockBytes = 512;
using Kind = LayerEntry::Kind;

tl::unexpected<Fault> malformed(const std::string& what) {
  return fail(FaultId::kImageMalformed, "layer: " + what);
}

// The blob's bytes, hashed as libarchive asks for them.
struct BlobBytes {
  ByteSource& source;
  const LayerWanted& wanted;
  Hasher hasher;
  std::uint64_t bytes = 0;
  std::optional<Fault> fault = std::nullopt;

  BlobBytes(ByteSource& from, const LayerWanted& what)
      : source(from), wanted(what), hasher(what.blob ? what.blob->alg() : HashAlg::kSha256) {
    hasher.start();
  }

  // Negative when there is a fault.
  la_ssize_t next(const void** out) {
    auto part = source.next();
    if (!part) {
      fault = std::move(part).error();
      return -1;
    }
    hasher.add(*part);
    bytes += part->size();
    if (wanted.on_bytes) wanted.on_bytes(part->size());
    *out = part->data();
    return static_cast<la_ssize_t>(part->size());
  }
};

// What they decompress to, hashed likewise.
struct ArchiveBytes {
  BlobBytes& blob;
  ::archive* reader;
  Hasher hasher;
  std::uint64_t bytes = 0;
  std::optional<Fault> fault = std::nullopt;
  bool may_pad = false;  // the last file's own bytes were all there
  bool padded = false;
  std::array<std::uint8_t, kBufferBytes> buffer = {};

  ArchiveBytes(BlobBytes& from, ::archive* decompressor)
      : blob(from), reader(decompressor), hasher(from.wanted.diff_id.alg()) {
    hasher.start();
  }

  la_ssize_t next(const void** out) {
    if (fault || blob.fault) return -1;
    const la_ssize_t size = ::archive_read_data(reader, buffer.data(), buffer.size());
    if (size < 0) {
      fault = Fault{.id = FaultId::kImageMalformed, .detail = "layer: " + archive_error(reader)};
      return -1;
    }
    if (size == 0) return pad(out);
    bytes += static_cast<std::uint64_t>(size);
    const LayerLimits& limits = blob.wanted.limits;
    if (bytes > limits.max_bytes ||
        (bytes > limits.ratio_from_bytes && bytes / limits.max_ratio > blob.bytes)) {
      fault = Fault{.id = FaultId::kImageTooLarge,
                    .detail = "layer: " + std::to_string(blob.bytes) +
                              " bytes decompress to over " + std::to_string(bytes)};
      return -1;
    }
    hasher.add(ByteView(buffer).first(static_cast<std::size_t>(size)));
    *out = buffer.data();
    return size;
  }

 private:
  // `umoci insert` leaves out what fills the last file's block, and Go's readers do not ask for it.
  la_ssize_t pad(const void** out) {
    if (!may_pad || padded || bytes % kTarBlockBytes == 0) return 0;
    padded = true;
    buffer.fill(0);
    *out = buffer.data();
    return static_cast<la_ssize_t>(kTarBlockBytes - bytes % kTarBlockBytes);
  }
};

template <typename Source>
la_ssize_t read_from(::archive* /*reader*/, void* source, const void** out) {
  return static_cast<Source*>(source)->next(out);
}

Result<Kind> kind_of(::archive_entry* entry) {
  if (::archive_entry_hardlink(entry) != nullptr) return Kind::kHardLink;
  switch (::archive_entry_filetype(entry)) {
    case AE_IFREG:
      return Kind::kFile;
    case AE_IFDIR:
      return Kind::kDirectory;
    case AE_IFLNK:
      return Kind::kSymlink;
    case AE_IFCHR:
    case AE_IFBLK:
    case AE_IFIFO:
    case AE_IFSOCK:
      return Kind::kSpecial;
    default:
      return malformed("an entry of an unknown kind");
  }
}

// A user or group as Linux has them. libarchive takes PAX headers' numbers before those of 7 digits.
Result<std::uint32_t> owner(la_int64_t id) {
  if (id < 0 || id > std::numeric_limits<std::uint32_t>::max()) {
    return malformed("an owner over 32 bits");
  }
  return static_cast<std::uint32_t>(id);
}

Status check_attributes(::archive_entry* entry) {
  ::archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (::archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    const std::string_view text = text_or_empty(name);
    if (text.starts_with("trusted.overlay.") || text.starts_with("user.overlay.")) {
      return malformed("an attribute that is overlayfs' own: " + shorten(escape_bytes(text), 64));
    }
  }
  return {};
}

// Takes the entries of the archive.
class Table {
 public:
  Table(::archive* tar, const LayerWanted& wanted) : tar_(tar), wanted_(wanted) {
    for (const HashAlg alg : wanted.algorithms) hashers_.emplace_back(alg);
  }

  Status take(::archive_entry* from) {
    if (++entries_ > wanted_.limits.max_entries) {
      return fail(FaultId::kImageTooLarge,
                  "layer: over " + std::to_string(wanted_.limits.max_entries) + " entries");
    }
    LayerEntry entry{.kind = Kind::kFile, .path = "", .target = ""};
    ASSAY_TRY(entry.path, layer_path(text_or_empty(::archive_entry_pathname(from))));
    ASSAY_TRY(entry.kind, kind_of(from));
    ASSAY_OK(check_attributes(from));
    const la_int64_t size = ::archive_entry_size(from);
    if (size < 0) return malformed("a negative size");
    entry.size = static_cast<std::uint64_t>(size);
    entry.mode = ::archive_entry_perm(from) & 07777U;
    ASSAY_TRY(entry.uid, owner(::archive_entry_uid(from)));
    ASSAY_TRY(entry.gid, owner(::archive_entry_gid(from)));
    if (entry.kind == Kind::kSymlink) {
      entry.target = text_or_empty(::archive_entry_symlink(from));
      if (entry.target.size() > kMaxSetPathBytes) return malformed("a link's target is too long");
    }
    if (entry.kind == Kind::kHardLink) {
      ASSAY_TRY(entry.target, layer_path(text_or_empty(::archive_entry_hardlink(from))));
      if (size > 0) return malformed("a hard link with content");
    }
    ASSAY_TRY(const bool kept, take_whiteout(entry));
    if (!kept) return {};
    if (entry.kind == Kind::kFile) ASSAY_OK(hash_file(entry));
    table_.push_back(std::move(entry));
    return {};
  }

  std::vector<LayerEntry> table() && { return std::move(table_); }

 private:
  Status hash_file(LayerEntry& entry) {
    file_bytes_ += std::min(entry.size, wanted_.limits.max_bytes + 1);
    if (file_bytes_ > wanted_.limits.max_bytes) {
      return fail(FaultId::kImageTooLarge,
                  "layer: files of over " + std::to_string(wanted_.limits.max_bytes) + " bytes");
    }
    for (Hasher& hasher : hashers_) hasher.start();
    kind_.start();
    std::uint64_t left = entry.size;
    while (left > 0) {
      la_ssize_t size = ::archive_read_data(tar_, buffer_.data(), std::min(buffer_.size(), left));
      if (size < 0) return malformed(archive_error(tar_));
      if (size == 0) {  // what is left is a sparse file's last hole
        size = static_cast<la_ssize_t>(std::min(buffer_.size(), left));
        std::fill_n(buffer_.begin(), size, std::uint8_t{0});
      }
      const ByteView part = ByteView(buffer_).first(static_cast<std::size_t>(size));
      for (Hasher& hasher : hashers_) hasher.add(part);
      kind_.add(part);
      left -= part.size();
    }
    for (Hasher& hasher : hashers_) entry.digests.push_back(hasher.finish());
    std::ranges::sort(entry.digests);
    entry.content_kind = kind_.finish();
    return {};
  }

  ::archive* tar_;
  const LayerWanted& wanted_;
  std::vector<Hasher> hashers_;
  ContentKindReader kind_;
  Bytes buffer_ = Bytes(kBufferBytes);
  std::uint64_t entries_ = 0;
  std::uint64_t file_bytes_ = 0;
  std::vector<LayerEntry> table_;
};

Result<std::vector<LayerEntry>> read_entries(ArchiveBytes& bytes, const LayerWanted& wanted) {
  const ArchiveReader tar(::archive_read_new());
  ASSAY_CHECK(tar != nullptr);
  ::archive_read_support_format_tar(tar.get());
  ::archive_read_support_format_empty(tar.get());
  if (::archive_read_open(tar.get(), &bytes, nullptr, read_from<ArchiveBytes>, nullptr) !=
      ARCHIVE_OK) {
    return malformed(archive_error(tar.get()));
  }
  Table table(tar.get(), wanted);
  while (true) {
    ::archive_entry* entry = nullptr;
    const int code = ::archive_read_next_header(tar.get(), &entry);
    if (code == ARCHIVE_EOF) return std::move(table).table();
    // A warning is about a name or attribute that libarchive could not take as it stands.
    if (code != ARCHIVE_OK) return malformed(archive_error(tar.get()));
    if (bytes.padded) return malformed("a header that is cut");
    bytes.may_pad = false;
    ASSAY_OK(table.take(entry));
    bytes.may_pad = true;
  }
}

// Reads on to the end: the digests are of everything, not of what an archive's reader looks at.
void drain(ArchiveBytes& archive, BlobBytes& blob) {
  const void* ignored = nullptr;
  while (archive.next(&ignored) > 0) {
  }
  while (!blob.fault && blob.next(&ignored) > 0) {
  }
}

Status check_digests(ArchiveBytes& archive, BlobBytes& blob) {
  const LayerWanted& wanted = blob.wanted;
  if (wanted.blob_bytes && blob.bytes < *wanted.blob_bytes) {
    return fail(FaultId::kImageTruncated, "layer: " + std::to_string(blob.bytes) + " of " +
                                              std::to_string(*wanted.blob_bytes) + " bytes");
  }
  if (wanted.blob_bytes && blob.bytes > *wanted.blob_bytes) {
    return fail(FaultId::kImageDigestMismatch, "layer: more than its bytes");
  }
  if (wanted.blob && blob.hasher.finish() != *wanted.blob) {
    return fail(FaultId::kImageDigestMismatch, "layer: not " + format_digest(*wanted.blob));
  }
  if (archive.fault) return tl::unexpected<Fault>(*archive.fault);
  if (archive.hasher.finish() != wanted.diff_id) {
    return fail(FaultId::kImageDigestMismatch,
                "layer: not diff_id " + format_digest(wanted.diff_id));
  }
  return {};
}

}  // namespace

Result<std::vector<LayerEntry>> read_layer(ByteSource& source, const LayerWanted& wanted) {
  const Utf8Locale locale;
  BlobBytes blob(source, wanted);
  const ArchiveReader decompressor(::archive_read_new());
  ASSAY_CHECK(decompressor != nullptr);
  ::archive_read_support_format_raw(decompressor.get());
  ::archive_read_support_filter_gzip(decompressor.get());
  ::archive_read_support_filter_zstd(decompressor.get());
  ArchiveBytes archive(blob, decompressor.get());
  ::archive_entry* whole = nullptr;
  Result<std::vector<LayerEntry>> table;
  if (::archive_read_open(decompressor.get(), &blob, nullptr, read_from<BlobBytes>, nullptr) !=
          ARCHIVE_OK ||
      ::archive_read_next_header(decompressor.get(), &whole) != ARCHIVE_OK) {
    archive.fault = Fault{.id = FaultId::kImageMalformed,
                          .detail = "layer: " + archive_error(decompressor.get())};
  } else {
    table = read_entries(archive, wanted);
  }
  for (const std::optional<Fault>& fault : {blob.fault, archive.fault}) {
    if (fault && fault->id != FaultId::kImageMalformed) return tl::unexpected<Fault>(*fault);
  }
  if (!table && table.error().id == FaultId::kImageTooLarge) return table;
  drain(archive, blob);
  if (blob.fault) return tl::unexpected<Fault>(*blob.fault);
  if (archive.fault && archive.fault->id == FaultId::kImageTooLarge) {
    return tl::unexpected<Fault>(*archive.fault);
  }
  ASSAY_OK(check_digests(archive, blob));
  return table;
}

}  // namespace assay
