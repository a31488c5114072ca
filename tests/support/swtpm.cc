#include "tests/support/swtpm.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/handle.h"
#include "core/ima_log.h"

namespace assay::testing {
namespace {

void require(TSS2_RC rc, const char* what) {
  if (rc == TSS2_RC_SUCCESS) return;
  std::fprintf(stderr, "swtpm: %s: 0x%x\n", what, rc);
  std::abort();
}

// A connection for one command.
class Connection {
 public:
  explicit Connection(const Swtpm& tpm) {
    require(Tss2_TctiLdr_Initialize(tpm.tcti().c_str(), &tcti_), "connect");
    require(Esys_Initialize(&esys_, tcti_, nullptr), "Esys_Initialize");
  }
  ~Connection() {
    Esys_Finalize(&esys_);
    Tss2_TctiLdr_Finalize(&tcti_);
  }
  Connection(Connection&&) = delete;
  ESYS_CONTEXT* get() { return esys_; }

 private:
  TSS2_TCTI_CONTEXT* tcti_ = nullptr;
  ESYS_CONTEXT* esys_ = nullptr;
};

TPM2_ALG_ID to_tpm(HashAlg alg) {
  static constexpr TPM2_ALG_ID kIds[] = {TPM2_ALG_SHA1, TPM2_ALG_SHA256, TPM2_ALG_SHA384,
                                         TPM2_ALG_SHA512};
  return kIds[static_cast<std::size_t>(alg)];
}

TPMT_HA to_tpm(const Digest& digest) {
  TPMT_HA out = {};
  out.hashAlg = to_tpm(digest.alg());
  std::ranges::copy(digest.bytes(), out.digest.sha512);
  return out;
}

bool accepts(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path, address.sun_path);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool out = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return out;
}

}  // namespace

Swtpm::Swtpm() : socket_((dir_ / "tpm").string()) {
  start();
}

void Swtpm::start() {
  process_.emplace(ChildProcess::Options{
      .argv = {"swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + dir_.path().string(), "--server",
               "type=unixio,path=" + socket_, "--ctrl", "type=unixio,path=" + socket_ + ".ctrl",
               "--flags", "not-need-init,startup-clear"},
      .output = dir_ / "log"});
  if (eventually([this] { return !process_->running() || accepts(socket_); }) &&
      process_->running()) {
    return;
  }
  std::fprintf(stderr, "swtpm does not start (is it installed?):\n%s\n",
               read_file(dir_ / "log").c_str());
  std::abort();
}

void Swtpm::stop() {
  process_.reset();
  std::filesystem::remove(socket_);
  std::filesystem::remove(socket_ + ".ctrl");
}

void Swtpm::restart() {
  stop();
  start();
}

void Swtpm::keep_banks(const std::vector<HashAlg>& banks) {
  TPML_PCR_SELECTION wanted = {};
  for (const HashAlg alg : kAllHashAlgs) {
    TPMS_PCR_SELECTION& bank = wanted.pcrSelections[wanted.count++];
    bank = {.hash = to_tpm(alg), .sizeofSelect = 3, .pcrSelect = {}};
    if (std::ranges::find(banks, alg) != banks.end()) std::fill_n(bank.pcrSelect, 3, BYTE{0xff});
  }
  TPMI_YES_NO done = TPM2_NO;
  std::uint32_t max_pcr = 0;
  std::uint32_t size_needed = 0;
  std::uint32_t size_available = 0;
  {
    Connection tpm(*this);
    require(
        Esys_PCR_Allocate(tpm.get(), ESYS_TR_RH_PLATFORM, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                          ESYS_TR_NONE, &wanted, &done, &max_pcr, &size_needed, &size_available),
        "TPM2_PCR_Allocate");
  }
  if (done != TPM2_YES) require(1, "TPM2_PCR_Allocate has no room");
  restart();
}

void Swtpm::extend(PcrIndex pcr, const std::vector<Digest>& digests) const {
  TPML_DIGEST_VALUES values = {};
  for (const Digest& digest : digests) values.digests[values.count++] = to_tpm(digest);
  Connection tpm(*this);
  require(Esys_PCR_Extend(tpm.get(), ESYS_TR{pcr.value()}, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                          ESYS_TR_NONE, &values),
          "TPM2_PCR_Extend");
}

void Swtpm::measure(ByteView log) const {
  std::vector<Hasher> hashers;
  for (const HashAlg alg : kAllHashAlgs) hashers.emplace_back(alg);
  for (ImaLogReader reader(log); !reader.at_end();) {
    const Result<ImaEntry> entry = reader.next();
    if (!entry) require(1, format_fault(entry.error()).c_str());
    std::vector<Digest> digests;
    for (Hasher& hasher : hashers) digests.push_back(template_digest(*entry, hasher));
    extend(entry->pcr, digests);
  }
}

