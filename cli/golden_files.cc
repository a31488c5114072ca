#include "cli/golden_files.h"

#include "cli/command.h"
#include "cli/files.h"
#include "golden/set_file.h"

namespace assay {
namespace {

Status add_set(const std::string& path, GoldenSnapshot::Builder& builder) {
  ASSAY_TRY(const Bytes file, read_file(path, {.max_bytes = kMaxSetFileBytes,
                                               .too_large = FaultId::kGoldenTooLarge}));
  const Result<GoldenSet> set = parse_golden_set(file);
  if (!set) return tl::unexpected<Fault>(with_subject(set.error(), path));
  const auto index = builder.add_set(set->name);
  for (const GoldenSigner& signer : set->signers) builder.add_signer(index, signer.key);
  for (const GoldenFile& golden : set->files) {
    for (const Digest& digest : golden.digests) builder.add(index, digest);
  }
  return {};
}

}  // namespace

Result<GoldenSnapshot> load_golden(const std::vector<std::string>& paths) {
  GoldenSnapshot::Builder builder;
  for (const std::string& path : paths) ASSAY_OK(add_set(path, builder));
  return std::move(builder).build();
}

}  // namespace assay
