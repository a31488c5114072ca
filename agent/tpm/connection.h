// ESYS with owners and Results. For the .cc files of this room.
#pragma once

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>

#include <string>
#include <string_view>

#include "core/handle.h"
#include "core/result.h"

namespace assay::agent {

void close_tcti(TSS2_TCTI_CONTEXT* context);
void close_esys(ESYS_CONTEXT* context);

using Tcti = Handle<TSS2_TCTI_CONTEXT, close_tcti>;
using Esys = Handle<ESYS_CONTEXT, close_esys>;
template <typename T>
using Owned = Handle<T, Esys_Free>;

std::string hex(std::uint32_t handle);  // "0x81010a55"

// Format-one codes carry the number of the handle, session or parameter that they are about.
bool is_format_one(TSS2_RC rc, TSS2_RC code);

// What a command's code means. Fails with kTpmUnavailable, kUnavailable when the TPM is busy, or
// kTpmFailed.
Status check(TSS2_RC rc, std::string_view command);

// The connection to a TPM for one operation.
class Connection {
 public:
  // Fails with kTpmUnavailable.
  static Result<Connection> open(const std::string& tcti);

  ESYS_CONTEXT* get() const { return esys_.get(); }

 private:
  Tcti tcti_;  // outlives esys_
  Esys esys_;
};

// An object in the TPM as ESYS knows it.
class Object {
 public:
  enum class Kind : std::uint8_t { kTransient, kPersistent };
  Object(const Connection& tpm, ESYS_TR handle, Kind kind)
      : tpm_(tpm.get()), handle_(handle), kind_(kind) {}
  Object(Object&& other) noexcept
      : tpm_(other.tpm_), handle_(std::exchange(other.handle_, ESYS_TR_NONE)), kind_(other.kind_) {}
  Object& operator=(Object&&) = delete;
  // A transient object is taken out of the TPM; of a persistent one only our reference goes.
  ~Object() {
    if (handle_ == ESYS_TR_NONE) return;
    if (kind_ == Kind::kTransient) {
      Esys_FlushContext(tpm_, handle_);
    } else {
      Esys_TR_Close(tpm_, &handle_);
    }
  }

  ESYS_TR get() const { return handle_; }

 private:
  ESYS_CONTEXT* tpm_;
  ESYS_TR handle_;
  Kind kind_;
};

template <typename T>
Result<Bytes> marshalled(const T& value,
                         TSS2_RC (*marshal)(const T*, std::uint8_t*, std::size_t, std::size_t*)) {
  Bytes out(sizeof value);  // no TPM structure is longer on the wire than in memory
  std::size_t size = 0;
  ASSAY_OK(check(marshal(&value, out.data(), out.size(), &size), "marshalling"));
  out.resize(size);
  return out;
}

}  // namespace assay::agent
