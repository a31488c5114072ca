#include "verifier/enrolment/vendor_roots_dir.h"

#include <algorithm>
#include <set>
#include <vector>

#include "core/text.h"
#include "verifier/secret_file.h"

namespace assay {
namespace {

constexpr std::size_t kMaxFiles = 4096;

bool is_certificate_file(const std::filesystem::directory_entry& entry) {
  static const std::set<std::filesystem::path> kEndings = {".pem", ".crt", ".cer", ".der"};
  std::error_code error;
  return entry.is_regular_file(error) && !error && kEndings.contains(entry.path().extension());
}

Result<std::vector<std::filesystem::path>> certificate_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> out;
  std::error_code error;
  std::filesystem::directory_iterator at(folder, error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    if (is_certificate_file(*at)) out.push_back(at->path());
    if (out.size() > kMaxFiles) {
      return fail(FaultId::kConfigInvalid,
                  folder.string() + ": over " + std::to_string(kMaxFiles) + " certificate files");
    }
  }
  if (error) {
    return fail(FaultId::kFileUnreadable, folder.string() + ": " + error.message());
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace

Result<TrustedRoots> load_vendor_roots(const std::filesystem::path& folder) {
  ASSAY_TRY(const auto paths, certificate_files(folder));
  std::vector<Bytes> files;
  for (const auto& path : paths) {
    ASSAY_TRY(Bytes content, read_public_bytes(path));
    files.push_back(std::move(content));
    // One by one first, so that the complaint can name the file.
    if (const auto alone = parse_trusted_roots({files.back()}); !alone) {
      return fail(FaultId::kConfigInvalid,
                  escape_bytes(path.string()) + ": " + alone.error().detail);
    }
  }
  if (files.empty()) {
    return fail(FaultId::kConfigInvalid, folder.string() +
                                             ": holds no certificate (.pem, .crt, .cer, .der); "
                                             "deploy/tpm-roots/README.md says where to get them");
  }
  return parse_trusted_roots(files);
}

}  // namespace assay
