#include "core/golden_set.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "core/result.h"

namespace assay {

GoldenSnapshot::SetIndex GoldenSnapshot::Builder::add_set(std::string name) {
  names_.push_back(std::move(name));
  return static_cast<SetIndex>(names_.size() - 1);
}

void GoldenSnapshot::Builder::add(SetIndex set, const Digest& digest) {
  ASSAY_CHECK(set < names_.size());
  pairs_.push_back({digest, set});
}

void GoldenSnapshot::Builder::add_signer(SetIndex set, FileSigner key) {
  ASSAY_CHECK(set < names_.size());
  signers_.push_back({std::move(key), set});
}

GoldenSnapshot GoldenSnapshot::Builder::build() && {
  std::ranges::sort(pairs_);
  pairs_.erase(std::unique(pairs_.begin(), pairs_.end()), pairs_.end());
  ASSAY_CHECK(pairs_.size() < std::numeric_limits<std::uint32_t>::max());

  GoldenSnapshot out;
  out.names_ = std::move(names_);
  out.signers_ = std::move(signers_);
  for (const Pair& pair : pairs_) {
    if (out.digests_.empty() || out.digests_.back() != pair.digest) {
      out.digests_.push_back(pair.digest);
      out.first_set_.push_back(static_cast<std::uint32_t>(out.sets_.size()));
    }
    out.sets_.push_back(pair.set);
  }
  out.first_set_.push_back(static_cast<std::uint32_t>(out.sets_.size()));
  out.slots_.assign(std::bit_ceil(out.digests_.size() * 2 + 1), 0);
  for (std::size_t i = 0; i < out.digests_.size(); ++i) {
    std::size_t slot = out.home(out.digests_[i]);
    while (out.slots_[slot] != 0) slot = (slot + 1) & (out.slots_.size() - 1);
    out.slots_[slot] = static_cast<std::uint32_t>(i + 1);
  }
  return out;
}

// Digests are as good as random: their first bytes are the hash.
std::size_t GoldenSnapshot::home(const Digest& digest) const {
  std::uint64_t first = 0;
  std::memcpy(&first, digest.bytes().data(), sizeof first);
  return first & (slots_.size() - 1);
}

std::span<const GoldenSnapshot::SetIndex> GoldenSnapshot::find(const Digest& digest) const {
  if (slots_.empty()) return {};
  for (std::size_t slot = home(digest); slots_[slot] != 0;
       slot = (slot + 1) & (slots_.size() - 1)) {
    const std::size_t i = slots_[slot] - 1;
    if (digests_[i] == digest) {
      return std::span(sets_).subspan(first_set_[i], first_set_[i + 1] - first_set_[i]);
    }
  }
  return {};
}

}  // namespace assay
