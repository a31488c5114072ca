// Golden sets as files: what `assay golden build` writes and the verifier stores.
//
// A set file is an in-toto Statement v1 in JSON whose predicate lists the files; docs/golden-sets.md
// has the format.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "core/result.h"
#include "core/signature/file_signer.h"
#include "golden/content_kind.h"

namespace assay {

inline constexpr std::size_t kMaxSetFileBytes = std::size_t{256} << 20;
inline constexpr std::size_t kMaxSetFiles = 2'000'000;
inline constexpr std::size_t kMaxSetNameBytes = 256;
inline constexpr std::size_t kMaxSetImageItems = 128;  // names, digests or layers
inline constexpr std::size_t kMaxSetSigners = 64;
inline constexpr std::size_t kMaxSetFacts = 32;
inline constexpr std::size_t kMaxFactNameBytes = 64;
inline constexpr std::size_t kMaxFactValueBytes = 512;
inline constexpr std::size_t kMaxSetPathBytes = 4096;  // Linux PATH_MAX

struct GoldenFile {
  std::string path;             // raw bytes as the kernel logs them, 1 to kMaxSetPathBytes
  std::vector<Digest> digests;  // one per algorithm, in HashAlg's order, at least one
  std::uint64_t size = 0;       // bytes; 0 when the source does not know
  std::uint32_t mode = 0;       // permission bits, at most 07777; 0 when the source does not know
  std::optional<std::uint32_t> uid = {};  // of the owner; nothing when the source does not know
  std::optional<std::uint32_t> gid = {};  // likewise
  ContentKind kind = ContentKind::kUnknown;
  // Which of the image's layers, by index, it comes from; nothing in a set without an image.
  std::optional<std::uint8_t> layer = {};
  friend auto operator<=>(const GoldenFile&, const GoldenFile&) = default;
};

// A key whose signature makes any file golden.
struct GoldenSigner {
  std::string name;  // for people: raw bytes, 1 to kMaxSetNameBytes
  FileSigner key;
  friend bool operator==(const GoldenSigner& a, const GoldenSigner& b) {
    return a.name == b.name && a.key.encoded() == b.key.encoded();
  }
};

// What a set made from an image knows of it.
struct GoldenImage {
  std::vector<std::string> names;  // that its source gives it, each as valid_set_name()
  std::vector<Digest> digests;     // by which a runtime may report it: index, manifest, config
  std::vector<Digest> layers;      // diff_ids from the lowest
  friend bool operator==(const GoldenImage&, const GoldenImage&) = default;
};

// What who built a set says of the build, "revision" and its commit: for people, and never decides. At
// most kMaxSetFacts, each as valid_fact_name() and valid_fact_value().
using GoldenFacts = std::map<std::string, std::string>;

struct GoldenSet {
  std::string name;    // 1 to kMaxSetNameBytes of printable ASCII without spaces: "host/debian-12"
  std::string source;  // what it was built from: 1 to 64 of a-z, 0-9 and '-'; "rootfs", "ima-log"
  // Ascending, none twice; one path may have several contents. A set without signers has some.
  std::vector<GoldenFile> files;
  std::optional<GoldenImage> image = {};
  std::vector<GoldenSigner> signers = {};  // ascending by key.encoded(), no key twice
  GoldenFacts facts = {};
  friend bool operator==(const GoldenSet&, const GoldenSet&) = default;
};

// "0644": a mode's four octal digits.
std::string format_mode(std::uint32_t mode);

// Whether `name` can name a set.
bool valid_set_name(std::string_view name);

// Whether `name` can name a fact: 1 to kMaxFactNameBytes of a-z, 0-9, '.', '_' and '-'.
bool valid_fact_name(std::string_view name);

// Whether `value` can be a fact's: 1 to kMaxFactValueBytes of printable text (core/text.h).
bool valid_fact_value(std::string_view value);

// Sorts as a set has them, and leaves each file or key once.
void sort_files(std::vector<GoldenFile>& files);
void sort_signers(std::vector<GoldenSigner>& signers);

// Reads a set file.
//
//   json   untrusted; any JSON spacing and order of members, but no member that is not known: one
//          that a later format adds must not be overlooked
//
// Fails with
//   kGoldenTooLarge   over kMaxSetFileBytes, kMaxSetFiles, kMaxSetImageItems, kMaxSetSigners or
//                     kMaxSetFacts
//   kGoldenMalformed  not JSON; an unknown, missing, repeated or ill-typed member; another statement
//                     or predicate type; a name, source, path, digest, size, mode,
//                     owner, kind or fact that format_golden_set() does not write; a layer that `image` does
//                     not have, or without an `image`; a key that parse_file_signer() refuses; a file
//                     without digests; neither file nor signer; one of them not in order; a subject
//                     digest that is not that of signers and files
//
// Memory is bounded by the files' own. Says nothing of who made the set. Pure.
Result<GoldenSet> parse_golden_set(ByteView json);

// The set as a file: one line per file, so that equal sets are equal bytes and changes read well in
// a diff. `set` is as GoldenSet says. Pure.
std::string format_golden_set(const GoldenSet& set);

}  // namespace assay
