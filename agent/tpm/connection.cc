#include "agent/tpm/connection.h"

#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/bytes.h"
#include "core/text.h"

namespace assay::agent {
namespace {

constexpr std::string_view kDevicePrefix = "device:";

std::string why_closed(const std::string& tcti, TSS2_RC rc) {
  const std::string name = "TPM " + escape_bytes(tcti) + ": ";
  if (!tcti.starts_with(kDevicePrefix)) {
    return name + Tss2_RC_Decode(rc) + ": start the software TPM, or set tcti";
  }
  const char* device = tcti.c_str() + kDevicePrefix.size();
  if (::access(device, R_OK | W_OK) == 0) {
    return name + Tss2_RC_Decode(rc) + ": the device does not answer as a TPM 2.0; set tcti";
  }
  if (errno == ENOENT) {
    return name +
           "no such device: enable the TPM 2.0 in the firmware, load its driver (modprobe "
           "tpm_tis "
           "or tpm_crb), or set tcti";
  }
  return name + std::strerror(errno) + ": run assay-agent as root or in the group tss";
}

}  // namespace

void close_tcti(TSS2_TCTI_CONTEXT* context) {
  Tss2_TctiLdr_Finalize(&context);
}
void close_esys(ESYS_CONTEXT* context) {
  Esys_Finalize(&context);
}

std::string hex(std::uint32_t handle) {
  const std::uint8_t bytes[] = {
      static_cast<std::uint8_t>(handle >> 24), static_cast<std::uint8_t>(handle >> 16),
      static_cast<std::uint8_t>(handle >> 8), static_cast<std::uint8_t>(handle)};
  return "0x" + to_hex(bytes);
}

bool is_format_one(TSS2_RC rc, TSS2_RC code) {
  constexpr TSS2_RC kFormatOneMask = 0xbf;  // TPM 2.0 Library, Part 2, 6.6.3
  return (rc & TSS2_RC_LAYER_MASK) == TSS2_TPM_RC_LAYER && (rc & TPM2_RC_FMT1) != 0 &&
         (rc & kFormatOneMask) == code;
}

Status check(TSS2_RC rc, std::string_view command) {
  if (rc == TSS2_RC_SUCCESS) return {};
  const std::string text = std::string(command) + ": " + Tss2_RC_Decode(rc);
  if ((rc & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER) {
    return fail(FaultId::kTpmUnavailable, text + ": the TPM does not answer");
  }
  // ESYS has tried each of these several times by itself.
  if (rc == TPM2_RC_RETRY || rc == TPM2_RC_YIELDED || rc == TPM2_RC_TESTING) {
    return fail(FaultId::kUnavailable, text + ": the TPM is busy");
  }
  if (is_format_one(rc, TPM2_RC_BAD_AUTH) || is_format_one(rc, TPM2_RC_AUTH_FAIL)) {
    return fail(FaultId::kTpmFailed,
                text +
                    ": a hierarchy has a password; make the key while the owner and endorsement "
                    "passwords are empty");
  }
  return fail(FaultId::kTpmFailed, text);
}

Result<Connection> Connection::open(const std::string& tcti) {
  TSS2_TCTI_CONTEXT* tcti_context = nullptr;
  const TSS2_RC rc = Tss2_TctiLdr_Initialize(tcti.c_str(), &tcti_context);
  if (rc != TSS2_RC_SUCCESS) return fail(FaultId::kTpmUnavailable, why_closed(tcti, rc));
  Connection out;
  out.tcti_.reset(tcti_context);
  ESYS_CONTEXT* esys = nullptr;
  ASSAY_OK(check(Esys_Initialize(&esys, tcti_context, nullptr), "Esys_Initialize"));
  out.esys_.reset(esys);
  return out;
}

}  // namespace assay::agent
