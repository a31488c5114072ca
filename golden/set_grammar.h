// Which members a set file has, and where: docs/golden-sets.md says what they mean.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace assay {

// Where in the statement a reader is. The grammar has no recursion.
enum class SetPlace : std::uint8_t {
  kOutside,
  kStatement,
  kSubjects,
  kSubject,
  kSubjectDigest,
  kPredicate,
  kFiles,
  kFile,
  kSigners,
  kSigner,
  kFacts,  // whose members have names of the builder's choice
  kImage,
  kImageNames,
  kImageDigests,
  kImageLayers,
};
inline constexpr std::size_t kSetPlaces = 15;

enum class MemberKind : std::uint8_t { kText, kNumber, kObject, kArray };
enum class MemberNeed : std::uint8_t { kRequired, kOptional };

struct SetMember {
  SetPlace in;
  std::string_view name;
  MemberKind kind;
  MemberNeed need = MemberNeed::kRequired;
  SetPlace inside = SetPlace::kOutside;  // of an object or array
};

// In the order in which they are written.
inline constexpr std::array kSetMembers = {
    SetMember{SetPlace::kStatement, "_type", MemberKind::kText},
    SetMember{SetPlace::kStatement, "subject", MemberKind::kArray, MemberNeed::kRequired,
              SetPlace::kSubjects},
    SetMember{SetPlace::kStatement, "predicateType", MemberKind::kText},
    SetMember{SetPlace::kStatement, "predicate", MemberKind::kObject, MemberNeed::kRequired,
              SetPlace::kPredicate},
    SetMember{SetPlace::kSubject, "name", MemberKind::kText},
    SetMember{SetPlace::kSubject, "digest", MemberKind::kObject, MemberNeed::kRequired,
              SetPlace::kSubjectDigest},
    SetMember{SetPlace::kSubjectDigest, "sha256", MemberKind::kText},
    SetMember{SetPlace::kPredicate, "source", MemberKind::kText},
    SetMember{SetPlace::kPredicate, "facts", MemberKind::kObject, MemberNeed::kOptional,
              SetPlace::kFacts},
    SetMember{SetPlace::kPredicate, "image", MemberKind::kObject, MemberNeed::kOptional,
              SetPlace::kImage},
    SetMember{SetPlace::kPredicate, "signers", MemberKind::kArray, MemberNeed::kOptional,
              SetPlace::kSigners},
    SetMember{SetPlace::kPredicate, "files", MemberKind::kArray, MemberNeed::kRequired,
              SetPlace::kFiles},
    SetMember{SetPlace::kImage, "names", MemberKind::kArray, MemberNeed::kRequired,
              SetPlace::kImageNames},
    SetMember{SetPlace::kImage, "digests", MemberKind::kArray, MemberNeed::kRequired,
              SetPlace::kImageDigests},
    SetMember{SetPlace::kImage, "layers", MemberKind::kArray, MemberNeed::kRequired,
              SetPlace::kImageLayers},
    SetMember{SetPlace::kSigner, "name", MemberKind::kText},
    SetMember{SetPlace::kSigner, "key", MemberKind::kText},
    SetMember{SetPlace::kFile, "path", MemberKind::kText},
    SetMember{SetPlace::kFile, "sha1", MemberKind::kText, MemberNeed::kOptional},
    SetMember{SetPlace::kFile, "sha256", MemberKind::kText, MemberNeed::kOptional},
    SetMember{SetPlace::kFile, "sha384", MemberKind::kText, MemberNeed::kOptional},
    SetMember{SetPlace::kFile, "sha512", MemberKind::kText, MemberNeed::kOptional},
    SetMember{SetPlace::kFile, "size", MemberKind::kNumber},
    SetMember{SetPlace::kFile, "mode", MemberKind::kText},
    SetMember{SetPlace::kFile, "uid", MemberKind::kNumber, MemberNeed::kOptional},
    SetMember{SetPlace::kFile, "gid", MemberKind::kNumber, MemberNeed::kOptional},
    SetMember{SetPlace::kFile, "kind", MemberKind::kText, MemberNeed::kOptional},
    SetMember{SetPlace::kFile, "layer", MemberKind::kNumber, MemberNeed::kOptional},
};

// The member of that name in that place; null when the grammar has none.
const SetMember* find_set_member(SetPlace in, std::string_view name);

}  // namespace assay
