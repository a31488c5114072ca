#include "agent/tpm/tpm.h"

#include <doctest/doctest.h>
#include <tss2/tss2_mu.h>

#include "core/tpm_quote.h"
#include "tests/agent/busy_tpm.h"
#include "tests/support/fault_of.h"
#include "tests/support/swtpm.h"

namespace assay::agent {
namespace {

using testing::BusyTpm;
using testing::fault_of;
using testing::Interference;
using testing::Swtpm;

constexpr AkSettings kEcc{.algorithm = AkAlgorithm::kEccP256};
constexpr AkSettings kRsa{.algorithm = AkAlgorithm::kRsa2048};

Nonce nonce(std::uint8_t fill) {
  return *Nonce::from(Bytes(kNonceSize, fill));
}

Tpm opened(const std::string& tcti, AkSettings ak = kEcc) {
  auto out = Tpm::open({.tcti = tcti, .ak = ak});
  REQUIRE_MESSAGE(out.has_value(), format_fault(out.error()));
  return *std::move(out);
}

AkPublic ak_of(const Tpm& tpm) {
  const auto ak = parse_ak_public(tpm.ak_public());
  REQUIRE(ak.has_value());
  return *ak;
}

TPMT_PUBLIC area_of(const Tpm& tpm) {
  TPM2B_PUBLIC out = {};
  std::size_t offset = 0;
  const Bytes& bytes = tpm.ak_public();
  REQUIRE(Tss2_MU_TPM2B_PUBLIC_Unmarshal(bytes.data(), bytes.size(), &offset, &out) == 0);
  return out.publicArea;
}

QuotedPcrs verified(const Tpm& tpm, const Nonce& asked, const PcrSelection& selection) {
  const auto quote = tpm.quote(asked, selection);
  REQUIRE_MESSAGE(quote.has_value(), format_fault(quote.error()));
  const auto quoted = verify_quote(*quote, ak_of(tpm), asked, {});
  REQUIRE_MESSAGE(quoted.has_value(), format_fault(quoted.error()));
  CHECK(quoted->selection() == selection);
  return *quoted;
}

// A kernel that measures files between a quote and the reading of its PCRs.
Interference measuring(const Swtpm& tpm, int times) {
  return {.before = TPM2_CC_PCR_Read,
          .act = [&tpm] { tpm.extend(kImaPcr, {Digest::filled(HashAlg::kSha256, 7)}); },
          .times = times};
}

void check_fails(const Result<Tpm>& got, FaultId want, std::string_view says) {
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().id == want);
  CAPTURE(got.error().detail);
  CHECK(got.error().detail.find(says) != std::string::npos);
}

TEST_CASE("Tpm::open: the key is a restricted signing key that survives power cuts") {
  const Swtpm swtpm;
  for (const AkSettings& settings : {kEcc, AkSettings{AkAlgorithm::kRsa2048, 0x81010a56}}) {
    const Tpm tpm = opened(swtpm.tcti(), settings);
    const AkPublic ak = ak_of(tpm);
    CHECK(ak.is_rsa() == (settings.algorithm == AkAlgorithm::kRsa2048));
    CHECK(ak.scheme_hash() == HashAlg::kSha256);
    CHECK((area_of(tpm).objectAttributes & TPMA_OBJECT_NODA) != 0);
  }
}

TEST_CASE("Tpm::open: the key stays the same over reopening, resets and eviction") {
  Swtpm swtpm;
  const Bytes first = opened(swtpm.tcti()).ak_public();
  CHECK(opened(swtpm.tcti()).ak_public() == first);
  swtpm.restart();
  CHECK(opened(swtpm.tcti()).ak_public() == first);
  swtpm.evict(AkSettings{}.handle);
  CHECK(opened(swtpm.tcti()).ak_public() == first);
  CHECK(opened(Swtpm().tcti()).ak_public() != first);
}

TEST_CASE("Tpm::open: two that start at once on a new TPM get the one key") {
  const Swtpm swtpm;
  Bytes first;
  const BusyTpm busy(swtpm, {.before = TPM2_CC_EvictControl,
                             .act = [&] { first = opened(swtpm.tcti()).ak_public(); },
                             .times = 1});
  const Tpm second = opened(busy.tcti());
  CHECK(busy.interfered() == 1);
  CHECK(second.ak_public() == first);
}

TEST_CASE("Tpm::open: an object of another kind at the handle is refused and kept") {
  const Swtpm swtpm;
  const Bytes rsa = opened(swtpm.tcti(), kRsa).ak_public();
  check_fails(Tpm::open({.tcti = swtpm.tcti(), .ak = kEcc}), FaultId::kAlreadyExists, "0x81010a55");
  CHECK(opened(swtpm.tcti(), kRsa).ak_public() == rsa);
}

TEST_CASE("Tpm::open: a key of the same form in another hierarchy is refused") {
  const Swtpm swtpm;
  const Bytes ours = opened(swtpm.tcti(), kEcc).ak_public();
  const AkSettings other{.algorithm = AkAlgorithm::kEccP256, .handle = 0x81000abc};
  swtpm.plant_owner_key(ours, other.handle);
  check_fails(Tpm::open({.tcti = swtpm.tcti(), .ak = other}), FaultId::kAlreadyExists,
              "0x81000abc");
}

TEST_CASE("Tpm::open: a key that a power cut could lock is refused") {
  const Swtpm swtpm;
  TPM2B_PUBLIC area = {};
  area.publicArea = area_of(opened(swtpm.tcti(), kEcc));
  area.publicArea.objectAttributes &= ~TPMA_OBJECT_NODA;
  Bytes like(sizeof area);
  std::size_t size = 0;
  REQUIRE(Tss2_MU_TPM2B_PUBLIC_Marshal(&area, like.data(), like.size(), &size) == 0);
  like.resize(size);
  swtpm.plant_owner_key(like, 0x81000abd);
  check_fails(Tpm::open({.tcti = swtpm.tcti(), .ak = {AkAlgorithm::kEccP256, 0x81000abd}}),
              FaultId::kAlreadyExists, "0x81000abd");
}

TEST_CASE("Tpm::open: a password on the owner hierarchy is named as the reason") {
  const Swtpm swtpm;
  swtpm.set_owner_password();
  check_fails(Tpm::open({.tcti = swtpm.tcti(), .ak = kEcc}), FaultId::kTpmFailed, "password");
}

TEST_CASE("Tpm::open: a missing TPM is named, with what to do") {
  check_fails(Tpm::open({.tcti = "device:/dev/no-such-tpm", .ak = kEcc}), FaultId::kTpmUnavailable,
              "/dev/no-such-tpm: no such device: enable the TPM 2.0 in the firmware");
  check_fails(Tpm::open({.tcti = "swtpm:path=/nowhere/tpm", .ak = kEcc}), FaultId::kTpmUnavailable,
              "start the software TPM");
  check_fails(Tpm::open({.tcti = "device:/dev/null", .ak = kEcc}), FaultId::kTpmUnavailable,
              "does not answer as a TPM 2.0");
}

TEST_CASE("Tpm::quote: verify_quote accepts it, for each kind of key") {
  const Swtpm swtpm;
  std::uint32_t handle = 0x81010a60;
  for (const AkAlgorithm algorithm :
       {AkAlgorithm::kEccP256, AkAlgorithm::kEccP384, AkAlgorithm::kRsa2048,
        AkAlgorithm::kRsa2048Pss, AkAlgorithm::kRsa3072}) {
    CAPTURE(static_cast<int>(algorithm));
    const Tpm tpm = opened(swtpm.tcti(), {algorithm, handle++});
    CHECK(check_enrollable(ak_of(tpm)).has_value());
    const auto quoted = verified(tpm, nonce(1), default_selection(HashAlg::kSha256));
    CHECK(*quoted.find({HashAlg::kSha256, kImaPcr}) == Digest::zero(HashAlg::kSha256));
  }
}

TEST_CASE("Tpm::quote: every PCR of every bank can be quoted at once") {
  const Swtpm swtpm;
  PcrSelection all;
  for (const HashAlg bank : kAllHashAlgs) {
    for (std::uint32_t i = 0; i < PcrIndex::kCount; ++i) all.insert({bank, *PcrIndex::from(i)});
  }
  verified(opened(swtpm.tcti()), nonce(2), all);
}

TEST_CASE("Tpm::quote: the counters are the TPM's own, and a reset adds one") {
  Swtpm swtpm;
  const Tpm tpm = opened(swtpm.tcti());
  const PcrSelection selection = default_selection(HashAlg::kSha256);
  const auto before = verified(tpm, nonce(3), selection).clock().reset_count;
  CHECK(before < 10);  // obfuscated counts of other hierarchies are large
  swtpm.restart();
  CHECK(verified(tpm, nonce(4), selection).clock().reset_count == before + 1);
}

TEST_CASE("Tpm::quote: what was extended since is in the next quote") {
  const Swtpm swtpm;
  const Tpm tpm = opened(swtpm.tcti());
  const PcrSelection selection = default_selection(HashAlg::kSha384);
  const Digest zero = Digest::zero(HashAlg::kSha384);
  const Digest value = Digest::filled(HashAlg::kSha384, 5);
  CHECK(*verified(tpm, nonce(5), selection).find({HashAlg::kSha384, kImaPcr}) == zero);
  swtpm.extend(kImaPcr, {value});
  Hasher hasher(HashAlg::kSha384);
  CHECK(*verified(tpm, nonce(6), selection).find({HashAlg::kSha384, kImaPcr}) ==
        extend(hasher, zero, value));
}

TEST_CASE("Tpm::quote: a PCR that is extended while it is quoted is quoted anew") {
  const Swtpm swtpm;
  const BusyTpm busy(swtpm, measuring(swtpm, 3));
  const Tpm tpm = opened(busy.tcti());
  verified(tpm, nonce(7), default_selection(HashAlg::kSha256));
  CHECK(busy.interfered() == 3);
}

TEST_CASE("Tpm::quote: PCRs that never hold still end in a fault, not in a loop") {
  const Swtpm swtpm;
  const BusyTpm busy(swtpm, measuring(swtpm, 1000));
  const auto quote = opened(busy.tcti()).quote(nonce(8), default_selection(HashAlg::kSha256));
  REQUIRE_FALSE(quote.has_value());
  CHECK(quote.error().id == FaultId::kUnavailable);
  CHECK(busy.interfered() < 20);
}

TEST_CASE("Tpm::quote: a nonce of any size that a TPM takes") {
  const Swtpm swtpm;
  const Tpm tpm = opened(swtpm.tcti());
  for (const std::size_t size : {8, 20, 32, 64}) {
    verified(tpm, *Nonce::from(Bytes(size, 9)), default_selection(HashAlg::kSha256));
  }
}

TEST_CASE("Tpm::quote: nothing is left in the TPM, however often it is used") {
  const Swtpm swtpm;
  for (int i = 0; i < 20; ++i)
    verified(opened(swtpm.tcti()), nonce(1), default_selection(HashAlg::kSha256));
  CHECK(swtpm.transient_objects() == 0);
}

TEST_CASE("Tpm::quote: a TPM that is gone is a fault, and one that came back serves again") {
  Swtpm swtpm;
  const Tpm tpm = opened(swtpm.tcti());
  swtpm.stop();
  const auto quote = tpm.quote(nonce(1), default_selection(HashAlg::kSha256));
  REQUIRE_FALSE(quote.has_value());
  CHECK(quote.error().id == FaultId::kTpmUnavailable);
  swtpm.restart();
  verified(tpm, nonce(2), default_selection(HashAlg::kSha256));
}

TEST_CASE("Tpm::quote: another TPM in place of the one that was opened is refused") {
  std::optional<Swtpm> first(std::in_place);
  const testing::TempDir dir;
  const std::string link = (dir / "tpm").string();
  const auto point_at = [&](const Swtpm& swtpm) {
    const std::string target = swtpm.tcti().substr(std::string("swtpm:path=").size());
    for (const char* suffix : {"", ".ctrl"}) {
      std::filesystem::remove(link + suffix);
      std::filesystem::create_symlink(target + suffix, link + suffix);
    }
  };
  point_at(*first);
  const Tpm tpm = opened("swtpm:path=" + link);
  const Swtpm second;
  point_at(second);
  const auto quote = tpm.quote(nonce(1), default_selection(HashAlg::kSha256));
  REQUIRE_FALSE(quote.has_value());
  CHECK(quote.error().id == FaultId::kTpmFailed);
  CHECK(quote.error().detail.find("enrol the node again") != std::string::npos);
}

TEST_CASE("Tpm::banks: those that the TPM keeps") {
  Swtpm swtpm;
  CHECK(opened(swtpm.tcti()).banks() ==
        std::vector{HashAlg::kSha1, HashAlg::kSha256, HashAlg::kSha384, HashAlg::kSha512});
  for (const std::vector<HashAlg>& kept :
       {std::vector{HashAlg::kSha1, HashAlg::kSha256}, {HashAlg::kSha384}, {HashAlg::kSha1}}) {
    swtpm.keep_banks(kept);
    CHECK(opened(swtpm.tcti()).banks() == kept);
  }
}

TEST_CASE("Tpm::activate: a credential for this TPM's two keys is opened, for each kind of EK") {
  const Swtpm swtpm;
  for (const EkChoice choice :
       {EkChoice::kRsa2048Low, EkChoice::kEccP256Low, EkChoice::kRsa2048, EkChoice::kEccP256,
        EkChoice::kEccP384, EkChoice::kEccP521, EkChoice::kRsa3072}) {
    CAPTURE(static_cast<int>(choice));
    const auto tpm = Tpm::open({.tcti = swtpm.tcti(), .ek = choice});
    REQUIRE(tpm.has_value());
    const auto identity = tpm->identity();
    REQUIRE_MESSAGE(identity.has_value(), format_fault(identity.error()));
    CHECK(identity->ek_certificate.empty());
    const auto ek = parse_ek_public(identity->ek_public);
    REQUIRE_MESSAGE(ek.has_value(), format_fault(ek.error()));
    CredentialSecret secret{};
    secret.fill(7);
    const auto credential = make_credential(*ek, ak_of(*tpm).name(), secret);
    REQUIRE(credential.has_value());
    const auto opened = tpm->activate(*credential);
    REQUIRE_MESSAGE(opened.has_value(), format_fault(opened.error()));
    CHECK(equal_secrets(*opened, secret));

    Bytes other = ak_of(*tpm).name();
    other.back() ^= 1;
    const auto misnamed = make_credential(*ek, other, secret);
    CHECK(fault_of(tpm->activate(*misnamed)) == FaultId::kTpmFailed);
    CHECK(fault_of(tpm->activate({.id_object = {1}, .encrypted_secret = {}})) ==
          FaultId::kRequestInvalid);
    CHECK(swtpm.transient_objects() == 0);
  }
}

TEST_CASE("Tpm::identity: the first key that has a certificate, and the chain, cut anew") {
  const Swtpm swtpm;
  const Tpm tpm = opened(swtpm.tcti());
  const Bytes bare = tpm.identity()->ek_public;  // RSA of the low range
  const Bytes chain = {0x30, 1, 9, 0x30, 2, 8, 8};
  swtpm.write_nv(0x01c00100, ByteView(chain).first(4));
  swtpm.write_nv(0x01c00101, ByteView(chain).subspan(4));
  swtpm.write_nv(0x01c00016, Bytes(1500, 3));
  const auto found = tpm.identity();
  REQUIRE(found.has_value());
  CHECK(found->ek_certificate == Bytes(1500, 3));
  CHECK(found->ek_public != bare);
  CHECK(found->ek_chain == std::vector<Bytes>{{0x30, 1, 9}, {0x30, 2, 8, 8}});
  swtpm.write_nv(0x01c00002, Bytes{1, 2});
  CHECK(tpm.identity()->ek_certificate == Bytes{1, 2});
  CHECK(tpm.identity()->ek_public == bare);
  // What the TPM's maker has put beside the certificate makes another key.
  swtpm.write_nv(0x01c00003, Bytes(256, 5));
  CHECK(tpm.identity()->ek_public != bare);
}

}  // namespace
}  // namespace assay::agent
