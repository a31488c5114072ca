// Whatever a node shows as a file's signature, a verdict is reached, and only a key that vouches for what
// is claimed is ever found: with a memory and without.
#include <map>

#include "core/signature/golden_signature.h"
#include "tests/fuzz/check.h"
#include "tests/support/evidence_case.h"

namespace assay::testing {
namespace {

constexpr std::string_view kKeys[] = {"ima-rsa", "ima-rsa4096", "ima-ec", "ima-ec384", "module"};

GoldenSnapshot golden_keys() {
  GoldenSnapshot::Builder builder;
  const auto set = builder.add_set("signed");
  for (const std::string_view name : kKeys) {
    const auto spki = signer_spki(read_test_data("keys/" + std::string(name) + ".pub"));
    builder.add_signer(set, parse_file_signer(*spki).value());
  }
  return std::move(builder).build();
}

class Memory final : public SignatureMemory {
 public:
  std::optional<Digest> signer_of(const SignatureClaim& claim) override {
    const auto found = known_.find(claim.signed_digest);
    return found == known_.end() ? std::nullopt : std::optional(found->second);
  }
  void remember(const SignatureClaim& claim, const Digest& signer) override {
    known_.emplace(claim.signed_digest, signer);
  }

 private:
  std::map<Digest, Digest> known_;
};

// Header and signature, put together again, are the value.
void check_header(ByteView value) {
  const auto parsed = parse_xattr_signature(value);
  if (!parsed) return;
  Bytes again = {static_cast<std::uint8_t>(parsed->type), parsed->version, value[2]};
  for (int shift = 24; shift >= 0; shift -= 8) {
    again.push_back(static_cast<std::uint8_t>(parsed->key_id >> shift));
  }
  again.push_back(static_cast<std::uint8_t>(parsed->signature.size() >> 8));
  again.push_back(static_cast<std::uint8_t>(parsed->signature.size()));
  again.insert(again.end(), parsed->signature.begin(), parsed->signature.end());
  FUZZ_CHECK(std::ranges::equal(again, value));
}

void check_key(ByteView file) {
  const auto spki = signer_spki(file);
  if (!spki) return;
  FUZZ_CHECK(signer_spki(*spki) == spki);
  if (const auto signer = parse_file_signer(*spki)) FUZZ_CHECK(signer->encoded() == *spki);
}

// `input`: what the digest is of, its algorithm, the digest, and fields with a length of 16 bits each.
std::optional<ImaEntry> read_entry(ByteView input) {
  constexpr ImaField kOrder[] = {
      ImaField::kXattrNames, ImaField::kXattrLengths, ImaField::kXattrValues, ImaField::kIuid,
      ImaField::kIgid,       ImaField::kImode,        ImaField::kDModsig};
  ByteReader reader(input);
  const std::uint8_t kind = reader.u8();
  const HashAlg alg = kAllHashAlgs[reader.u8() % std::size(kAllHashAlgs)];
  ImaEntry entry;
  entry.digest_kind = (kind & 0x80) != 0 ? FileDigestKind::kVerity : FileDigestKind::kFile;
  entry.file_digest = Digest::from(alg, reader.take(hash_size(alg)));
  if (!entry.file_digest) return std::nullopt;
  entry.digest_state = FileDigestState::kKnown;
  entry.template_name = "ima-modsig";
  constexpr ImaField kProofs[] = {ImaField::kSig, ImaField::kEvmSig, ImaField::kModsig};
  const ImaField proof = kProofs[(kind & 0x7f) % std::size(kProofs)];
  entry.fields[entry.field_count++] = {proof, "", reader.take(reader.u16(ByteOrder::kLittle))};
  for (const ImaField field : kOrder) {
    entry.fields[entry.field_count++] = {field, "", reader.take(reader.u16(ByteOrder::kLittle))};
  }
  return entry;
}

void check(ByteView input) {
  static const GoldenSnapshot golden = golden_keys();
  check_header(input);
  check_key(input);
  const auto entry = read_entry(input);
  if (!entry) return;
  check_header(entry->fields[0].value);
  const auto claim = signature_claim(*entry, entry->fields[0]);
  const auto found = find_signer(*entry, golden, nullptr);
  FUZZ_CHECK(!found || claim);
  if (!found) return;
  FUZZ_CHECK(entry->file_digest->alg() != HashAlg::kSha1);
  FUZZ_CHECK(claim->signed_digest.alg() != HashAlg::kSha1);
  FUZZ_CHECK(vouches(golden.signers()[*found].key, *claim));
  Memory memory;
  FUZZ_CHECK(find_signer(*entry, golden, &memory) == found);
  FUZZ_CHECK(find_signer(*entry, golden, &memory) == found);
  ImaEntry other = *entry;
  other.file_digest = hash(entry->file_digest->alg(), entry->file_digest->bytes());
  const auto still = find_signer(other, golden, nullptr);
  FUZZ_CHECK(!still || claim->kind == SignatureKind::kAppended);  // which is over `d-modsig`
}

}  // namespace
}  // namespace assay::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  assay::testing::check({data, size});
  return 0;
}
