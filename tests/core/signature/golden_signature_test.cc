#include "core/signature/golden_signature.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "tests/support/evidence_case.h"
#include "tests/support/ima_builder.h"
#include "tests/support/signing.h"

using namespace assay;
using namespace assay::testing;

namespace {

constexpr std::uint8_t kIma = 3;
constexpr std::uint8_t kEvm = 5;
constexpr std::uint8_t kVerity = 6;

Bytes joined(const std::vector<Bytes>& parts) {
  Bytes out;
  for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

Bytes d_ngv2(const Digest& digest, std::string_view type) {
  return joined({n_ng(std::string(type) + std::string(hash_name(digest.alg())) + ":"),
                 Bytes(digest.bytes().begin(), digest.bytes().end())});
}

// The first entry of a log with this one record.
struct OneEntry {
  Bytes log;
  ImaEntry entry;

  OneEntry(std::string_view name, const std::vector<Bytes>& fields, ImaLogForm form = {}) {
    ImaBuilder builder({HashAlg::kSha256}, form);
    builder.record(kImaPcr, name, fields);
    log = builder.bytes();
    entry = ImaLogReader(log, form).next().value();
  }
};

GoldenSnapshot signed_by(const std::vector<FileSigner>& keys) {
  GoldenSnapshot::Builder builder;
  const auto set = builder.add_set("signed");
  for (const FileSigner& key : keys) builder.add_signer(set, key);
  return std::move(builder).build();
}

bool accepted(const OneEntry& of, const FileSigner& key) {
  return find_signer(of.entry, signed_by({key}), nullptr).has_value();
}

const Digest kFile = digest_of("file");

// struct ima_file_id.
Digest file_id(std::uint8_t type, const Digest& digest) {
  Bytes id = {type, kernel_hash_number(digest.alg())};
  id.insert(id.end(), digest.bytes().begin(), digest.bytes().end());
  return hash(digest.alg(), id);
}

Bytes sig_v3(const SigningKey& key, std::uint8_t type, const Digest& digest) {
  return xattr(type, 3, digest.alg(), key.signer().key_id(), key.sign(file_id(type, digest)));
}

OneEntry ima_sig(const Digest& digest, const Bytes& sig) {
  return {"ima-sig", {d_ng(digest), n_ng("/bin/x"), sig}};
}

OneEntry ima_sigv2(std::string_view type, const Digest& digest, const Bytes& sig) {
  return {"ima-sigv2", {d_ngv2(digest, type), n_ng("/bin/x"), sig}};
}

// Remembers without a limit, and counts.
class CountingMemory final : public SignatureMemory {
 public:
  std::optional<Digest> signer_of(const SignatureClaim& claim) override {
    ++asked;
    const auto found = known.find(key(claim));
    return found == known.end() ? std::nullopt : std::optional(found->second);
  }
  void remember(const SignatureClaim& claim, const Digest& signer) override {
    known.emplace(key(claim), signer);
  }
  int asked = 0;
  std::map<std::pair<Digest, Bytes>, Digest> known;

 private:
  static std::pair<Digest, Bytes> key(const SignatureClaim& claim) {
    return {claim.signed_digest, Bytes(claim.proof.begin(), claim.proof.end())};
  }
};

}  // namespace

TEST_CASE("find_signer: of real logs, the signatures that evmctl verified, with the same keys") {
  const std::vector<std::string> names = {"ima-rsa", "ima-rsa4096", "ima-ec", "ima-ec384",
                                          "ima-other"};
  std::vector<FileSigner> keys;
  for (const std::string& name : names) {
    keys.push_back(*parse_file_signer(*signer_spki(read_test_data("keys/" + name + ".pub"))));
  }
  const GoldenSnapshot golden = signed_by(keys);
  const EvidenceCase signed_files = load_case("g-signed");
  std::map<std::uint64_t, std::string> want;
  for (const auto& row : signed_files.expected.at("file_signatures")) {
    if (row.contains("verifies_with") && row.at("verifies_with").is_string()) {
      want[row.at("index")] = row.at("verifies_with");
    }
  }
  REQUIRE(want.size() == 5);
  std::map<std::uint64_t, std::string> got;
  for (ImaLogReader reader(signed_files.ima_log); !reader.at_end();) {
    const ImaEntry entry = reader.next().value();
    if (const auto by = find_signer(entry, golden, nullptr)) got[entry.index] = names[*by] + ".pub";
  }
  CHECK(got == want);
}

TEST_CASE("find_signer: a real EVM portable signature, with what it covers beside it") {
  const FileSigner key = *parse_file_signer(*signer_spki(read_test_data("keys/ima-rsa.pub")));
  const EvidenceCase evm = load_case("i-evm-sig");
  std::vector<std::string> got;
  for (ImaLogReader reader(evm.ima_log); !reader.at_end();) {
    const ImaEntry entry = reader.next().value();
    if (find_signer(entry, signed_by({key}), nullptr)) got.emplace_back(entry.name);
  }
  CHECK(got == std::vector<std::string>{"/data/s/evmportable"});
}

TEST_CASE("find_signer: version 2 is over the digest that the entry has") {
  const SigningKey key = SigningKey::ecdsa();
  CHECK(accepted(ima_sig(kFile, sig_v2(key, kFile)), key.signer()));
  CHECK_FALSE(accepted(ima_sig(digest_of("other"), sig_v2(key, kFile)), key.signer()));
  CHECK_FALSE(accepted(ima_sig(kFile, sig_v2(key, kFile)), SigningKey::ecdsa().signer()));
  CHECK_FALSE(accepted(ima_sig(kFile, {}), key.signer()));
  const Digest longer = hash(HashAlg::kSha512, as_bytes("file"));
  CHECK(accepted(ima_sig(longer, sig_v2(key, longer)), key.signer()));
  // Of another type: fs-verity's, and EVM's, which is over other things.
  for (const std::uint8_t type : {kVerity, kEvm}) {
    const Bytes other = xattr(type, 2, kFile.alg(), key.signer().key_id(), key.sign(kFile));
    CHECK_FALSE(accepted(ima_sig(kFile, other), key.signer()));
  }
  // Of a digest by an algorithm other than the entry's.
  CHECK_FALSE(accepted(
      ima_sig(kFile, xattr(kIma, 2, HashAlg::kSha512, key.signer().key_id(), key.sign(kFile))),
      key.signer()));
}

TEST_CASE("find_signer: version 3 says of what kind the digest is") {
  const SigningKey key = SigningKey::rsa();
  const FileSigner signer = key.signer();
  CHECK(accepted(ima_sigv2("verity:", kFile, sig_v3(key, kVerity, kFile)), signer));
  CHECK(accepted(ima_sigv2("ima:", kFile, sig_v3(key, kIma, kFile)), signer));
  // One kind does not stand for the other, nor does a version that says none.
  CHECK_FALSE(accepted(ima_sigv2("ima:", kFile, sig_v3(key, kVerity, kFile)), signer));
  CHECK_FALSE(accepted(ima_sigv2("verity:", kFile, sig_v3(key, kIma, kFile)), signer));
  CHECK_FALSE(accepted(ima_sigv2("verity:", kFile, sig_v2(key, kFile)), signer));
  const Bytes v2_as_verity = xattr(kVerity, 2, kFile.alg(), signer.key_id(), key.sign(kFile));
  CHECK_FALSE(accepted(ima_sigv2("verity:", kFile, v2_as_verity), signer));
  // A version 3 signature says nothing about the file that its ima_file_id would be.
  CHECK_FALSE(accepted(ima_sig(file_id(kIma, kFile), sig_v3(key, kIma, kFile)), signer));
}

TEST_CASE("find_signer: SHA-1 is no ground for a signature, however it comes") {
  const SigningKey key = SigningKey::rsa();
  const Digest sha1 = hash(HashAlg::kSha1, as_bytes("file"));
  CHECK_FALSE(accepted(ima_sig(sha1, sig_v2(key, sha1)), key.signer()));
}

TEST_CASE("find_signer: headers that are not exactly a signature's are none") {
  const SigningKey key = SigningKey::ecdsa();
  const Bytes good = sig_v2(key, kFile);
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    CHECK_FALSE(parse_xattr_signature(ByteView(good).first(cut)).has_value());
  }
  Bytes longer = good;
  longer.push_back(0);
  CHECK_FALSE(parse_xattr_signature(longer).has_value());
  for (const auto& [at, value] : std::map<std::size_t, std::uint8_t>{
           {0, 1}, {0, 4}, {1, 1}, {1, 4}, {2, 0}, {2, 1}, {2, 7}}) {
    Bytes changed = good;
    changed[at] = value;
    CHECK_FALSE(parse_xattr_signature(changed).has_value());
  }
}

