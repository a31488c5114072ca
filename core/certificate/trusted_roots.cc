#include "core/certificate/trusted_roots.h"

#include <openssl/err.h>

#include "core/certificate/chain.h"

namespace assay {

using openssl::X509Certificate;

namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{16} << 20;

Result<std::vector<X509Certificate>> read_file(ByteView bytes) {
  if (bytes.size() > kMaxFileBytes) return fail(FaultId::kConfigInvalid, "over 16 MiB");
  ByteView rest = bytes;
  std::vector<X509Certificate> out;
  out.push_back(take_certificate(rest));
  ERR_clear_error();
  if (out.back() != nullptr && rest.empty()) return out;
  auto pem = read_pem_certificates(bytes);
  if (!pem) return fail(FaultId::kConfigInvalid, "a PEM block that cannot be read");
  if (pem->empty()) return fail(FaultId::kConfigInvalid, "no certificate");
  return *std::move(pem);
}

}  // namespace

TrustedRoots::TrustedRoots() : store_(std::make_shared<const TrustStore>()) {}

std::string TrustedRoots::pem() const {
  return store_->roots_pem();
}

Result<TrustedRoots> parse_trusted_roots(const std::vector<Bytes>& files) {
  auto store = std::make_unique<TrustStore>();
  for (const Bytes& file : files) {
    ASSAY_TRY(auto read, read_file(file));
    for (X509Certificate& certificate : read) store->add(std::move(certificate));
  }
  TrustedRoots out;
  out.size_ = store->root_count();
  out.store_ = std::move(store);
  return out;
}

}  // namespace assay
