#include "golden/spool.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cstdlib>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

Fault unwritable(const std::string& folder) {
  return {.id = FaultId::kFileUnwritable,
          .detail = "a temporary file in " + escape_bytes(folder) + ": " + errno_text()};
}

Status write_all(int file, ByteView bytes, const std::string& folder) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return tl::unexpected<Fault>(unwritable(folder));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Spool::~Spool() {
  unmap();
}

Spool::Spool(Spool&& other) noexcept : Spool(std::string()) {
  *this = std::move(other);
}

Spool& Spool::operator=(Spool&& other) noexcept {
  std::swap(folder_, other.folder_);
  std::swap(memory_, other.memory_);
  std::swap(file_, other.file_);
  std::swap(size_, other.size_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  return *this;
}

Status Spool::open_file() {
  std::string name = folder_ + "/assay-XXXXXX";
  Fd file(::mkostemp(name.data(), O_CLOEXEC));
  if (!file.ok() || ::unlink(name.c_str()) != 0) {
    return tl::unexpected<Fault>(unwritable(folder_));
  }
  ASSAY_OK(write_all(file.get(), memory_, folder_));
  file_ = std::move(file);
  memory_ = {};
  return {};
}

Status Spool::append(ByteView bytes) {
  unmap();
  if (!file_.ok() && bytes.size() > kMaxInMemory - memory_.size()) ASSAY_OK(open_file());
  if (file_.ok()) {
    ASSAY_OK(write_all(file_.get(), bytes, folder_));
  } else {
    memory_.insert(memory_.end(), bytes.begin(), bytes.end());
  }
  size_ += bytes.size();
  return {};
}

Result<ByteView> Spool::view() const {
  if (!file_.ok()) return ByteView(memory_);
  if (mapping_ == nullptr) {
    void* mapping = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file_.get(), 0);
    if (mapping == MAP_FAILED) {
      return fail(FaultId::kFileUnreadable,
                  "a temporary file in " + escape_bytes(folder_) + ": " + errno_text());
    }
    mapping_ = mapping;
    mapped_bytes_ = size_;
    // Read once, front to back: pages behind may go.
    ::madvise(mapping_, mapped_bytes_, MADV_SEQUENTIAL);
  }
  return ByteView(static_cast<const std::uint8_t*>(mapping_), mapped_bytes_);
}

void Spool::unmap() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapped_bytes_);
  mapping_ = nullptr;
  mapped_bytes_ = 0;
}

}  // namespace assay
