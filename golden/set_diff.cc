#include "golden/set_diff.h"

#include <algorithm>
#include <compare>
#include <optional>
#include <tuple>
#include <utility>

namespace assay {
namespace {

using Files = std::vector<const GoldenFile*>;

enum class Content : std::uint8_t { kSame, kOther, kUnknown };

Content compare_content(const GoldenFile& a, const GoldenFile& b) {
  Content out = Content::kUnknown;
  for (const Digest& left : a.digests) {
    for (const Digest& right : b.digests) {
      if (left.alg() != right.alg()) continue;
      if (left != right) return Content::kOther;
      out = Content::kSame;
    }
  }
  return out;
}

bool both_known_and_other(std::uint64_t a, std::uint64_t b) {
  return a != 0 && b != 0 && a != b;
}

bool both_known_and_other(std::optional<std::uint32_t> a, std::optional<std::uint32_t> b) {
  return a && b && *a != *b;
}

bool both_known_and_other(ContentKind a, ContentKind b) {
  return a != ContentKind::kUnknown && b != ContentKind::kUnknown && a != b;
}

// Which of a path, besides the content, two files must share to be paired.
enum class Share : std::uint8_t { kPath, kName, kNothing };

std::string_view shared_part(const GoldenFile& file, Share share) {
  const std::string_view path = file.path;
  if (share == Share::kPath) return path;
  if (share == Share::kNothing) return {};
  return path.substr(path.rfind('/') + 1);  // all of it when there is no slash
}

const Digest* digest_of_alg(const GoldenFile& file, HashAlg alg) {
  const auto it = std::ranges::find(file.digests, alg, &Digest::alg);
  return it == file.digests.end() ? nullptr : &*it;
}

struct Candidate {
  std::string_view part;
  const Digest* digest;
  const GoldenFile* file;

  std::strong_ordering compare(const Candidate& other) const {
    const auto parts = part <=> other.part;
    return parts != 0 ? parts : *digest <=> *other.digest;
  }
};

std::vector<Candidate> candidates(const Files& files, HashAlg alg, Share share) {
  std::vector<Candidate> out;
  for (const GoldenFile* file : files) {
    const Digest* digest = digest_of_alg(*file, alg);
    if (digest != nullptr) out.push_back({shared_part(*file, share), digest, file});
  }
  // Stable: what is equal here stays in the files' order, and equal sets are paired equally.
  std::ranges::stable_sort(out,
                           [](const Candidate& a, const Candidate& b) { return a.compare(b) < 0; });
  return out;
}

class Differ {
 public:
  Differ(const std::vector<GoldenFile>& before, const std::vector<GoldenFile>& after) {
    auto left = before.begin();
    auto right = after.begin();
    while (left != before.end() || right != after.end()) {
      if (right == after.end() || (left != before.end() && *left < *right)) {
        before_.push_back(&*left++);
      } else if (left == before.end() || *right < *left) {
        after_.push_back(&*right++);
      } else {
        ++out_.unchanged;
        ++left;
        ++right;
      }
    }
  }

  SetDifference run() && {
    pair_same_content(Share::kPath);
    pair_same_path();
    pair_same_content(Share::kName);
    pair_same_content(Share::kNothing);
    for (const GoldenFile* file : before_) take(FileChange::kRemoved, file, nullptr);
    for (const GoldenFile* file : after_) take(FileChange::kAdded, nullptr, file);
    std::ranges::sort(out_.files, [](const FileDifference& a, const FileDifference& b) {
      const GoldenFile& left = a.before != nullptr ? *a.before : *a.after;
      const GoldenFile& right = b.before != nullptr ? *b.before : *b.after;
      return std::tie(left.path, a.change, left) < std::tie(right.path, b.change, right);
    });
    return std::move(out_);
  }

 private:
  void take(FileChange change, const GoldenFile* before, const GoldenFile* after) {
    out_.files.push_back({change, before, after});
    ++out_.counts[static_cast<std::size_t>(change)];
  }

  // Two files of one content.
  void take_same(const GoldenFile& before, const GoldenFile& after) {
    if (before.path != after.path) return take(FileChange::kMoved, &before, &after);
    if (both_known_and_other(before.mode, after.mode)) {
      return take(FileChange::kMode, &before, &after);
    }
    if (both_known_and_other(before.uid, after.uid) ||
        both_known_and_other(before.gid, after.gid)) {
      return take(FileChange::kOwner, &before, &after);
    }
    const bool same_algorithms = before.digests == after.digests;
    if (!same_algorithms || both_known_and_other(before.size, after.size) ||
        both_known_and_other(before.kind, after.kind)) {
      return take(FileChange::kRecord, &before, &after);
    }
    ++out_.unchanged;
  }

