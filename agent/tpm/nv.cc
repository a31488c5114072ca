#include "agent/tpm/nv.h"

#include <algorithm>

namespace assay::agent {
namespace {

// Every TPM gives so much at once (TPM 2.0 Library, Part 2, 6.13: TPM_PT_NV_BUFFER_MAX).
constexpr std::uint16_t kChunkBytes = 512;

class NvIndex {
 public:
  NvIndex(const Connection& tpm, ESYS_TR handle) : tpm_(tpm.get()), handle_(handle) {}
  ~NvIndex() { Esys_TR_Close(tpm_, &handle_); }
  NvIndex(NvIndex&&) = delete;
  ESYS_TR get() const { return handle_; }

 private:
  ESYS_CONTEXT* tpm_;
  ESYS_TR handle_;
};

Result<TPMS_NV_PUBLIC> read_public(const Connection& tpm, const NvIndex& index) {
  TPM2B_NV_PUBLIC* area = nullptr;
  const TSS2_RC rc = Esys_NV_ReadPublic(tpm.get(), index.get(), ESYS_TR_NONE, ESYS_TR_NONE,
                                        ESYS_TR_NONE, &area, nullptr);
  const Owned<TPM2B_NV_PUBLIC> owner(area);
  ASSAY_OK(check(rc, "TPM2_NV_ReadPublic"));
  return area->nvPublic;
}

// Who may read it without a secret: whoever has the index's own empty password, or the owner's.
std::optional<ESYS_TR> reader_of(const TPMS_NV_PUBLIC& area, const NvIndex& index) {
  if ((area.attributes & TPMA_NV_WRITTEN) == 0) return std::nullopt;
  if ((area.attributes & TPMA_NV_AUTHREAD) != 0) return index.get();
  if ((area.attributes & TPMA_NV_OWNERREAD) != 0) return ESYS_TR_RH_OWNER;
  return std::nullopt;
}

Status read_chunk(const Connection& tpm, ESYS_TR reader, const NvIndex& index, std::uint16_t size,
                  Bytes& out) {
  TPM2B_MAX_NV_BUFFER* data = nullptr;
  const auto offset = static_cast<std::uint16_t>(out.size());
  const auto wanted =
      std::min<std::uint16_t>(kChunkBytes, static_cast<std::uint16_t>(size - offset));
  const TSS2_RC rc = Esys_NV_Read(tpm.get(), reader, index.get(), ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                  ESYS_TR_NONE, wanted, offset, &data);
  const Owned<TPM2B_MAX_NV_BUFFER> owner(data);
  ASSAY_OK(check(rc, "TPM2_NV_Read"));
  if (data->size != wanted) return fail(FaultId::kTpmFailed, "TPM2_NV_Read: a part is missing");
  out.insert(out.end(), data->buffer, data->buffer + data->size);
  return {};
}

}  // namespace

Result<std::optional<Bytes>> read_nv(const Connection& tpm, std::uint32_t index) {
  ESYS_TR handle = ESYS_TR_NONE;
  const TSS2_RC rc =
      Esys_TR_FromTPMPublic(tpm.get(), index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &handle);
  if (is_format_one(rc, TPM2_RC_HANDLE)) return std::nullopt;
  ASSAY_OK(check(rc, "TPM2_NV_ReadPublic"));
  const NvIndex object(tpm, handle);
  ASSAY_TRY(const TPMS_NV_PUBLIC area, read_public(tpm, object));
  const auto reader = reader_of(area, object);
  if (!reader) return std::nullopt;
  if (area.dataSize > kMaxNvBytes) {
    return fail(FaultId::kTpmFailed, "the TPM's NV index " + hex(index) + " has over 8 KiB");
  }
  Bytes out;
  while (out.size() < area.dataSize) {
    ASSAY_OK(read_chunk(tpm, *reader, object, area.dataSize, out));
  }
  return out;
}

Result<std::vector<std::uint32_t>> list_nv(const Connection& tpm, std::uint32_t first,
                                           std::uint32_t last) {
  TPMS_CAPABILITY_DATA* found = nullptr;
  const TSS2_RC rc =
      Esys_GetCapability(tpm.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES,
                         first, TPM2_MAX_CAP_HANDLES, nullptr, &found);
  const Owned<TPMS_CAPABILITY_DATA> owner(found);
  ASSAY_OK(check(rc, "TPM2_GetCapability of the NV indices"));
  std::vector<std::uint32_t> out;
  for (std::uint32_t i = 0; i < found->data.handles.count; ++i) {
    const std::uint32_t index = found->data.handles.handle[i];
    if (index >= first && index <= last) out.push_back(index);
  }
  return out;
}

}  // namespace assay::agent
