#include "verifier/signature_cache.h"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

SignatureClaim claim_of(const Digest& digest, ByteView proof,
                        SignatureKind kind = SignatureKind::kFileDigest) {
  return {.kind = kind, .signed_digest = digest, .key_id = 1, .proof = proof};
}

}  // namespace

TEST_CASE("SignatureCache: gives back what it was told, for exactly this claim") {
  SignatureCache cache;
  const Bytes proof = {1, 2, 3};
  const Bytes other = {1, 2, 4};
  CHECK_FALSE(cache.signer_of(claim_of(digest_of("a"), proof)).has_value());
  cache.remember(claim_of(digest_of("a"), proof), digest_of("key"));
  CHECK(cache.signer_of(claim_of(digest_of("a"), proof)) == digest_of("key"));
  CHECK_FALSE(cache.signer_of(claim_of(digest_of("b"), proof)).has_value());
  CHECK_FALSE(cache.signer_of(claim_of(digest_of("a"), other)).has_value());
  CHECK_FALSE(cache.signer_of(claim_of(digest_of("a"), ByteView(proof).first(2))).has_value());
  CHECK_FALSE(cache.signer_of(claim_of(digest_of("a"), proof, SignatureKind::kEvm)).has_value());
}

TEST_CASE("SignatureCache: forgets the longest unused, and keeps no large proof") {
  SignatureCache cache;
  const Bytes proof = {1};
  const auto digest = [](std::size_t i) { return digest_of(std::to_string(i)); };
  std::size_t kept = 0;
  for (std::size_t i = 0; i < 2 * SignatureCache::kMaxProofs; ++i) {
    cache.remember(claim_of(digest(i), proof), digest_of("key"));
    CHECK(cache.signer_of(claim_of(digest(0), proof)).has_value());  // is used all the time
  }
  for (std::size_t i = 0; i < 2 * SignatureCache::kMaxProofs; ++i) {
    kept += cache.signer_of(claim_of(digest(i), proof)).has_value() ? 1 : 0;
  }
  CHECK(kept <= SignatureCache::kMaxProofs);
  CHECK(kept > 0);
  const Bytes large(SignatureCache::kMaxProofBytes + 1, 1);
  cache.remember(claim_of(digest_of("large"), large), digest_of("key"));
  CHECK_FALSE(cache.signer_of(claim_of(digest_of("large"), large)).has_value());
}

TEST_CASE("SignatureCache: many threads, and none hears of another's key") {
  SignatureCache cache;
  std::atomic<bool> wrong = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&cache, &wrong] {
      for (int i = 0; i < 5000; ++i) {
        const Bytes proof = {static_cast<std::uint8_t>(i % 7)};
        const Digest digest = digest_of(std::to_string(i % 500));
        const auto got = cache.signer_of(claim_of(digest, proof));
        if (got && *got != digest_of(std::to_string(i % 7))) wrong = true;
        cache.remember(claim_of(digest, proof), digest_of(std::to_string(i % 7)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_FALSE(wrong);
}
