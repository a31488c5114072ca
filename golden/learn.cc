#include "golden/learn.h"

#include <algorithm>

#include "core/ima_log.h"

namespace assay {
namespace {

Status check_digest(const ImaEntry& entry, Hasher& sha1) {
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
  } else if (entry.name.empty() || entry.name.size() > kMaxSetPathBytes) {
    ++out.without_name;
  } else {
    out.files.push_back({.path = std::string(entry.name), .digests = {*entry.file_digest}});
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