void Swtpm::clear() const {
  Connection tpm(*this);
  require(Esys_Clear(tpm.get(), ESYS_TR_RH_LOCKOUT, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE),
          "TPM2_Clear");
}

void Swtpm::write_nv(std::uint32_t index, ByteView content) const {
  constexpr std::size_t kPart = 512;
  const TPM2B_AUTH no_password = {};
  TPM2B_NV_PUBLIC area = {};
  area.nvPublic.nvIndex = index;
  area.nvPublic.nameAlg = TPM2_ALG_SHA256;
  area.nvPublic.attributes = TPMA_NV_PPWRITE | TPMA_NV_PPREAD | TPMA_NV_OWNERREAD |
                             TPMA_NV_AUTHREAD | TPMA_NV_NO_DA | TPMA_NV_PLATFORMCREATE;
  area.nvPublic.dataSize = static_cast<std::uint16_t>(content.size());
  Connection tpm(*this);
  ESYS_TR handle = ESYS_TR_NONE;
  require(Esys_NV_DefineSpace(tpm.get(), ESYS_TR_RH_PLATFORM, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                              ESYS_TR_NONE, &no_password, &area, &handle),
          "TPM2_NV_DefineSpace");
  for (std::size_t at = 0; at < content.size(); at += kPart) {
    const ByteView part = content.subspan(at, std::min(kPart, content.size() - at));
    TPM2B_MAX_NV_BUFFER data = {};
    data.size = static_cast<std::uint16_t>(part.size());
    std::ranges::copy(part, data.buffer);
    require(Esys_NV_Write(tpm.get(), ESYS_TR_RH_PLATFORM, handle, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                          ESYS_TR_NONE, &data, static_cast<std::uint16_t>(at)),
            "TPM2_NV_Write");
  }
  Esys_TR_Close(tpm.get(), &handle);
}

void Swtpm::set_owner_password() const {
  static constexpr std::string_view kPassword = "secret";
  TPM2B_AUTH password = {};
  password.size = kPassword.size();
  std::ranges::copy(kPassword, password.buffer);
  Connection tpm(*this);
  require(Esys_HierarchyChangeAuth(tpm.get(), ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                   ESYS_TR_NONE, &password),
          "TPM2_HierarchyChangeAuth");
}

void Swtpm::plant_owner_key(ByteView like, std::uint32_t handle) const {
  TPM2B_PUBLIC area = {};
  std::size_t offset = 0;
  require(Tss2_MU_TPM2B_PUBLIC_Unmarshal(like.data(), like.size(), &offset, &area), "public area");
  area.publicArea.unique = {};
  const TPM2B_SENSITIVE_CREATE sensitive = {};
  const TPM2B_DATA outside = {};
  const TPML_PCR_SELECTION none = {};
  Connection tpm(*this);
  ESYS_TR key = ESYS_TR_NONE;
  ESYS_TR persistent = ESYS_TR_NONE;
  require(Esys_CreatePrimary(tpm.get(), ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                             ESYS_TR_NONE, &sensitive, &area, &outside, &none, &key, nullptr,
                             nullptr, nullptr, nullptr),
          "TPM2_CreatePrimary");
  require(Esys_EvictControl(tpm.get(), ESYS_TR_RH_OWNER, key, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                            ESYS_TR_NONE, handle, &persistent),
          "TPM2_EvictControl");
  require(Esys_FlushContext(tpm.get(), key), "TPM2_FlushContext");
}

void Swtpm::evict(std::uint32_t handle) const {
  Connection tpm(*this);
  ESYS_TR object = ESYS_TR_NONE;
  ESYS_TR gone = ESYS_TR_NONE;
  require(
      Esys_TR_FromTPMPublic(tpm.get(), handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &object),
      "TPM2_ReadPublic");
  require(Esys_EvictControl(tpm.get(), ESYS_TR_RH_OWNER, object, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                            ESYS_TR_NONE, handle, &gone),
          "TPM2_EvictControl");
}

std::size_t Swtpm::transient_objects() const {
  Connection tpm(*this);
  TPMS_CAPABILITY_DATA* found = nullptr;
  require(Esys_GetCapability(tpm.get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES,
                             TPM2_TRANSIENT_FIRST, TPM2_MAX_CAP_HANDLES, nullptr, &found),
          "TPM2_GetCapability");
  const Handle<TPMS_CAPABILITY_DATA, Esys_Free> owner(found);
  return found->data.handles.count;
}

}  // namespace assay::testing