  // The strongest algorithm first. One walk over sorted lists, so that a set of equal files costs no
  // more than another.
  void pair_same_content(Share share) {
    for (std::size_t i = std::size(kAllHashAlgs); i-- > 0 && !before_.empty() && !after_.empty();) {
      const auto left = candidates(before_, kAllHashAlgs[i], share);
      const auto right = candidates(after_, kAllHashAlgs[i], share);
      Files paired;
      for (std::size_t l = 0, r = 0; l < left.size() && r < right.size();) {
        const auto order = left[l].compare(right[r]);
        // Equal here and different in a weaker digest: one of the sets is wrong, and they are no pair.
        if (order == 0 && compare_content(*left[l].file, *right[r].file) == Content::kSame) {
          take_same(*left[l].file, *right[r].file);
          paired.insert(paired.end(), {left[l].file, right[r].file});
        }
        if (order <= 0) ++l;
        if (order >= 0) ++r;
      }
      forget(std::move(paired));
    }
  }

  // What is left of a path, where that is one content on both sides.
  void pair_same_path() {
    Files paired;
    for (std::size_t l = 0, r = 0; l < before_.size() && r < after_.size();) {
      const std::string& path = std::min(before_[l]->path, after_[r]->path);
      const std::size_t lefts = run_of(before_, l, path);
      const std::size_t rights = run_of(after_, r, path);
      if (lefts == 1 && rights == 1) {
        const bool known = compare_content(*before_[l], *after_[r]) != Content::kUnknown;
        take(known ? FileChange::kContent : FileChange::kIncomparable, before_[l], after_[r]);
        paired.insert(paired.end(), {before_[l], after_[r]});
      }
      l += lefts;
      r += rights;
    }
    forget(std::move(paired));
  }

  // How many files from `at` on have this path.
  static std::size_t run_of(const Files& files, std::size_t at, const std::string& path) {
    std::size_t end = at;
    while (end < files.size() && files[end]->path == path) ++end;
    return end - at;
  }

  void forget(Files paired) {
    std::ranges::sort(paired);
    const auto is_paired = [&](const GoldenFile* file) {
      return std::ranges::binary_search(paired, file);
    };
    std::erase_if(before_, is_paired);
    std::erase_if(after_, is_paired);
  }

  Files before_;  // not paired yet, ascending
  Files after_;
  SetDifference out_;
};

// What `list` has more than `other`, which has at most kMaxSetImageItems, as `list` has not.
std::vector<std::string> missing_from(std::vector<std::string> other,
                                      const std::vector<std::string>& list) {
  std::vector<std::string> out;
  for (const std::string& item : list) {
    const auto it = std::ranges::find(other, item);
    if (it == other.end()) {
      out.push_back(item);
    } else {
      other.erase(it);
    }
  }
  return out;
}

ListDifference diff_lists(const std::vector<std::string>& before,
                          const std::vector<std::string>& after) {
  ListDifference out{.removed = missing_from(after, before), .added = missing_from(before, after)};
  out.reordered = out.removed.empty() && out.added.empty() && before != after;
  return out;
}

std::vector<std::string> texts(const std::vector<Digest>& digests) {
  std::vector<std::string> out;
  out.reserve(digests.size());
  for (const Digest& digest : digests) out.push_back(format_digest(digest));
  return out;
}

std::vector<std::string> texts(const std::vector<GoldenSigner>& signers) {
  std::vector<std::string> out;
  out.reserve(signers.size());
  for (const GoldenSigner& signer : signers) {
    out.push_back(format_digest(signer.key.fingerprint()) + " " + signer.name);
  }
  return out;
}

ImageDifference diff_images(const GoldenImage& before, const GoldenImage& after) {
  return {.names = diff_lists(before.names, after.names),
          .digests = diff_lists(texts(before.digests), texts(after.digests)),
          .layers = diff_lists(texts(before.layers), texts(after.layers))};
}

}  // namespace

std::string_view file_change_name(FileChange change) {
  switch (change) {
    case FileChange::kAdded:
      return "added";
    case FileChange::kRemoved:
      return "removed";
    case FileChange::kMoved:
      return "moved";
    case FileChange::kContent:
      return "content";
    case FileChange::kMode:
      return "mode";
    case FileChange::kOwner:
      return "owner";
    case FileChange::kRecord:
      return "record";
    case FileChange::kIncomparable:
      return "incomparable";
  }
  return "";
}

SetDifference diff_golden_sets(const GoldenSet& before, const GoldenSet& after) {
  // By name, so that a member that a set gains later does not compile before it is compared here.
  const auto& [old_name, old_source, old_files, old_image, old_signers, old_facts] = before;
  const auto& [new_name, new_source, new_files, new_image, new_signers, new_facts] = after;
  SetDifference out = Differ(old_files, new_files).run();
  out.signers = diff_lists(texts(old_signers), texts(new_signers));
  out.image = diff_images(old_image.value_or(GoldenImage{}), new_image.value_or(GoldenImage{}));
  return out;
}

}  // namespace assay
