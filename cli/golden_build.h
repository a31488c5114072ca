// Making golden sets for `assay golden build`: files in, a set and what was left out of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "golden/image/image.h"
#include "golden/set_file.h"

namespace assay {

// A set, and what its source has that is not in it.
struct BuiltSet {
  GoldenSet set;
  std::vector<std::pair<std::string, std::uint64_t>> left_out;  // why, and how many
  std::vector<std::string> left_out_paths;                      // those that are known by name
};

// What `hashes`, names of algorithms as the command line has them, ask for: sha256 when there is none.
std::vector<HashAlg> chosen_algorithms(const std::vector<std::string>& hashes);

// How many threads hash.
unsigned build_threads();

// Of every regular file in a directory. `hashes` are names of algorithms; none: sha256. Shows its
// progress on a terminal.
Result<BuiltSet> build_set_from_tree(const std::string& name, const std::string& dir,
                                     const std::vector<std::string>& hashes);

// Of every regular file that a container of an image sees. `options` say which image; algorithms,
// threads and progress are as above.
Result<BuiltSet> build_set_from_image(const std::string& name, ImageOptions options,
                                      const std::vector<std::string>& hashes);

// Of everything that an IMA log has measured.
Result<BuiltSet> build_set_from_log(const std::string& name, const std::string& path);

// Of certificates whose keys may be on a keyring: files in PEM or DER. Fails with kGoldenMalformed for
// one that is neither. `hashes` as above.
Result<BuiltSet> build_set_from_keys(const std::string& name, const std::vector<std::string>& paths,
                                     const std::vector<std::string>& hashes);

// Of nothing yet but signers to come.
BuiltSet set_of_signers(const std::string& name);

// Adds the keys of certificates and public keys in PEM or DER, whose signatures make any file golden.
// Fails with kGoldenMalformed for what is neither, or for a key that parse_file_signer() refuses, and
// with kGoldenTooLarge over kMaxSetSigners.
Status add_signers(const std::vector<std::string>& paths, GoldenSet& set);

// What was built, with the digest of `file`, the set as a file.
std::string built_json(const BuiltSet& built, std::string_view file);
std::string built_text(const BuiltSet& built, std::string_view file);

}  // namespace assay
