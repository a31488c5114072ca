#include "verifier/identity/key_set.h"

#include <algorithm>

#include "verifier/identity/strict_json.h"

namespace assay {
namespace {

using nlohmann::json;

tl::unexpected<Fault> malformed(std::string what) {
  return fail(FaultId::kIdentityKeysMalformed, std::move(what));
}

// The bytes of a member in base64url; none when there are none.
Bytes bytes_member(const json& key, const char* name) {
  const std::string* text = text_member(key, name);
  return text == nullptr ? Bytes() : from_base64url(*text).value_or(Bytes());
}

std::optional<TokenKey> key_of(const json& key) {
  const std::string* type = text_member(key, "kty");
  if (type == nullptr) return std::nullopt;
  if (*type == "RSA") return rsa_token_key(bytes_member(key, "n"), bytes_member(key, "e"));
  const std::string* curve = text_member(key, "crv");
  if (*type != "EC" || curve == nullptr || *curve != "P-256") return std::nullopt;
  return p256_token_key(bytes_member(key, "x"), bytes_member(key, "y"));
}

bool is_text_or_absent(const json& key, const char* name) {
  return !key.contains(name) || key.at(name).is_string();
}

Status check_form(const json& key) {
  if (!key.is_object()) return malformed("a key that is no object");
  // Who publishes such a key has shown everybody how to sign: it must be noticed.
  if (key.contains("d")) return malformed("holds a private key");
  for (const char* name : {"kid", "use", "alg"}) {
    if (!is_text_or_absent(key, name)) return malformed('"' + std::string(name) + "\" is no text");
  }
  const auto operations = key.find("key_ops");
  if (operations != key.end() && !operations->is_array())
    return malformed("\"key_ops\" is no list");
  return {};
}

bool is_for_tokens(const json& key, TokenAlgorithm algorithm) {
  const std::string* use = text_member(key, "use");
  const std::string* said = text_member(key, "alg");
  const auto operations = key.find("key_ops");
  return (use == nullptr || *use == "sig") &&
         (said == nullptr || *said == token_algorithm_name(algorithm)) &&
         (operations == key.end() ||
          std::ranges::find(*operations, json("verify")) != operations->end());
}

}  // namespace

const TokenKey* KeySet::find(std::string_view key_id) const {
  const auto found = keys_.find(key_id);
  return found == keys_.end() ? nullptr : &found->second;
}

Result<KeySet> parse_key_set(ByteView text) {
  if (text.size() > kMaxKeySetBytes) return malformed("over 256 KiB");
  ASSAY_TRY(const json root, parse_strict_object(text, FaultId::kIdentityKeysMalformed));
  const auto keys = root.find("keys");
  if (keys == root.end() || !keys->is_array()) return malformed("no list \"keys\"");
  if (keys->size() > kMaxKeySetKeys) return malformed("over 64 keys");
  KeySet out;
  for (const json& each : *keys) {
    ASSAY_OK(check_form(each));
    const std::string* key_id = text_member(each, "kid");
    if (key_id == nullptr || key_id->size() > kMaxKeyIdBytes) continue;
    const std::optional<TokenKey> key = key_of(each);
    if (!key || !is_for_tokens(each, key->algorithm())) continue;
    if (!out.keys_.emplace(*key_id, *key).second) return malformed("two keys of one \"kid\"");
  }
  if (out.keys_.empty()) return malformed("no RSA or P-256 key for signatures");
  return out;
}

}  // namespace assay
