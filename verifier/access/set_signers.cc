#include "verifier/access/set_signers.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "verifier/secret_file.h"

namespace assay {
namespace {

Result<SignerRule> load_rule(const SignerSettings& settings) {
  SignerRule rule{.names = settings.names, .keys = {}, .threshold = settings.threshold};
  for (const std::filesystem::path& file : settings.key_files) {
    ASSAY_TRY(const std::string pem, read_public_file(file));
    auto key = parse_signing_public_key(as_bytes(pem));
    if (!key) {
      return fail(FaultId::kConfigInvalid, file.string() + ": " + key.error().detail);
    }
    const auto is_same = [&](const SigningPublicKey& other) { return other.id() == key->id(); };
    if (std::ranges::any_of(rule.keys, is_same)) {
      return fail(FaultId::kConfigInvalid, file.string() + ": this key stands twice in its rule");
    }
    rule.keys.push_back(*std::move(key));
  }
  if (rule.threshold > rule.keys.size()) {
    return fail(FaultId::kConfigInvalid, "golden: signers: a threshold of " +
                                             std::to_string(rule.threshold) +
                                             " needs as many keys");
  }
  return rule;
}

// Which bytes are the set, and the envelope around them, if any.
struct Opened {
  Result<GoldenSet> set;
  std::optional<DsseEnvelope> envelope;
};

// A set file's first unknown member ends its parser: an envelope costs little before it is known as one.
Opened open(ByteView file) {
  Opened opened{.set = parse_golden_set(file), .envelope = {}};
  if (opened.set) return opened;
  auto envelope = parse_envelope(file);
  if (!envelope) return opened;
  opened.set = parse_golden_set(envelope->payload);
  opened.envelope = *std::move(envelope);
  return opened;
}

// Why the signatures are not enough.
Fault not_enough(const DsseEnvelope& envelope, const SignerRule& rule,
                 const std::vector<SignerRule>& rules, std::size_t signed_by) {
  for (const SignerRule& other : rules) {
    for (const std::string& id : signers_of(envelope, other.keys)) {
      const auto is_it = [&](const SigningPublicKey& key) { return key.id() == id; };
      if (std::ranges::any_of(rule.keys, is_it)) continue;
      return {.id = FaultId::kGoldenSignerRefused, .detail = "key " + id};
    }
  }
  return {.id = FaultId::kGoldenSignatureMissing,
          .detail = std::to_string(signed_by) + " of the " + std::to_string(rule.threshold) +
                    " keys that are needed"};
}

}  // namespace

Result<std::vector<SignerRule>> load_signer_rules(const std::vector<SignerSettings>& settings) {
  std::vector<SignerRule> rules;
  for (const SignerSettings& one : settings) {
    ASSAY_TRY(SignerRule rule, load_rule(one));
    rules.push_back(std::move(rule));
  }
  return rules;
}

Result<PushedSet> read_pushed_set(ByteView file, const std::vector<SignerRule>& rules) {
  Opened opened = open(file);
  ASSAY_TRY(GoldenSet set, std::move(opened.set));
  const ByteView payload = opened.envelope ? ByteView(opened.envelope->payload) : file;
  PushedSet pushed{
      .set = std::move(set), .digest = hash(HashAlg::kSha256, payload), .signed_by = {}};
  if (rules.empty()) return pushed;
  const auto rule = std::ranges::find_if(
      rules, [&](const SignerRule& one) { return any_covers(one.names, pushed.set.name); });
  if (rule == rules.end()) {
    return fail(FaultId::kGoldenNameRefused, "no key may vouch for " + pushed.set.name);
  }
  if (!opened.envelope) {
    return fail(FaultId::kGoldenUnsigned, "sign it with `assay golden sign`");
  }
  pushed.signed_by = signers_of(*opened.envelope, rule->keys);
  if (pushed.signed_by.size() < rule->threshold) {
    return tl::unexpected<Fault>(
        not_enough(*opened.envelope, *rule, rules, pushed.signed_by.size()));
  }
  return pushed;
}

}  // namespace assay
