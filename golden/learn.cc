#include "golden/learn.h"

#include <algorithm>

#include "core/buffer/measured_buffer.h"
#include "core/ima_log.h"

namespace assay {
namespace {

// What the set calls the file or buffer of `entry`; nothing when it cannot.
std::optional<std::string> path_of(const ImaEntry& entry) {
  const auto buffer = measured_buffer(entry);
  std::string out = buffer ? golden_path(*buffer) : std::string(entry.name);
  const bool usable = !entry.name.empty() && out.size() <= kMaxSetPathBytes;
  return usable ? std::optional(std::move(out)) : std::nullopt;
}

Status check_digest(const ImaEntry& entry, Hasher& sha1) {
  if (contradicts_buffer(entry)) {
    return fail(FaultId::kImaBufferDigestMismatch, "entry " + std::to_string(entry.index));
  }
  if (entry.violation ||
      std::ranges::equal(template_digest(entry, sha1).bytes(), entry.header_digest)) {
    return {};
  }
  return fail(FaultId::kImaTemplateDigestMismatch, "entry " + std::to_string(entry.index));
}

void take(const ImaEntry& entry, LearnedFiles& out) {
  ++out.entries;
  if (entry.violation) {
    ++out.violations;
  } else if (!entry.file_digest) {
    ++out.without_digest;
  } else if (auto path = path_of(entry)) {
    out.files.push_back({.path = *std::move(path), .digests = {*entry.file_digest}});
  } else {
    ++out.without_name;
  }
}

}  // namespace

Result<LearnedFiles> learn_ima_log(ByteView log) {
  LearnedFiles out;
  Hasher sha1(HashAlg::kSha1);
  for (ImaLogReader reader(log, guess_ima_log_form(log)); !reader.at_end();) {
    ASSAY_TRY(const ImaEntry entry, reader.next());
    ASSAY_OK(check_digest(entry, sha1));
    take(entry, out);
    if (out.files.size() > kMaxSetFiles) {
      return fail(FaultId::kGoldenTooLarge, "over " + std::to_string(kMaxSetFiles) + " files");
    }
  }
  if (out.files.empty()) return fail(FaultId::kGoldenMalformed, "the log has no file to learn");
  sort_files(out.files);
  return out;
}

}  // namespace assay