TEST_CASE("find_signer: of keys with one id, the one that signed; of another id, nobody is asked") {
  const SigningKey key = SigningKey::ecdsa();
  const Bytes other_id = xattr(kIma, 2, kFile.alg(), key.signer().key_id() + 1, key.sign(kFile));
  CHECK_FALSE(accepted(ima_sig(kFile, other_id), key.signer()));
  const GoldenSnapshot golden =
      signed_by({SigningKey::rsa().signer(), key.signer(), SigningKey::ecdsa().signer()});
  CHECK(find_signer(ima_sig(kFile, sig_v2(key, kFile)).entry, golden, nullptr) == 1);
}

TEST_CASE("find_signer: neither buffers, violations nor contradicting entries are ever signed") {
  const SigningKey key = SigningKey::ecdsa();
  const Bytes sig = sig_v2(key, kFile);
  CHECK_FALSE(accepted(OneEntry{"d-ng|n-ng|buf|sig", {d_ng(kFile), n_ng("x"), Bytes{1, 2}, sig}},
                       key.signer()));
  ImaBuilder violation;
  violation.violation("/x");
  const ImaEntry entry = ImaLogReader(violation.bytes()).next().value();
  CHECK_FALSE(find_signer(entry, signed_by({key.signer()}), nullptr).has_value());
  CHECK_FALSE(accepted(
      OneEntry{"n-ng|sig|x|d-ng", {n_ng("/x"), sig, d_ng(digest_of("malware")), d_ng(kFile)}},
      key.signer()));
}

