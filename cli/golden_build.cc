#include "cli/golden_build.h"

#include <algorithm>
#include <filesystem>
#include <thread>

#include "cli/command.h"
#include "cli/fault_row.h"
#include "cli/files.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "core/buffer/certificate.h"
#include "core/text.h"
#include "golden/learn.h"
#include "golden/rootfs.h"

namespace assay {
namespace {

constexpr std::size_t kMaxImaLogBytes = std::size_t{1} << 30;
constexpr unsigned kMaxThreads = 16;
constexpr std::size_t kMaxPathsForPeople = 20;

std::size_t count_hashes(const GoldenSet& set) {
  std::vector<Digest> digests;
  for (const GoldenFile& file : set.files) {
    digests.insert(digests.end(), file.digests.begin(), file.digests.end());
  }
  std::ranges::sort(digests);
  return digests.size() - std::ranges::unique(digests).size();
}

std::string file_digest(std::string_view file) {
  return format_digest(hash(HashAlg::kSha256, as_bytes(file)));
}

// Whose certificate it is; of a bare key the file's name.
std::string signer_name(ByteView file, const std::string& path) {
  const auto der = certificate_der(file);
  const auto facts = der ? read_certificate(*der) : std::nullopt;
  std::string name = facts && !facts->subject.empty()
                         ? facts->subject
                         : std::filesystem::path(path).filename().string();
  name.resize(std::min(name.size(), kMaxSetNameBytes));
  return name;
}

}  // namespace

std::vector<HashAlg> chosen_algorithms(const std::vector<std::string>& names) {
  std::vector<HashAlg> out;
  for (const HashAlg alg : kAllHashAlgs) {
    if (std::ranges::find(names, hash_name(alg)) != names.end()) out.push_back(alg);
  }
  if (out.empty()) out.push_back(HashAlg::kSha256);
  return out;
}

unsigned build_threads() {
  return std::clamp(std::thread::hardware_concurrency(), 1U, kMaxThreads);
}

Result<BuiltSet> build_set_from_tree(const std::string& name, const std::string& dir,
                                     const std::vector<std::string>& hashes) {
  ProgressBar bar("hashing");
  ASSAY_TRY(RootfsFiles tree, build_from_rootfs({.dir = dir,
                                                 .algorithms = chosen_algorithms(hashes),
                                                 .threads = build_threads(),
                                                 .on_progress = [&bar](const BuildProgress& p) {
                                                   // A file costs something even when it is empty.
                                                   bar.show(p.bytes_done + p.files_done,
                                                            p.bytes_total + p.files_total);
                                                 }}));
  BuiltSet out{.set = {.name = name, .source = "rootfs", .files = std::move(tree.files)},
               .left_out = {{"sockets_pipes_devices", tree.special},
                            {"pseudo_filesystems", tree.pseudo_filesystems.size()},
                            {"changed_while_read", tree.changed.size()}},
               .left_out_paths = std::move(tree.pseudo_filesystems)};
  out.left_out_paths.insert(out.left_out_paths.end(), tree.changed.begin(), tree.changed.end());
  return out;
}

Result<BuiltSet> build_set_from_image(const std::string& name, ImageOptions options,
                                      const std::vector<std::string>& hashes) {
  ProgressBar bar("reading layers");
  options.algorithms = chosen_algorithms(hashes);
  options.threads = build_threads();
  options.on_progress = [&bar](const BuildProgress& p) {
    // How much a `docker save` archive holds is known only at its end.
    if (p.bytes_total > 0) bar.show(p.bytes_done, p.bytes_total);
  };
  ASSAY_TRY(ImageFiles image, build_from_image(options));
  const bool oci = options.form == ImageForm::kOciLayout;
  return BuiltSet{.set = {.name = name,
                          .source = oci ? "oci" : "docker-archive",
                          .files = std::move(image.files),
                          .image = std::move(image.image)},
                  .left_out = {{"sockets_pipes_devices", image.special}},
                  .left_out_paths = {}};
}

Result<BuiltSet> build_set_from_log(const std::string& name, const std::string& path) {
  ASSAY_TRY(Spool spool, read_large_file(path, {.max_bytes = kMaxImaLogBytes,
                                                .too_large = FaultId::kImaTooLarge}));
  ASSAY_TRY(const ByteView log, spool.view());
  Result<LearnedFiles> learned = learn_ima_log(log);
  if (!learned) return tl::unexpected<Fault>(with_subject(learned.error(), path));
  return BuiltSet{.set = {.name = name, .source = "ima-log", .files = std::move(learned->files)},
                  .left_out = {{"violations", learned->violations},
                               {"without_digest", learned->without_digest},
                               {"without_name", learned->without_name}},
                  .left_out_paths = {}};
}

Result<BuiltSet> build_set_from_keys(const std::string& name, const std::vector<std::string>& paths,
                                     const std::vector<std::string>& hashes) {
  BuiltSet out{
      .set = {.name = name, .source = "keys", .files = {}}, .left_out = {}, .left_out_paths = {}};
  for (const std::string& path : paths) {
    ASSAY_TRY(const Bytes file,
              read_file(path, {.max_bytes = kMaxKeyBytes, .too_large = FaultId::kGoldenTooLarge}));
    const auto der = certificate_der(file);
    const auto facts = der ? read_certificate(*der) : std::nullopt;
    if (!facts) {
      return fail(FaultId::kGoldenMalformed,
                  escape_bytes(path) + ": not one X.509 certificate in PEM or DER");
    }
    GoldenFile key{.path = "key:" + (facts->subject.empty() ? facts->serial : facts->subject),
                   .digests = {},
                   .size = der->size()};
    for (const HashAlg alg : chosen_algorithms(hashes)) key.digests.push_back(hash(alg, *der));
    out.set.files.push_back(std::move(key));
  }
  sort_files(out.set.files);
  return out;
}

BuiltSet set_of_signers(const std::string& name) {
  return {.set = {.name = name, .source = "signers", .files = {}},
          .left_out = {},
          .left_out_paths = {}};
}

Status add_signers(const std::vector<std::string>& paths, GoldenSet& set) {
  for (const std::string& path : paths) {
    ASSAY_TRY(const Bytes file,
              read_file(path, {.max_bytes = kMaxKeyBytes, .too_large = FaultId::kGoldenTooLarge}));
    const auto spki = signer_spki(file);
    if (!spki) {
      return fail(FaultId::kGoldenMalformed,
                  escape_bytes(path) + ": neither a certificate nor a public key in PEM or DER");
    }
    auto key = parse_file_signer(*spki);
    if (!key) return tl::unexpected<Fault>(with_subject(key.error(), path));
    set.signers.push_back({signer_name(file, path), *std::move(key)});
  }
  sort_signers(set.signers);
  if (set.signers.size() > kMaxSetSigners) {
    return fail(FaultId::kGoldenTooLarge, "over " + std::to_string(kMaxSetSigners) + " signers");
  }
  return {};
}

std::string built_json(const BuiltSet& built, std::string_view file) {
  nlohmann::ordered_json out;
  out["name"] = built.set.name;
  out["digest"] = file_digest(file);
  out["source"] = built.set.source;
  out["files"] = built.set.files.size();
  out["hashes"] = count_hashes(built.set);
  out["signers"] = built.set.signers.size();
  for (const auto& [why, count] : built.left_out) out["left_out"][why] = count;
  out["left_out_paths"] = nlohmann::ordered_json::array();
  for (const std::string& path : built.left_out_paths) {
    out["left_out_paths"].push_back(escape_bytes(path));
  }
  return format_json(out);
}

std::string built_text(const BuiltSet& built, std::string_view file) {
  std::string out = format_fields({{"name", built.set.name},
                                   {"digest", file_digest(file)},
                                   {"source", built.set.source},
                                   {"files", std::to_string(built.set.files.size())},
                                   {"hashes", std::to_string(count_hashes(built.set))},
                                   {"signers", std::to_string(built.set.signers.size())}});
  for (const auto& [why, count] : built.left_out) {
    if (count > 0) out += "left out: " + std::to_string(count) + " " + why + '\n';
  }
  const std::size_t shown = std::min(built.left_out_paths.size(), kMaxPathsForPeople);
  for (std::size_t i = 0; i < shown; ++i)
    out += "  " + escape_bytes(built.left_out_paths[i]) + '\n';
  if (shown < built.left_out_paths.size()) {
    out += "  and " + std::to_string(built.left_out_paths.size() - shown) + " more\n";
  }
  return out;
}

}  // namespace assay
