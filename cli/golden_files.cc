#include "cli/golden_files.h"

#include "cli/command.h"
#include "cli/files.h"
#include "golden/signed_envelope.h"

namespace assay {
namespace {

Fault not_a_set(const Fault& fault, ByteView file, const std::string& path) {
  if (!parse_envelope(file)) return with_subject(fault, path);
  return with_subject(
      {.id = fault.id, .detail = "it is a signed envelope: give the set that was signed"}, path);
}

Status add_set(const std::string& path, GoldenSnapshot::Builder& builder) {
  ASSAY_TRY(const SetFile file, load_set_file(path));
  const auto index = builder.add_set(file.set.name);
  for (const GoldenSigner& signer : file.set.signers) builder.add_signer(index, signer.key);
  for (const GoldenFile& golden : file.set.files) {
    for (const Digest& digest : golden.digests) builder.add(index, digest);
  }
  return {};
}

}  // namespace

Result<SetFile> load_set_file(const std::string& path) {
  ASSAY_TRY(Bytes file, read_file(path, {.max_bytes = kMaxSetFileBytes,
                                         .too_large = FaultId::kGoldenTooLarge}));
  auto set = parse_golden_set(file);
  if (!set) return tl::unexpected<Fault>(not_a_set(set.error(), file, path));
  return SetFile{std::move(file), *std::move(set)};
}

Result<Bytes> load_pushed_file(const std::string& path) {
  ASSAY_TRY(Bytes file, read_file(path, {.max_bytes = kMaxEnvelopeBytes,
                                         .too_large = FaultId::kGoldenTooLarge}));
  auto set = parse_golden_set(file);
  if (!set) {
    const auto envelope = parse_envelope(file);
    if (envelope) set = parse_golden_set(envelope->payload);
  }
  if (!set) return tl::unexpected<Fault>(with_subject(set.error(), path));
  return file;
}

Result<GoldenSnapshot> load_golden(const std::vector<std::string>& paths) {
  GoldenSnapshot::Builder builder;
  for (const std::string& path : paths) ASSAY_OK(add_set(path, builder));
  return std::move(builder).build();
}

}  // namespace assay
