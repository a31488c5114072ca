#include "agent/tpm.h"

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/ak_public.h"
#include "core/handle.h"
#include "core/text.h"

namespace assay::agent {
namespace {

constexpr int kQuoteTries = 8;
constexpr std::string_view kDevicePrefix = "device:";

// noDA: a power cut that catches the TPM at work counts as a failed authorisation of keys without
// it, and a few of them lock the key (TPM 2.0 Library, Part 1, 19.8).
constexpr TPMA_OBJECT kAkAttributes =
    TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT;

void close_tcti(TSS2_TCTI_CONTEXT* context) {
  Tss2_TctiLdr_Finalize(&context);
}
void close_esys(ESYS_CONTEXT* context) {
  Esys_Finalize(&context);
}

using Tcti = Handle<TSS2_TCTI_CONTEXT, close_tcti>;
using Esys = Handle<ESYS_CONTEXT, close_esys>;
template <typename T>
using Owned = Handle<T, Esys_Free>;

std::string hex(std::uint32_t handle) {
  const std::uint8_t bytes[] = {
      static_cast<std::uint8_t>(handle >> 24), static_cast<std::uint8_t>(handle >> 16),
      static_cast<std::uint8_t>(handle >> 8), static_cast<std::uint8_t>(handle)};
  return "0x" + to_hex(bytes);
}

// Format-one codes carry the number of the handle, session or parameter that they are about.
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

// The connection to a TPM for one operation.
class Connection {
 public:
  static Result<Connection> open(const std::string& tcti) {
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

  ESYS_CONTEXT* get() const { return esys_.get(); }

 private:
  static std::string why_closed(const std::string& tcti, TSS2_RC rc) {
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

  Tcti tcti_;  // outlives esys_
  Esys esys_;
};

// An object in the TPM as ESYS knows it.
class Object {
 public:
  enum class Kind { kTransient, kPersistent };
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

TPM2B_PUBLIC ak_template(AkAlgorithm algorithm) {
  TPM2B_PUBLIC out = {};
  TPMT_PUBLIC& area = out.publicArea;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = kAkAttributes;
  if (algorithm == AkAlgorithm::kRsa2048) {
    area.type = TPM2_ALG_RSA;
    area.parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL;
    area.parameters.rsaDetail.scheme.scheme = TPM2_ALG_RSASSA;
    area.parameters.rsaDetail.scheme.details.rsassa.hashAlg = TPM2_ALG_SHA256;
    area.parameters.rsaDetail.keyBits = 2048;
    return out;
  }
  area.type = TPM2_ALG_ECC;
  area.parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
  area.parameters.eccDetail.scheme.scheme = TPM2_ALG_ECDSA;
  area.parameters.eccDetail.scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256;
  area.parameters.eccDetail.curveID = TPM2_ECC_NIST_P256;
  area.parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
  return out;
}

template <typename T>
Result<Bytes> marshalled(const T& value,
                         TSS2_RC (*marshal)(const T*, std::uint8_t*, std::size_t, std::size_t*)) {
  Bytes out(sizeof value);  // no TPM structure is longer on the wire than in memory
  std::size_t size = 0;
  ASSAY_OK(check(marshal(&value, out.data(), out.size(), &size), "marshalling"));
  out.resize(size);
  return out;
}

// The public area without what differs between two keys of one kind.
Result<Bytes> kind_of(TPMT_PUBLIC area) {
  area.unique = {};
  return marshalled(area, Tss2_MU_TPMT_PUBLIC_Marshal);
}

// A primary key's qualified name is its hierarchy's handle and its own name, hashed (TPM 2.0
// Library, Part 1, 26.5).
bool is_endorsement_primary(const TPM2B_NAME& name, const TPM2B_NAME& qualified) {
  static constexpr std::uint8_t kHierarchy[] = {0x40, 0x00, 0x00, 0x0b};  // TPM_RH_ENDORSEMENT
  static constexpr std::uint8_t kSha256[] = {0x00, 0x0b};                 // TPM_ALG_SHA256
  const Digest digest = Hasher(HashAlg::kSha256)({kHierarchy, ByteView(name.name, name.size)});
  Bytes expected(std::begin(kSha256), std::end(kSha256));
  expected.insert(expected.end(), digest.bytes().begin(), digest.bytes().end());
  return std::ranges::equal(expected, ByteView(qualified.name, qualified.size));
}

// The public part of `ak`, which has to be the kind of key that `settings` ask for.
Result<Bytes> checked_public(const Connection& tpm, const Object& ak, const AkSettings& settings) {
  TPM2B_PUBLIC* area = nullptr;
  TPM2B_NAME* name = nullptr;
  TPM2B_NAME* qualified = nullptr;
  const TSS2_RC rc = Esys_ReadPublic(tpm.get(), ak.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                     &area, &name, &qualified);
  const Owned<TPM2B_PUBLIC> area_owner(area);
  const Owned<TPM2B_NAME> name_owner(name);
  const Owned<TPM2B_NAME> qualified_owner(qualified);
  ASSAY_OK(check(rc, "TPM2_ReadPublic"));
  ASSAY_TRY(const Bytes found, kind_of(area->publicArea));
  ASSAY_TRY(const Bytes wanted, kind_of(ak_template(settings.algorithm).publicArea));
  ASSAY_TRY(Bytes out, marshalled(*area, Tss2_MU_TPM2B_PUBLIC_Marshal));
  if (found != wanted || !is_endorsement_primary(*name, *qualified) || !parse_ak_public(out)) {
    return fail(FaultId::kAlreadyExists,
                "the TPM's object at " + hex(settings.handle) +
                    " is not an attestation key of ak.algorithm: set another ak.handle, or, if "
                    "nothing else needs that object, remove it (tpm2_evictcontrol -c " +
                    hex(settings.handle) + ")");
  }
  return out;
}

// Nothing when there is no object at `handle`.
Result<std::optional<Object>> load_persistent(const Connection& tpm, TPM2_HANDLE handle) {
  ESYS_TR object = ESYS_TR_NONE;
  const TSS2_RC rc =
      Esys_TR_FromTPMPublic(tpm.get(), handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &object);
  if (is_format_one(rc, TPM2_RC_HANDLE)) return std::nullopt;
  ASSAY_OK(check(rc, "TPM2_ReadPublic"));
  return Object(tpm, object, Object::Kind::kPersistent);
}

// Makes the key and keeps it at the handle. Another process may have put one there since we looked:
// whatever is there now is for the caller to load and check.
Status make_ak(const Connection& tpm, const AkSettings& settings) {
  const TPM2B_PUBLIC area = ak_template(settings.algorithm);
  const TPM2B_SENSITIVE_CREATE sensitive = {};
  const TPM2B_DATA outside = {};
  const TPML_PCR_SELECTION creation_pcrs = {};
  ESYS_TR handle = ESYS_TR_NONE;
  ASSAY_OK(check(Esys_CreatePrimary(tpm.get(), ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD,
                                    ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &area, &outside,
                                    &creation_pcrs, &handle, nullptr, nullptr, nullptr, nullptr),
                 "TPM2_CreatePrimary of the attestation key"));
  const Object transient(tpm, handle, Object::Kind::kTransient);
  ESYS_TR handle_at_rest = ESYS_TR_NONE;
  const TSS2_RC rc =
      Esys_EvictControl(tpm.get(), ESYS_TR_RH_OWNER, transient.get(), ESYS_TR_PASSWORD,
                        ESYS_TR_NONE, ESYS_TR_NONE, settings.handle, &handle_at_rest);
  if (rc == TPM2_RC_NV_DEFINED) return {};
  ASSAY_OK(check(rc, "TPM2_EvictControl of the attestation key"));
  const Object kept(tpm, handle_at_rest, Object::Kind::kPersistent);
  return {};
}

struct Ak {
  Object object;
  Bytes encoded;  // TPM2B_PUBLIC
};

Result<Ak> load_or_make_ak(const Connection& tpm, const AkSettings& settings) {
  ASSAY_TRY(std::optional<Object> object, load_persistent(tpm, settings.handle));
  if (!object) {
    ASSAY_OK(make_ak(tpm, settings));
    ASSAY_TRY(std::optional<Object> kept, load_persistent(tpm, settings.handle));
    if (!kept) {
      return fail(FaultId::kUnavailable,
                  "the TPM's object at " + hex(settings.handle) +
                      " was removed as soon as it was made: end what does it");
    }
    object.emplace(*std::move(kept));
  }
  ASSAY_TRY(Bytes encoded, checked_public(tpm, *object, settings));
  return Ak{.object = *std::move(object), .encoded = std::move(encoded)};
}

TPM2_ALG_ID to_tpm(HashAlg alg) {
  switch (alg) {
    case HashAlg::kSha1:
      return TPM2_ALG_SHA1;
    case HashAlg::kSha256:
      return TPM2_ALG_SHA256;
    case HashAlg::kSha384:
      return TPM2_ALG_SHA384;
    case HashAlg::kSha512:
      return TPM2_ALG_SHA512;
  }
  return TPM2_ALG_NULL;
}

// Banks in the order of PcrSelection, so that the values come in the order of PcrValues.
TPML_PCR_SELECTION to_tpm(const PcrSelection& selection) {
  static_assert(std::size(kAllHashAlgs) <= TPM2_NUM_PCR_BANKS);
  TPML_PCR_SELECTION out = {};
  for (const PcrSlot& slot : selection) {
    const TPM2_ALG_ID bank = to_tpm(slot.bank);
    if (out.count == 0 || out.pcrSelections[out.count - 1].hash != bank) {
      out.pcrSelections[out.count++] = {.hash = bank, .sizeofSelect = 3, .pcrSelect = {}};
    }
    BYTE& bits = out.pcrSelections[out.count - 1].pcrSelect[slot.index.value() / 8];
    bits = static_cast<BYTE>(bits | 1U << slot.index.value() % 8);
  }
  return out;
}

bool selects(const TPML_PCR_SELECTION& list, PcrSlot slot) {
  const auto banks = std::span(list.pcrSelections).first(list.count);
  return std::ranges::any_of(banks, [&](const TPMS_PCR_SELECTION& bank) {
    return bank.hash == to_tpm(slot.bank) && slot.index.value() < bank.sizeofSelect * 8 &&
           (bank.pcrSelect[slot.index.value() / 8] >> slot.index.value() % 8 & 1) != 0;
  });
}

// A TPM answers with as many values as fit, eight at most, and says which ones they are.
Status read_some_pcrs(const Connection& tpm, PcrSelection& wanted, PcrValues& out) {
  const TPML_PCR_SELECTION asked = to_tpm(wanted);
  TPML_PCR_SELECTION* selected = nullptr;
  TPML_DIGEST* values = nullptr;
  const TSS2_RC rc = Esys_PCR_Read(tpm.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &asked,
                                   nullptr, &selected, &values);
  const Owned<TPML_PCR_SELECTION> selected_owner(selected);
  const Owned<TPML_DIGEST> values_owner(values);
  ASSAY_OK(check(rc, "TPM2_PCR_Read"));
  std::size_t taken = 0;
  for (const PcrSlot& slot : PcrSelection(wanted)) {
    if (taken == values->count || !selects(*selected, slot)) continue;
    const TPM2B_DIGEST& value = values->digests[taken++];
    const auto digest = Digest::from(slot.bank, ByteView(value.buffer, value.size));
    if (!digest) return fail(FaultId::kTpmFailed, "TPM2_PCR_Read: a value of the wrong size");
    out.emplace(slot, *digest);
    wanted.erase(slot);
  }
  if (taken > 0) return {};
  const PcrSlot& missing = *wanted.begin();
  return fail(FaultId::kTpmFailed, "the TPM has no " + std::string(hash_name(missing.bank)) +
                                       " PCR " + std::to_string(missing.index.value()) +
                                       ": allocate the bank (tpm2_pcrallocate), or have the "
                                       "verifier ask for another one");
}

Result<PcrValues> read_pcrs(const Connection& tpm, PcrSelection wanted) {
  PcrValues out;
  while (!wanted.empty()) ASSAY_OK(read_some_pcrs(tpm, wanted, out));
  return out;
}

struct SignedQuote {
  Bytes attest;
  Bytes signature;
  Bytes pcr_digest;  // what `attest` says of the PCRs
};

Result<SignedQuote> sign_quote(const Connection& tpm, const Object& ak, const Nonce& nonce,
                               const PcrSelection& selection) {
  TPM2B_DATA qualifying = {};
  qualifying.size = static_cast<UINT16>(nonce.bytes().size());
  std::ranges::copy(nonce.bytes(), qualifying.buffer);
  const TPMT_SIG_SCHEME keys_own = {.scheme = TPM2_ALG_NULL, .details = {}};
  const TPML_PCR_SELECTION pcrs = to_tpm(selection);
  TPM2B_ATTEST* attest = nullptr;
  TPMT_SIGNATURE* signature = nullptr;
  const TSS2_RC rc = Esys_Quote(tpm.get(), ak.get(), ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                &qualifying, &keys_own, &pcrs, &attest, &signature);
  const Owned<TPM2B_ATTEST> attest_owner(attest);
  const Owned<TPMT_SIGNATURE> signature_owner(signature);
  ASSAY_OK(check(rc, "TPM2_Quote"));
  TPMS_ATTEST parsed = {};
  std::size_t offset = 0;
  ASSAY_OK(
      check(Tss2_MU_TPMS_ATTEST_Unmarshal(attest->attestationData, attest->size, &offset, &parsed),
            "TPM2_Quote's TPMS_ATTEST"));
  ASSAY_TRY(Bytes signature_bytes, marshalled(*signature, Tss2_MU_TPMT_SIGNATURE_Marshal));
  const TPM2B_DIGEST& digest = parsed.attested.quote.pcrDigest;
  return SignedQuote{
      .attest = Bytes(attest->attestationData, attest->attestationData + attest->size),
      .signature = std::move(signature_bytes),
      .pcr_digest = Bytes(digest.buffer, digest.buffer + digest.size)};
}

// Fails with kUnavailable when the PCRs that were read are not those that were signed.
Result<UntrustedQuote> try_quote(const Connection& tpm, const Object& ak, const Nonce& nonce,
                                 const PcrSelection& selection) {
  ASSAY_TRY(SignedQuote quote, sign_quote(tpm, ak, nonce, selection));
  ASSAY_TRY(PcrValues values, read_pcrs(tpm, selection));
  Hasher hasher(HashAlg::kSha256);  // the hash of every ak_template()'s scheme
  hasher.start();
  for (const auto& [slot, value] : values) hasher.add(value.bytes());
  if (!std::ranges::equal(hasher.finish().bytes(), quote.pcr_digest)) {
    return fail(FaultId::kUnavailable, "the PCRs keep changing while they are quoted");
  }
  return UntrustedQuote{.attest = std::move(quote.attest),
                        .signature = std::move(quote.signature),
                        .pcrs = std::move(values)};
}

}  // namespace

Result<Tpm> Tpm::open(TpmSettings settings) {
  ASSAY_TRY(const Connection tpm, Connection::open(settings.tcti));
  ASSAY_TRY(Ak ak, load_or_make_ak(tpm, settings.ak));
  return Tpm(std::move(settings), std::move(ak.encoded));
}

Result<UntrustedQuote> Tpm::quote(const Nonce& nonce, const PcrSelection& selection) const {
  ASSAY_TRY(const Connection tpm, Connection::open(settings_.tcti));
  ASSAY_TRY(const Ak ak, load_or_make_ak(tpm, settings_.ak));
  if (ak.encoded != ak_public_) {
    return fail(FaultId::kTpmFailed,
                "the TPM was replaced or its endorsement seed changed, so it now makes another "
                "attestation key: restart assay-agent and enrol the node again");
  }
  Result<UntrustedQuote> out = try_quote(tpm, ak.object, nonce, selection);
  for (int tries = 1; tries < kQuoteTries; ++tries) {
    if (out || out.error().id != FaultId::kUnavailable) break;
    out = try_quote(tpm, ak.object, nonce, selection);
  }
  return out;
}

}  // namespace assay::agent
