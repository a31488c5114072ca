#include "golden/signed_envelope.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/openssl.h"

namespace assay {

using openssl::EvpMdCtx;
using openssl::EvpPkey;

namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 4;  // of members that are looked at: signatures[i].sig

// Ed25519 hashes by itself.
const EVP_MD* hash_of(const EVP_PKEY* key) {
  return EVP_PKEY_is_a(key, "EC") == 1 ? EVP_sha256() : nullptr;
}

tl::unexpected<Fault> malformed(std::string what) {
  return fail(FaultId::kGoldenMalformed, "envelope: " + std::move(what));
}

const std::string* text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

Result<DsseSignature> read_signature(const Json& json) {
  if (!json.is_object()) return malformed("a signature that is no object");
  const std::string* bytes = text_of(json, "sig");
  auto signature = bytes == nullptr ? std::nullopt : from_base64(*bytes);
  if (!signature) return malformed("a signature without \"sig\" in base64");
  if (!json.contains("keyid")) return DsseSignature{{}, *std::move(signature)};
  const std::string* key_id = text_of(json, "keyid");
  if (key_id == nullptr) return malformed("\"keyid\" is no text");
  return DsseSignature{*key_id, *std::move(signature)};
}

bool is_signing_key(const EVP_PKEY* key) {
  if (key == nullptr) return false;
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return true;
  char group[64] = {};
  return EVP_PKEY_is_a(key, "EC") == 1 &&
         EVP_PKEY_get_group_name(key, group, sizeof group, nullptr) == 1 &&
         std::string_view(group) == "prime256v1";
}

// What `read` makes of a PEM, when it is a key that may sign sets.
template <typename Read>
Result<EvpPkey> read_key(ByteView pem, const Read& read) {
  EvpPkey key;
  if (!pem.empty() && pem.size() <= kMaxSigningKeyBytes) {
    const openssl::Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    ASSAY_CHECK(bio != nullptr);
    key.reset(read(bio.get()));
    ERR_clear_error();
  }
  if (!is_signing_key(key.get())) {
    return fail(FaultId::kGoldenMalformed, "not a P-256 or Ed25519 key in PEM");
  }
  return key;
}

std::string id_of(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  ASSAY_CHECK(size > 0);
  std::string out = format_digest(hash(HashAlg::kSha256, {der, static_cast<std::size_t>(size)}));
  OPENSSL_free(der);
  return out;
}

}  // namespace

Result<DsseEnvelope> parse_envelope(ByteView json) {
  if (json.size() > kMaxEnvelopeBytes) return fail(FaultId::kGoldenTooLarge, "envelope");
  // nlohmann's lexer takes a NUL for the end, and would not look at what stands behind it.
  if (std::ranges::find(json, std::uint8_t{0}) != json.end()) return malformed("a NUL byte");
  const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth < kMaxDepth; };
  const Json root = Json::parse(json.begin(), json.end(), shallow, false);
  if (!root.is_object()) return malformed("not a JSON object");
  const std::string* type = text_of(root, "payloadType");
  const std::string* payload = text_of(root, "payload");
  if (type == nullptr || *type != kInTotoPayload) {
    return malformed("\"payloadType\" is not " + std::string(kInTotoPayload));
  }
  auto bytes = payload == nullptr ? std::nullopt : from_base64(*payload);
  if (!bytes) return malformed("no \"payload\" in base64");
  const auto signatures = root.find("signatures");
  if (signatures == root.end() || !signatures->is_array() || signatures->empty()) {
    return malformed("no \"signatures\"");
  }
  if (signatures->size() > kMaxEnvelopeSignatures) {
    return fail(FaultId::kGoldenTooLarge,
                "over " + std::to_string(kMaxEnvelopeSignatures) + " signatures");
  }
  DsseEnvelope out{.payload = *std::move(bytes), .signatures = {}};
  for (const Json& each : *signatures) {
    ASSAY_TRY(DsseSignature signature, read_signature(each));
    out.signatures.push_back(std::move(signature));
  }
  return out;
}

std::string format_envelope(const DsseEnvelope& envelope) {
  nlohmann::ordered_json out;
  out["payloadType"] = kInTotoPayload;
  out["payload"] = to_base64(envelope.payload);
  out["signatures"] = nlohmann::ordered_json::array();
  for (const DsseSignature& each : envelope.signatures) {
    out["signatures"].push_back({{"keyid", each.key_id}, {"sig", to_base64(each.signature)}});
  }
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

Bytes pre_authentication_encoding(ByteView payload) {
  const std::string head = "DSSEv1 " + std::to_string(kInTotoPayload.size()) + ' ' +
                           std::string(kInTotoPayload) + ' ' + std::to_string(payload.size()) + ' ';
  Bytes out;
  out.reserve(head.size() + payload.size());
  out.insert(out.end(), head.begin(), head.end());
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

SigningPublicKey::SigningPublicKey(std::shared_ptr<const EvpKey> key)
    : key_(std::move(key)), id_(id_of(key_->get())) {}

bool SigningPublicKey::verify(ByteView message, ByteView signature) const {
  const EvpMdCtx context(EVP_MD_CTX_new());
  ASSAY_CHECK(context != nullptr);
  const bool good = EVP_DigestVerifyInit(context.get(), nullptr, hash_of(key_->get()), nullptr,
                                         key_->get()) == 1 &&
                    EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                                     message.data(), message.size()) == 1;
  ERR_clear_error();
  return good;
}

Result<SigningPublicKey> parse_signing_public_key(ByteView pem) {
  ASSAY_TRY(EvpPkey key, read_key(pem, [](BIO* bio) {
              return PEM_read_bio_PUBKEY(bio, nullptr, openssl::no_passphrase, nullptr);
            }));
  return SigningPublicKey(std::make_shared<const EvpKey>(std::move(key)));
}

DsseSignature SigningPrivateKey::sign(ByteView payload) const {
  const Bytes message = pre_authentication_encoding(payload);
  const EvpKey& key = *public_.key_;
  const EvpMdCtx context(EVP_MD_CTX_new());
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(key.get()));
  Bytes signature(size);
  ASSAY_CHECK(
      context != nullptr &&
      EVP_DigestSignInit(context.get(), nullptr, hash_of(key.get()), nullptr, key.get()) == 1 &&
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) == 1);
  signature.resize(size);
  return {.key_id = public_.id(), .signature = std::move(signature)};
}

Result<SigningPrivateKey> parse_signing_private_key(ByteView pem) {
  ASSAY_TRY(EvpPkey key, read_key(pem, [](BIO* bio) {
              return PEM_read_bio_PrivateKey(bio, nullptr, openssl::no_passphrase, nullptr);
            }));
  return SigningPrivateKey(SigningPublicKey(std::make_shared<const EvpKey>(std::move(key))));
}

std::vector<std::string> signers_of(const DsseEnvelope& envelope,
                                    std::span<const SigningPublicKey> keys) {
  const Bytes message = pre_authentication_encoding(envelope.payload);
  std::set<std::string> out;
  for (const DsseSignature& each : envelope.signatures) {
    const bool named = std::ranges::count(keys, each.key_id, &SigningPublicKey::id) > 0;
    for (const SigningPublicKey& key : keys) {
      if (out.contains(key.id()) || (named && key.id() != each.key_id)) continue;
      if (key.verify(message, each.signature)) out.insert(key.id());
    }
  }
  return {out.begin(), out.end()};
}

}  // namespace assay
