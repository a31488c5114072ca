// A vendor, a TPM that it certified, and the verification of that: what the tests of endorsement
// certificates share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/software_ek.h"
#include "tests/support/vendor.h"

namespace assay::testing {

using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year;

inline constexpr sys_seconds kNow = sys_days(year(2026) / 12 / 1);
inline constexpr sys_seconds kPast = sys_days(year(2026) / 6 / 1);
inline constexpr sys_seconds kFuture = sys_days(year(2027) / 6 / 1);

// One vendor and one TPM for all tests: making RSA keys takes a while.
inline const Vendor& vendor() {
  static const Vendor kVendor;
  return kVendor;
}

inline const SoftwareEk& tpm() {
  static const SoftwareEk kTpm({"RSA-2048"});
  return kTpm;
}

// What the node sends beside its certificate.
inline std::vector<Bytes> sent() {
  return {vendor().lower(), vendor().upper()};
}

inline Result<EndorsedEk> verify(const Bytes& certificate, const std::vector<Bytes>& chain) {
  return verify_ek_certificate({certificate, chain}, tpm().ek(), vendor().roots(), kNow);
}

// Certifies the TPM's key by a plan that `edit` has been at, and verifies that.
inline Result<EndorsedEk> verify_edited(const std::function<void(CertificatePlan&)>& edit) {
  return verify(vendor().certify(tpm().key(), edit), sent());
}

// "" when it is accepted.
inline std::string_view reason(const Result<EndorsedEk>& got) {
  return got ? "" : fault_name(got.error().id);
}

inline void remove_extension(CertificatePlan& plan, std::string_view name) {
  std::erase_if(plan.extensions, [&](const auto& extension) { return extension.first == name; });
}

inline void set_extension(CertificatePlan& plan, const std::string& name,
                          const std::string& value) {
  remove_extension(plan, name);
  plan.extensions.emplace_back(name, value);
}

inline Bytes joined(std::initializer_list<ByteView> parts) {
  Bytes out;
  for (const ByteView part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

inline Bytes flipped_last(Bytes bytes) {
  bytes.back() ^= 1;
  return bytes;
}

}  // namespace assay::testing