TEST_CASE("find_signer: EVM vouches only for the digest in the security.ima that it covers") {
  const SigningKey key = SigningKey::rsa();
  const auto ima_xattr = [](const Digest& digest) {
    return joined({{4, kernel_hash_number(digest.alg())},
                   Bytes(digest.bytes().begin(), digest.bytes().end())});
  };
  for (const ByteOrder order : {ByteOrder::kLittle, ByteOrder::kBig}) {
    const ImaLogForm form{.order = order, .digests = HashAlg::kSha1};
    const ImaBuilder numbers({HashAlg::kSha256}, form);
    struct Case {
      Digest in_entry = kFile;
      Digest in_xattr = kFile;
      std::string names = "security.selinux|security.ima";
      std::uint32_t owner_in_entry = 7;
      bool ima_first = false;
      HashAlg signed_by = HashAlg::kSha256;
    };
    const auto entry_of = [&](const Case& c) {
      std::vector<Bytes> xattrs = {{'a', 'b'}, ima_xattr(c.in_xattr)};
      if (c.ima_first) std::swap(xattrs[0], xattrs[1]);
      // What the file's real signer signed: owner 7, group 8, mode 0100755.
      const Bytes misc = joined({Bytes(12), numbers.number(7, 4), numbers.number(8, 4),
                                 numbers.number(0100755, 2), Bytes(2)});
      const Digest signed_digest = hash(c.signed_by, joined({joined(xattrs), misc}));
      const Bytes sig = xattr(kEvm, 2, c.signed_by, key.signer().key_id(), key.sign(signed_digest));
      const Bytes sizes =
          joined({numbers.number(xattrs[0].size(), 4), numbers.number(xattrs[1].size(), 4)});
      return OneEntry(
          "evm-sig",
          {d_ng(c.in_entry), n_ng("/bin/x"), sig, n_ng(c.names), sizes, joined(xattrs),
           numbers.number(c.owner_in_entry, 4), numbers.number(8, 4), numbers.number(0100755, 2)},
          form);
    };
    CHECK(accepted(entry_of({}), key.signer()));
    CHECK_FALSE(accepted(entry_of({.in_xattr = digest_of("other")}), key.signer()));
    const Digest sha1 = hash(HashAlg::kSha1, as_bytes("file"));
    CHECK_FALSE(accepted(entry_of({.in_entry = sha1, .in_xattr = sha1}), key.signer()));
    CHECK_FALSE(accepted(entry_of({.names = "security.ima|security.selinux"}), key.signer()));
    CHECK_FALSE(accepted(entry_of({.names = "security.ima"}), key.signer()));
    CHECK_FALSE(accepted(entry_of({.names = "security.ima|security.ima"}), key.signer()));
    CHECK_FALSE(accepted(entry_of({.names = "security.ima", .ima_first = true}), key.signer()));
    CHECK_FALSE(accepted(entry_of({.owner_in_entry = 0}), key.signer()));
    CHECK(accepted(entry_of({.signed_by = HashAlg::kSha512}), key.signer()));
    const OneEntry weak = entry_of({.signed_by = HashAlg::kSha1});
    CHECK(std::ranges::none_of(weak.entry.all_fields(), [&](const ImaFieldValue& field) {
      return signature_claim(weak.entry, field).has_value();
    }));
    // Without what it covers, a portable signature proves nothing.
    const OneEntry whole = entry_of({});
    const ByteView sig = *whole.entry.find(ImaField::kEvmSig);
    CHECK_FALSE(accepted(ima_sig(kFile, Bytes(sig.begin(), sig.end())), key.signer()));
  }
}

