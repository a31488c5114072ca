// Whatever a node measures as a key, a command line or critical data becomes one short line that is
// safe for a terminal, and an accepted certificate is one in both of its forms.
#include "core/buffer/certificate.h"
#include "core/buffer/measured_buffer.h"
#include "tests/fuzz/check.h"

namespace assay {
namespace {

constexpr std::string_view kNames[] = {".ima",
                                       "kexec-cmdline",
                                       "kernel_version",
                                       "kexec_load",
                                       "selinux-state",
                                       "selinux-policy-hash",
                                       "blacklisted-hash",
                                       "dm_table_load",
                                       "dm_device_resume",
                                       "dm_device_rename",
                                       "dm_target_update",
                                       "ima_policy_written"};

void check_line(const std::string& line) {
  FUZZ_CHECK(line.size() <= kMaxBufferWords);
  for (const char c : line) FUZZ_CHECK(c != '\x7f' && (c < 0 || c >= ' '));
}

// `content` under every name that the kernel has for buffers, and under itself.
void check(ByteView content) {
  ImaEntry entry;
  entry.field_count = 1;
  entry.fields[0] = {ImaField::kBuf, content};
  for (const std::string_view name : kNames) {
    for (const auto alg : {std::optional<HashAlg>(), std::optional(HashAlg::kSha256)}) {
      entry.name = name;
      entry.file_digest = alg ? std::optional(hash(*alg, content)) : std::nullopt;
      FUZZ_CHECK(!contradicts_buffer(entry));
      const auto buffer = measured_buffer(entry);
      FUZZ_CHECK(buffer.has_value() == !content.empty());
      if (buffer) check_line(describe(*buffer));
    }
  }
  entry.name = as_text(content);
  if (const auto buffer = measured_buffer(entry)) check_line(describe(*buffer));

  const bool is_certificate = read_certificate(content).has_value();
  const auto der = certificate_der(content);
  FUZZ_CHECK(!is_certificate || der.has_value());
  if (der) FUZZ_CHECK(certificate_der(*der) == der);
}

}  // namespace
}  // namespace assay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  assay::check({data, size});
  return 0;
}
