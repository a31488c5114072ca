#include "core/digest.h"

#include <algorithm>
#include <utility>

#include "core/openssl.h"
#include "core/result.h"

namespace assay {
namespace {

// Fetched once: EVP_DigestInit with a fetched algorithm does not search the providers again.
const EVP_MD* fetched(HashAlg alg) {
  static const openssl::EvpMd kMds[] = {
      openssl::EvpMd(EVP_MD_fetch(nullptr, "SHA1", nullptr)),
      openssl::EvpMd(EVP_MD_fetch(nullptr, "SHA256", nullptr)),
      openssl::EvpMd(EVP_MD_fetch(nullptr, "SHA384", nullptr)),
      openssl::EvpMd(EVP_MD_fetch(nullptr, "SHA512", nullptr)),
  };
  return kMds[static_cast<std::size_t>(alg)].get();
}

EVP_MD_CTX* md_context(void* context) {
  return static_cast<EVP_MD_CTX*>(context);
}

}  // namespace

std::string_view hash_name(HashAlg alg) {
  switch (alg) {
    case HashAlg::kSha1:
      return "sha1";
    case HashAlg::kSha256:
      return "sha256";
    case HashAlg::kSha384:
      return "sha384";
    case HashAlg::kSha512:
      return "sha512";
  }
  return "";
}

std::optional<HashAlg> hash_by_name(std::string_view name) {
  for (const HashAlg alg : kAllHashAlgs) {
    if (hash_name(alg) == name) return alg;
  }
  return std::nullopt;
}

std::string format_digest(const Digest& digest) {
  return std::string(hash_name(digest.alg())) + ":" + to_hex(digest.bytes());
}

std::optional<Digest> parse_digest(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto alg = hash_by_name(text.substr(0, colon));
  const auto bytes = from_hex(text.substr(colon + 1));
  if (!alg || !bytes) return std::nullopt;
  return Digest::from(*alg, *bytes);
}

// OpenSSL's digests fail only when it cannot allocate or lacks the algorithm: neither is
// survivable, so every call here is an ASSAY_CHECK.
Hasher::Hasher(HashAlg alg) : alg_(alg), context_(EVP_MD_CTX_new()) {
  ASSAY_CHECK(context_ != nullptr && fetched(alg) != nullptr);
  ASSAY_CHECK(EVP_DigestInit_ex2(md_context(context_), fetched(alg), nullptr) == 1);
}

Hasher::~Hasher() {
  EVP_MD_CTX_free(md_context(context_));
}

Hasher::Hasher(Hasher&& other) noexcept
    : alg_(other.alg_), context_(std::exchange(other.context_, nullptr)) {}

Hasher& Hasher::operator=(Hasher&& other) noexcept {
  std::swap(alg_, other.alg_);
  std::swap(context_, other.context_);
  return *this;
}

Digest Hasher::operator()(std::initializer_list<ByteView> parts) {
  start();
  for (const ByteView part : parts) add(part);
  return finish();
}

void Hasher::start() {
  // Without an algorithm: the one that it has, and no new context for it.
  ASSAY_CHECK(EVP_DigestInit_ex2(md_context(context_), nullptr, nullptr) == 1);
}

void Hasher::add(ByteView data) {
  ASSAY_CHECK(EVP_DigestUpdate(md_context(context_), data.data(), data.size()) == 1);
}

Digest Hasher::finish() {
  Digest out(alg_);
  unsigned size = 0;
  ASSAY_CHECK(EVP_DigestFinal_ex(md_context(context_), out.bytes_.data(), &size) == 1);
  ASSAY_CHECK(size == hash_size(alg_));
  return out;
}

Digest hash(HashAlg alg, ByteView data) {
  return Hasher(alg)(data);
}

Digest extend(Hasher& hasher, const Digest& pcr, const Digest& value) {
  ASSAY_CHECK(hasher.alg() == pcr.alg() && pcr.alg() == value.alg());
  // Side by side: one call of OpenSSL is faster than two.
  std::array<std::uint8_t, 2 * kMaxHashSize> both;
  const std::size_t size = hash_size(pcr.alg());
  std::memcpy(both.data(), pcr.bytes().data(), size);
  std::memcpy(both.data() + size, value.bytes().data(), size);
  return hasher(ByteView(both).first(2 * size));
}

}  // namespace assay
