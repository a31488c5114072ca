#include "cli/golden_diff.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "cli/fault_row.h"
#include "cli/golden_files.h"
#include "cli/table.h"
#include "core/text.h"
#include "golden/set_diff.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

// "sha256:" and enough of the digest to tell two apart; --json has all of it.
constexpr std::size_t kShortDigestBytes = 24;

struct NamedList {
  std::string_view one;
  std::string_view all;
  const ListDifference* list;
};

std::array<NamedList, 3> lists_of(const ImageDifference& image) {
  return {{{"name", "names", &image.names},
           {"digest", "digests", &image.digests},
           {"layer", "layers", &image.layers}}};
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

std::string short_digest(const Digest& digest) {
  return shorten(format_digest(digest), kShortDigestBytes);
}

// "sha1+sha256"
std::string algorithms_of(const GoldenFile& file) {
  std::string out;
  for (const Digest& digest : file.digests) {
    out += (out.empty() ? "" : "+") + std::string(hash_name(digest.alg()));
  }
  return out;
}

std::string from_to(const std::string& before, const std::string& after) {
  return before + " -> " + after;
}

std::string describe(const GoldenFile& file) {
  std::vector<std::string> out = {short_digest(file.digests.back())};
  if (file.size != 0) out.push_back(std::to_string(file.size) + " bytes");
  if (file.mode != 0) out.push_back("mode " + format_mode(file.mode));
  return joined(out);
}

// The strongest algorithm that both have, in which they differ.
void add_digests(const GoldenFile& before, const GoldenFile& after, std::vector<std::string>& out) {
  for (auto left = before.digests.rbegin(); left != before.digests.rend(); ++left) {
    const auto right = std::ranges::find(after.digests, left->alg(), &Digest::alg);
    if (right != after.digests.end() && *right != *left) {
      return out.push_back(from_to(short_digest(*left), short_digest(*right)));
    }
  }
}

void add_owner(const std::string& name, std::optional<std::uint32_t> before,
               std::optional<std::uint32_t> after, std::vector<std::string>& out) {
  if (!before || !after || *before == *after) return;
  out.push_back(name + " " + from_to(std::to_string(*before), std::to_string(*after)));
}

std::string describe(const GoldenFile& before, const GoldenFile& after) {
  std::vector<std::string> out;
  add_digests(before, after, out);
  if (before.size != 0 && after.size != 0 && before.size != after.size) {
    out.push_back(from_to(std::to_string(before.size), std::to_string(after.size)) + " bytes");
  }
  if (before.mode != 0 && after.mode != 0 && before.mode != after.mode) {
    out.push_back("mode " + from_to(format_mode(before.mode), format_mode(after.mode)));
  }
  add_owner("uid", before.uid, after.uid, out);
  add_owner("gid", before.gid, after.gid, out);
  if (before.kind != ContentKind::kUnknown && after.kind != ContentKind::kUnknown &&
      before.kind != after.kind) {
    out.push_back("kind " + from_to(std::string(content_kind_name(before.kind)),
                                    std::string(content_kind_name(after.kind))));
  }
  if (algorithms_of(before) != algorithms_of(after)) {
    out.push_back("digests " + from_to(algorithms_of(before), algorithms_of(after)));
  }
  // Last, because a path may hold anything.
  if (before.path != after.path) out.push_back("to " + after.path);
  return joined(out);
}

std::string summary(const SetDifference& diff) {
  const std::string unchanged = std::to_string(diff.unchanged);
  if (diff.empty()) return "same: " + unchanged + " files\n";
  std::vector<std::string> counts;
  for (std::size_t i = 0; i < kFileChanges; ++i) {
    if (diff.counts[i] == 0) continue;
    const auto name = file_change_name(static_cast<FileChange>(i));
    counts.push_back(std::to_string(diff.counts[i]) + " " + std::string(name));
  }
  if (!diff.image.empty()) counts.emplace_back("image");
  if (!diff.signers.empty()) counts.emplace_back("signers");
  return "different: " + joined(counts) + "; " + unchanged + " unchanged\n";
}

std::string image_table(const ImageDifference& image) {
  Table table({"CHANGE", "IMAGE", "VALUE"});
  for (const NamedList& named : lists_of(image)) {
    for (const std::string& item : named.list->removed) {
      table.add({"removed", std::string(named.one), item});
    }
    for (const std::string& item : named.list->added) {
      table.add({"added", std::string(named.one), item});
    }
    if (named.list->reordered) table.add({"reordered", std::string(named.all), ""});
  }
  return table.text();
}

std::string signer_table(const ListDifference& signers) {
  Table table({"CHANGE", "SIGNER"});
  for (const std::string& item : signers.removed) table.add({"removed", item});
  for (const std::string& item : signers.added) table.add({"added", item});
  return table.text();
}

std::string text_of(const GoldenFacts& facts, const std::string& name) {
  const auto it = facts.find(name);
  return it == facts.end() ? "" : it->second;
}

// Facts that are not the same on both sides; "" when all are.
std::string fact_table(const GoldenFacts& before, const GoldenFacts& after) {
  GoldenFacts names = before;
  names.insert(after.begin(), after.end());
  Table table({"FACT", "BEFORE", "AFTER"});
  for (const auto& [name, value] : names) {
    const std::string older = text_of(before, name);
    const std::string newer = text_of(after, name);
    if (older != newer) table.add({name, older, newer});
  }
  return table.empty() ? "" : table.text();
}

std::string file_table(const SetDifference& diff) {
  Table table({"CHANGE", "PATH", "DETAIL"});
  for (const FileDifference& file : diff.files) {
    const GoldenFile& named = file.before != nullptr ? *file.before : *file.after;
    const bool both = file.before != nullptr && file.after != nullptr;
    table.add({std::string(file_change_name(file.change)), named.path,
               both ? describe(*file.before, *file.after) : describe(named)});
  }
  return table.text();
}

std::string set_text(const GoldenSet& set) {
  return set.name + " (" + set.source + ", " + std::to_string(set.files.size()) + " files)";
}

std::string diff_text(const GoldenSet& before, const GoldenSet& after, const SetDifference& diff) {
  std::string out =
      summary(diff) + format_fields({{"before", set_text(before)}, {"after", set_text(after)}});
  if (const std::string facts = fact_table(before.facts, after.facts); !facts.empty()) {
    out += '\n' + facts;
  }
  if (!diff.image.empty()) out += '\n' + image_table(diff.image);
  if (!diff.signers.empty()) out += '\n' + signer_table(diff.signers);
  if (!diff.files.empty()) out += '\n' + file_table(diff);
  return out;
}

Json set_json(const GoldenSet& set) {
  return {{"name", set.name},
          {"source", set.source},
          {"files", set.files.size()},
          {"facts", Json(set.facts)}};
}

Json file_json(const GoldenFile* file) {
  if (file == nullptr) return nullptr;
  Json out;
  out["path"] = escape_bytes(file->path);
  out["digests"] = Json::array();
  for (const Digest& digest : file->digests) out["digests"].push_back(format_digest(digest));
  out["size"] = file->size;
  out["mode"] = format_mode(file->mode);
  if (file->uid) out["uid"] = *file->uid;
  if (file->gid) out["gid"] = *file->gid;
  if (file->kind != ContentKind::kUnknown) out["kind"] = content_kind_name(file->kind);
  if (file->layer) out["layer"] = *file->layer;
  return out;
}

Json escaped(const std::vector<std::string>& items) {
  Json out = Json::array();
  for (const std::string& item : items) out.push_back(escape_bytes(item));
  return out;
}

Json diff_json(const GoldenSet& before, const GoldenSet& after, const SetDifference& diff) {
  Json out;
  out["same"] = diff.empty();
  out["before"] = set_json(before);
  out["after"] = set_json(after);
  for (std::size_t i = 0; i < kFileChanges; ++i) {
    out["counts"][file_change_name(static_cast<FileChange>(i))] = diff.counts[i];
  }
  out["counts"]["unchanged"] = diff.unchanged;
  for (const NamedList& named : lists_of(diff.image)) {
    out["image"][named.all] = {{"removed", named.list->removed},
                               {"added", named.list->added},
                               {"reordered", named.list->reordered}};
  }
  out["signers"]["removed"] = escaped(diff.signers.removed);
  out["signers"]["added"] = escaped(diff.signers.added);
  out["files"] = Json::array();
  for (const FileDifference& file : diff.files) {
    out["files"].push_back({{"change", file_change_name(file.change)},
                            {"before", file_json(file.before)},
                            {"after", file_json(file.after)}});
  }
  return out;
}

}  // namespace

Exit diff_set_files(const std::string& before, const std::string& after, Format format) {
  const Result<SetFile> older = load_set_file(before);
  if (!older) return complain(older.error());
  const Result<SetFile> newer = load_set_file(after);
  if (!newer) return complain(newer.error());
  const SetDifference diff = diff_golden_sets(older->set, newer->set);
  print(format == Format::kJson ? format_json(diff_json(older->set, newer->set, diff))
                                : diff_text(older->set, newer->set, diff));
  return diff.empty() ? Exit::kOk : Exit::kRefused;
}

}  // namespace assay
