// File descriptors with owners.
#pragma once

#include <dirent.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "core/handle.h"

namespace assay {

// Closes its descriptor when it goes. Negative: none.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  bool ok() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

using Dir = Handle<DIR, ::closedir>;

// "No such file or directory"; std::strerror() is not safe between threads.
inline std::string errno_text(int error = errno) {
  return std::generic_category().message(error);
}

}  // namespace assay
