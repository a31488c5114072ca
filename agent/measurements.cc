#include "agent/measurements.h"

#include <fcntl.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "core/boot/command_line.h"
#include "core/text.h"

namespace assay::agent {
namespace {

Fault unreadable(const std::string& path, int error) {
  if (error == ENOENT) {
    return {.id = FaultId::kKernelWithoutIma,
            .detail = escape_bytes(path) +
                      " is not there: boot a kernel with CONFIG_IMA=y, and mount securityfs (mount "
                      "-t securityfs securityfs /sys/kernel/security)"};
  }
  std::string hint;
  if (error == EACCES || error == EPERM) {
    hint = ": run assay-agent as root, or give it CAP_DAC_READ_SEARCH";
  }
  return {.id = FaultId::kFileUnreadable,
          .detail = escape_bytes(path) + ": " + std::strerror(error) + hint};
}

Result<Fd> open_file(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return tl::unexpected(unreadable(path, errno));
  return fd;
}

// pread() until `size` bytes are there or the file ends: securityfs gives a page at a time.
Result<Bytes> read_at(const Fd& fd, const std::string& path, std::uint64_t offset,
                      std::size_t size) {
  Bytes out(size);
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got =
        ::pread(fd.get(), out.data() + have, size - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(unreadable(path, errno));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  out.resize(have);
  return out;
}

}  // namespace

ImaLogForm log_form(std::string_view log_path, std::string_view command_line) {
  ImaLogForm out;
  const bool canonical = std::ranges::any_of(
      parse_command_line(command_line),
      [](const KernelParameter& parameter) { return parameter.name == "ima_canonical_fmt"; });
  if (std::endian::native == std::endian::big && !canonical) out.order = ByteOrder::kBig;
  const std::size_t last = log_path.rfind('_');
  if (last != std::string_view::npos) {
    out.digests = hash_by_name(log_path.substr(last + 1)).value_or(HashAlg::kSha1);
  }
  return out;
}

Result<Measurements> Measurements::open(const std::string& log_path,
                                        const std::string& count_path) {
  ASSAY_TRY(Fd log, open_file(log_path));
  ASSAY_TRY(Fd count, open_file(count_path));
  Measurements out(log_path, std::move(log), count_path, std::move(count));
  ASSAY_TRY([[maybe_unused]] const Bytes first, out.read(0, 1));
  ASSAY_TRY([[maybe_unused]] const std::uint64_t entries, out.count());
  return out;
}

Result<std::uint64_t> Measurements::count() const {
  static constexpr std::size_t kLongest = 21;  // 2^64 in decimal, and a newline
  ASSAY_TRY(const Bytes bytes, read_at(count_, count_path_, 0, kLongest));
  const std::string_view text = as_text(bytes);
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  const std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error != std::errc() || (!rest.empty() && rest != "\n")) {
    return fail(FaultId::kKernelWithoutIma,
                escape_bytes(count_path_) +
                    " holds no number: ima_count has to name runtime_measurements_count");
  }
  return out;
}

Result<Bytes> Measurements::read(std::uint64_t offset, std::size_t size) const {
  return read_at(log_, log_path_, offset, size);
}

}  // namespace assay::agent
