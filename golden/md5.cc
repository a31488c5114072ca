#include "golden/md5.h"

#include <utility>

#include "core/openssl.h"
#include "core/result.h"

namespace assay {
namespace {

// "-fips": a machine whose OpenSSL offers approved algorithms first still has this one, for sums.
const EVP_MD* fetched() {
  static const openssl::EvpMd kMd(EVP_MD_fetch(nullptr, "MD5", "-fips"));
  return kMd.get();
}

EVP_MD_CTX* md_context(void* context) {
  return static_cast<EVP_MD_CTX*>(context);
}

}  // namespace

bool Md5Hasher::available() {
  return fetched() != nullptr;
}

Md5Hasher::Md5Hasher() : context_(EVP_MD_CTX_new()) {
  ASSAY_CHECK(context_ != nullptr && available());
}

Md5Hasher::~Md5Hasher() {
  EVP_MD_CTX_free(md_context(context_));
}

Md5Hasher::Md5Hasher(Md5Hasher&& other) noexcept
    : context_(std::exchange(other.context_, nullptr)) {}

Md5Hasher& Md5Hasher::operator=(Md5Hasher&& other) noexcept {
  std::swap(context_, other.context_);
  return *this;
}

void Md5Hasher::start() {
  ASSAY_CHECK(EVP_DigestInit_ex2(md_context(context_), fetched(), nullptr) == 1);
}

void Md5Hasher::add(ByteView data) {
  ASSAY_CHECK(EVP_DigestUpdate(md_context(context_), data.data(), data.size()) == 1);
}

Md5 Md5Hasher::finish() {
  Md5 out{};
  unsigned size = 0;
  ASSAY_CHECK(EVP_DigestFinal_ex(md_context(context_), out.data(), &size) == 1);
  ASSAY_CHECK(size == out.size());
  return out;
}

}  // namespace assay
