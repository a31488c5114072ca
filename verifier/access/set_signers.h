// Whose signatures a golden set needs before the verifier takes it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "golden/set_file.h"
#include "golden/signed_envelope.h"
#include "verifier/access/name_scope.h"

namespace assay {

// The keys that may vouch for sets of some names.
struct SignerRule {
  std::vector<NameScope> names;
  std::vector<SigningPublicKey> keys;  // all different
  std::size_t threshold = 1;           // of different keys, 1 to keys.size()
};

// The same, as the configuration has it.
struct SignerSettings {
  std::vector<NameScope> names;
  std::vector<std::filesystem::path> key_files;  // PEM
  std::size_t threshold = 1;
};

// Reads the keys. Fails with kFileUnreadable, or with kConfigInvalid for what is no key, a key twice in a
// rule, or a threshold that its keys cannot reach.
Result<std::vector<SignerRule>> load_signer_rules(const std::vector<SignerSettings>& settings);

// A set that somebody pushed, and who vouches for it.
struct PushedSet {
  GoldenSet set;
  Digest digest = Digest::zero(HashAlg::kSha256);  // of the set file
  std::vector<std::string> signed_by;              // ids of the keys of its rule that have signed
};

// Reads a set file, or an envelope with one; untrusted. The first rule that covers the set's name counts.
//
// Fails, in this order, as parse_envelope() and parse_golden_set(), and where there are rules with
//   kGoldenNameRefused       none covers the name
//   kGoldenUnsigned          no envelope
//   kGoldenSignerRefused     too few keys of the rule have signed, and one of another rule has
//   kGoldenSignatureMissing  too few keys of the rule have signed
//
// Without rules a set needs no envelope, and signatures of one that comes in an envelope say
// nothing. Pure.
Result<PushedSet> read_pushed_set(ByteView file, const std::vector<SignerRule>& rules);

}  // namespace assay
