// Bytes that arrive in pieces and may be more than memory should hold.
#pragma once

#include <cstdint>
#include <string>

#include "core/bytes.h"
#include "core/result.h"
#include "golden/posix.h"

namespace assay {

// The first pieces in memory; once they are over kMaxInMemory all of them in a file without a name,
// which is gone with its owner however the process ends. For one thread.
class Spool {
 public:
  static constexpr std::size_t kMaxInMemory = std::size_t{1} << 20;

  // `folder` is where the file goes: one on a disk, not in memory.
  explicit Spool(std::string folder) : folder_(std::move(folder)) {}
  ~Spool();
  Spool(Spool&& other) noexcept;
  Spool& operator=(Spool&& other) noexcept;

  // Ends what view() gave. Fails with kFileUnwritable; the spool is of no use after that.
  Status append(ByteView bytes);

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // All of it, until the next append(). Fails with kFileUnreadable.
  Result<ByteView> view() const;

 private:
  Status open_file();
  void unmap();

  std::string folder_;
  Bytes memory_;
  Fd file_;
  std::size_t size_ = 0;
  mutable void* mapping_ = nullptr;  // made by the first view()
  mutable std::size_t mapped_bytes_ = 0;
};

}  // namespace assay
