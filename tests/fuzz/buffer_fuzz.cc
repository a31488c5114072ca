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
                                       "dm_device_remove",
                                       "dm_target_update",
                                       "ima_policy_written"};

void check_line(const std::string& line) {
  FUZZ_CHECK(line.size() <= kMaxBufferWords);
  for (const char c : line) FUZZ_CHECK(c != '\x7f' && (c < 0 || c >= ' '));
}

// `input`: the number of a name that the kernel has for buffers, and the buffer.
void check(ByteView input) {
  if (input.empty()) return;
  const ByteView content = input.subspan(1);
  ImaEntry entry;
  entry.name = input[0] < std::size(kNames) ? kNames[input[0]] : as_text(content);
  entry.field_count = 1;
  entry.fields[0] = {ImaField::kBuf, "buf", content};
  entry.file_digest = hash(HashAlg::kSha256, content);
  FUZZ_CHECK(!contradicts_buffer(entry));
  const auto buffer = measured_buffer(entry);
  FUZZ_CHECK(buffer.has_value() == !content.empty());
  if (!buffer) return;
  check_line(describe(*buffer));
  if (buffer->kind != BufferKind::kKey) return;
  const auto der = certificate_der(content);
  FUZZ_CHECK(der.has_value() || !read_certificate(content));
  if (der) FUZZ_CHECK(certificate_der(*der) == der);
}

}  // namespace
}  // namespace assay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  assay::check({data, size});
  return 0;
}
