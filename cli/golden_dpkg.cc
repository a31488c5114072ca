#include "cli/golden_dpkg.h"

#include <cstdint>
#include <string_view>
#include <utility>

#include "cli/command.h"
#include "cli/progress.h"
#include "core/text.h"

namespace assay {
namespace {

// "1 file is missing": nothing at all when there is none.
void note(std::uint64_t count, std::string_view one, std::string_view more) {
  if (count == 0) return;
  complain(Exit::kOk, std::to_string(count) + ' ' + std::string(count == 1 ? one : more));
}

void note_all(const DpkgFiles& got) {
  note(got.missing.size(), "file that a package lists is missing",
       "files that packages list are missing");
  note(got.changed.size(), "file is not as its package installed it, and golden as it is",
       "files are not as their packages installed them, and golden as they are");
  note(got.changed_conffiles, "configuration file was changed, and is golden as it is",
       "configuration files were changed, and are golden as they are");
  note(got.unchecked, "file has no sum in the database to be checked against",
       "files have no sum in the database to be checked against");
  for (const std::string& package : got.half_installed) {
    complain(Exit::kOk, "package " + escape_bytes(package) + " is half installed, and left out");
  }
}

tl::unexpected<Fault> refuse_changed(const DpkgFiles& got) {
  const ChangedFile& first = got.changed.front();
  std::string detail = escape_bytes(first.file.path) + " is not the file that package " +
                       first.package + " installed";
  if (got.changed.size() > 1) {
    detail += ", nor are " + std::to_string(got.changed.size() - 1) + " more what they should be";
  }
  return fail(FaultId::kGoldenMalformed,
              detail + ": look into it, or take them as they are with --allow-changed");
}

// The bar is gone when it returns, and lines on standard error have theirs for themselves.
Result<DpkgFiles> build_showing_progress(const std::string& dir,
                                         const std::vector<std::string>& hashes) {
  ProgressBar bar("hashing");
  return build_from_dpkg({.dir = dir,
                          .algorithms = chosen_algorithms(hashes),
                          .threads = build_threads(),
                          .on_progress = [&bar](const BuildProgress& p) {
                            bar.show(p.bytes_done + p.files_done, p.bytes_total + p.files_total);
                          }});
}

}  // namespace

Result<BuiltSet> build_set_from_dpkg(const std::string& name, const std::string& dir,
                                     const std::vector<std::string>& hashes, ChangedFiles changed) {
  Result<DpkgFiles> got = build_showing_progress(dir, hashes);
  if (!got) return tl::unexpected<Fault>(std::move(got).error());
  if (!got->changed.empty() && changed == ChangedFiles::kRefuse) return refuse_changed(*got);
  note_all(*got);
  BuiltSet out{.set = {.name = name, .source = "dpkg", .files = std::move(got->files)},
               .left_out = {{"missing", got->missing.size()},
                            {"sockets_pipes_devices", got->special},
                            {"changed_while_read", got->changed_while_read.size()},
                            {"half_installed_packages", got->half_installed.size()}},
               .left_out_paths = std::move(got->missing)};
  out.left_out_paths.insert(out.left_out_paths.end(), got->changed_while_read.begin(),
                            got->changed_while_read.end());
  for (ChangedFile& file : got->changed) out.set.files.push_back(std::move(file.file));
  sort_files(out.set.files);
  return out;
}

}  // namespace assay