TEST_CASE("find_signer: an appended signature is of the file without it") {
  const SigningKey key = SigningKey::rsa();
  const Bytes module = {1, 2, 3};
  const Digest content = hash(HashAlg::kSha256, module);
  for (const unsigned flags : {0U, unsigned{CMS_NOATTR}}) {
    const Bytes cms = key.sign_cms(module, flags);
    const std::vector<Bytes> fields = {d_ng(kFile), n_ng("/x.ko"), {}, d_ng(content), cms};
    CHECK(accepted(OneEntry{"ima-modsig", fields}, key.signer()));
    CHECK_FALSE(accepted(OneEntry{"ima-modsig", fields}, SigningKey::rsa().signer()));
    CHECK_FALSE(accepted(OneEntry{"ima-modsig", {d_ng(kFile), n_ng("/x.ko"), {}, d_ng(kFile), cms}},
                         key.signer()));
    // Under a name that nothing proves, root's own fields could be called so.
    CHECK_FALSE(accepted(OneEntry{"d-ng|n-ng|sig|d-modsig|modsig", fields}, key.signer()));
  }
  const Bytes by_sha1 = key.sign_cms(module, CMS_NOATTR, EVP_sha1());
  CHECK_FALSE(accepted(
      OneEntry{"ima-modsig",
               {d_ng(kFile), n_ng("/x.ko"), {}, d_ng(hash(HashAlg::kSha1, module)), by_sha1}},
      key.signer()));
}

TEST_CASE(
    "find_signer: what has verified is not verified again, and a key that is gone is no key") {
  const SigningKey key = SigningKey::ecdsa();
  const OneEntry good = ima_sig(kFile, sig_v2(key, kFile));
  CountingMemory memory;
  CHECK(find_signer(good.entry, signed_by({key.signer()}), &memory) == 0);
  REQUIRE(memory.known.size() == 1);
  CHECK(memory.known.begin()->second == key.signer().fingerprint());
  CHECK(find_signer(good.entry, signed_by({key.signer()}), &memory) == 0);
  CHECK_FALSE(find_signer(good.entry, signed_by({SigningKey::ecdsa().signer()}), &memory));
  CHECK_FALSE(find_signer(good.entry, signed_by({}), &memory));
  CHECK(memory.asked == 3);
  // Another proof of the same digest is another question.
  const OneEntry forged =
      ima_sig(kFile, xattr(kIma, 2, kFile.alg(), key.signer().key_id(), Bytes(70)));
  CHECK_FALSE(find_signer(forged.entry, signed_by({key.signer()}), &memory));
}
