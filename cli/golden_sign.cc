#include "cli/golden_sign.h"

#include <nlohmann/json.hpp>

#include "cli/codec.h"
#include "cli/files.h"
#include "cli/options.h"
#include "cli/table.h"
#include "core/text.h"
#include "golden/set_file.h"
#include "golden/signed_envelope.h"

namespace assay {
namespace {

constexpr ReadLimits kKeyLimits = {.max_bytes = kMaxSigningKeyBytes,
                                   .too_large = FaultId::kGoldenTooLarge};

// Anything that names the file when it is wrong.
template <typename T>
Result<T> from(const std::string& path, Result<T> result) {
  if (!result) return tl::unexpected<Fault>(with_subject(result.error(), path));
  return result;
}

struct SignedSet {
  DsseEnvelope envelope;
  GoldenSet set;
};

Result<SignedSet> load_envelope(const std::string& path) {
  ASSAY_TRY(const Bytes file, read_file(path, {.max_bytes = kMaxEnvelopeBytes,
                                               .too_large = FaultId::kGoldenTooLarge}));
  ASSAY_TRY(DsseEnvelope envelope, from(path, parse_envelope(file)));
  ASSAY_TRY(GoldenSet set, from(path, parse_golden_set(envelope.payload)));
  return SignedSet{std::move(envelope), std::move(set)};
}

// A set that nobody has signed yet, or an envelope that one more signs.
Result<SignedSet> load_set_or_envelope(const std::string& path) {
  ASSAY_TRY(Bytes file, read_file(path, {.max_bytes = kMaxEnvelopeBytes,
                                         .too_large = FaultId::kGoldenTooLarge}));
  auto envelope = parse_envelope(file);
  if (!envelope) envelope = DsseEnvelope{.payload = std::move(file), .signatures = {}};
  ASSAY_TRY(GoldenSet set, from(path, parse_golden_set(envelope->payload)));
  return SignedSet{*std::move(envelope), std::move(set)};
}

Result<SigningPrivateKey> load_private_key(const std::string& path) {
  ASSAY_TRY(const Bytes pem, read_file(path, kKeyLimits));
  return from(path, parse_signing_private_key(pem));
}

Result<std::vector<SigningPublicKey>> load_public_keys(const std::vector<std::string>& paths) {
  std::vector<SigningPublicKey> keys;
  for (const std::string& path : paths) {
    ASSAY_TRY(const Bytes pem, read_file(path, kKeyLimits));
    ASSAY_TRY(SigningPublicKey key, from(path, parse_signing_public_key(pem)));
    keys.push_back(std::move(key));
  }
  return keys;
}

Status add_signature(SignedSet& of, const SigningPrivateKey& key) {
  auto& signatures = of.envelope.signatures;
  std::erase_if(signatures,
                [&](const DsseSignature& each) { return each.key_id == key.public_key().id(); });
  if (signatures.size() == kMaxEnvelopeSignatures) {
    return fail(FaultId::kGoldenTooLarge,
                "over " + std::to_string(kMaxEnvelopeSignatures) + " signatures");
  }
  signatures.push_back(key.sign(of.envelope.payload));
  return {};
}

std::string text_of(const GoldenSet& set, const std::vector<std::string>& signers) {
  std::vector<std::pair<std::string_view, std::string>> rows = {
      {"name", set.name}, {"files", std::to_string(set.files.size())}};
  for (const std::string& id : signers) rows.emplace_back("signed by", id);
  return format_fields(rows);
}

std::string json_of(const GoldenSet& set, const std::vector<std::string>& signers) {
  nlohmann::ordered_json out;
  out["name"] = set.name;
  out["files"] = set.files.size();
  out["signed_by"] = signers;
  return format_json(out);
}

}  // namespace

void GoldenSigning::add_to(CLI::App& noun, Action& chosen) {
  add_sign(noun, chosen);
  add_verify(noun, chosen);
}

void GoldenSigning::add_sign(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("sign", "put a set file into a signed envelope (DSSE)");
  verb->add_option("SET", file_, "a set file, or an envelope to add a signature to")->required();
  verb->add_option("--key", private_key_, "private key in PEM: P-256 or Ed25519")->required();
  verb->add_option("-o,--output", output_, "the envelope to write")->required();
  add_json_flag(*verb, format_);
  add_examples(*verb,
               "  openssl genpkey -algorithm ed25519 -out ci.pem\n"
               "  openssl pkey -in ci.pem -pubout -out ci.pub\n"
               "  assay golden sign web.json --key ci.pem -o web.dsse.json");
  verb->callback([this, &chosen] { chosen = [this] { return sign(); }; });
}

void GoldenSigning::add_verify(CLI::App& noun, Action& chosen) {
  CLI::App* verb = noun.add_subcommand("verify", "check who has signed an envelope");
  verb->add_option("ENVELOPE", file_, "what `assay golden sign` wrote")->required();
  verb->add_option("--key", public_keys_, "public key in PEM that may sign; may be repeated")
      ->required()
      ->allow_extra_args(false);
  verb->add_option("--threshold", threshold_, "how many different keys have to have signed")
      ->check(CLI::Range(std::size_t{1}, kMaxEnvelopeSignatures))
      ->capture_default_str();
  add_json_flag(*verb, format_);
  add_examples(
      *verb,
      "  assay golden verify web.dsse.json --key ci.pub\n"
      "  assay golden verify web.dsse.json --key ci.pub --key release.pub --threshold 2\n"
      "\n"
      "Exit status: 0 signed by enough of the keys, 1 not, 3 the question could not be put.");
  verb->callback([this, &chosen] { chosen = [this] { return verify(); }; });
}

Exit GoldenSigning::sign() const {
  Result<SignedSet> of = load_set_or_envelope(file_);
  if (!of) return complain(of.error());
  const Result<SigningPrivateKey> key = load_private_key(private_key_);
  if (!key) return complain(key.error());
  if (const Status added = add_signature(*of, *key); !added) return complain(added.error());
  if (const Status written = write_file(output_, format_envelope(of->envelope)); !written) {
    return complain(written.error());
  }
  const std::vector<std::string> signers = signers_of(of->envelope, {&key->public_key(), 1});
  print(format_ == Format::kJson ? json_of(of->set, signers) : text_of(of->set, signers));
  return Exit::kOk;
}

Exit GoldenSigning::verify() const {
  const Result<SignedSet> of = load_envelope(file_);
  if (!of) return complain(of.error());
  const auto keys = load_public_keys(public_keys_);
  if (!keys) return complain(keys.error());
  const std::vector<std::string> signers = signers_of(of->envelope, *keys);
  if (signers.size() < threshold_) {
    return complain(Exit::kRefused, escape_bytes(file_) + ": signed by " +
                                        std::to_string(signers.size()) + " of the keys, " +
                                        std::to_string(threshold_) + " wanted");
  }
  print(format_ == Format::kJson ? json_of(of->set, signers) : text_of(of->set, signers));
  return Exit::kOk;
}

}  // namespace assay
