#include "verifier/sessions/uid_mapping.h"

#include <nlohmann/json.hpp>

#include "verifier/identity/strict_json.h"

namespace assay {
namespace {

using nlohmann::json;

constexpr FaultId kMalformed = FaultId::kEvidenceMalformed;

std::optional<std::uint64_t> number_member(const json& object, const char* name) {
  const auto found = object.find(name);
  const auto* number =
      found == object.end() ? nullptr : found->get_ptr<const json::number_unsigned_t*>();
  return number == nullptr ? std::nullopt : std::optional<std::uint64_t>(*number);
}

// The one mapping of a list.
Result<UidMapping> only_mapping(const json& root, const char* name) {
  const auto list = root.find(name);
  if (list == root.end() || !list->is_array() || list->size() != 1 || !list->at(0).is_object()) {
    return fail(kMalformed, std::string(name) + " is not a list of one mapping");
  }
  const json& mapping = list->at(0);
  const auto host = number_member(mapping, "hostId");
  const auto container = number_member(mapping, "containerId");
  const auto length = number_member(mapping, "length");
  if (!host || !length || container != 0 || mapping.size() != 3) {
    return fail(kMalformed, std::string(name) + " has no mapping from user id 0");
  }
  const auto out = UidMapping::from(*host, *length);
  if (!out) return fail(kMalformed, std::string(name) + " has ids that no pod is given");
  return *out;
}

}  // namespace

Result<UidMapping> parse_uid_mapping(ByteView text) {
  if (text.size() > kMaxUidMappingBytes) {
    return fail(FaultId::kEvidenceTooLarge, "a mapping of user ids over 4 KiB");
  }
  ASSAY_TRY(const json root, parse_strict_object(text, kMalformed));
  ASSAY_TRY(const UidMapping users, only_mapping(root, "uidMappings"));
  ASSAY_TRY(const UidMapping groups, only_mapping(root, "gidMappings"));
  if (users != groups) return fail(kMalformed, "groups are not mapped as users are");
  if (root.size() != 2) return fail(kMalformed, "a mapping of user ids with further members");
  return users;
}

}  // namespace assay
