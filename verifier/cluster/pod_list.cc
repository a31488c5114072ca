#include "verifier/cluster/pod_list.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

namespace assay {
namespace {

using nlohmann::json;

constexpr FaultId kMalformed = FaultId::kClusterMalformed;
constexpr std::size_t kMaxNamespace = 63;  // a DNS label
constexpr std::size_t kMaxName = 253;      // a DNS subdomain
constexpr std::string_view kTrue = "true";
constexpr std::string_view kFalse = "false";

// Objects and arrays of a document that hold something to keep.
enum class Place : std::uint8_t {
  kSkipped,
  kList,
  kListMeta,
  kItems,
  kEvent,
  kObject,  // of an event: a pod or a Status
  kPod,     // of a list
  kPodMeta,
  kAnnotations,
  kSpec,
  kContainers,  // of any kind
  kContainer,
  kVolumes,
  kVolume,
  kImageVolume,
  kStatus,
  kContainerStatuses,
  kContainerStatus,
};

// Values to keep. Those of a pod come first.
enum class Field : std::uint8_t {
  kUid,
  kNamespace,
  kName,
  kNode,
  kMirror,
  kHash,
  kHostUsers,
  kPodVersion,
  kImage,    // of one container or volume at a time
  kImageId,  // likewise
  kPodFieldCount,
  kKind = kPodFieldCount,
  kApiVersion,
  kListVersion,
  kContinue,
  kType,
  kCode,
  kCount,
};

struct Branch {
  Place from;
  std::string_view key;
  Place to;
};

constexpr Branch kBranches[] = {
    {Place::kList, "metadata", Place::kListMeta},
    {Place::kList, "items", Place::kItems},
    {Place::kEvent, "object", Place::kObject},
    {Place::kObject, "metadata", Place::kPodMeta},
    {Place::kObject, "spec", Place::kSpec},
    {Place::kObject, "status", Place::kStatus},
    {Place::kPod, "metadata", Place::kPodMeta},
    {Place::kPod, "spec", Place::kSpec},
    {Place::kPod, "status", Place::kStatus},
    {Place::kPodMeta, "annotations", Place::kAnnotations},
    {Place::kSpec, "containers", Place::kContainers},
    {Place::kSpec, "initContainers", Place::kContainers},
    {Place::kSpec, "ephemeralContainers", Place::kContainers},
    {Place::kSpec, "volumes", Place::kVolumes},
    {Place::kVolume, "image", Place::kImageVolume},
    {Place::kStatus, "containerStatuses", Place::kContainerStatuses},
    {Place::kStatus, "initContainerStatuses", Place::kContainerStatuses},
    {Place::kStatus, "ephemeralContainerStatuses", Place::kContainerStatuses},
};

// What the objects in an array are.
constexpr std::pair<Place, Place> kElements[] = {
    {Place::kItems, Place::kPod},
    {Place::kContainers, Place::kContainer},
    {Place::kVolumes, Place::kVolume},
    {Place::kContainerStatuses, Place::kContainerStatus},
};

struct Leaf {
  Place at;
  std::string_view key;
  Field field;
};

constexpr Leaf kLeaves[] = {
    {Place::kList, "kind", Field::kKind},
    {Place::kList, "apiVersion", Field::kApiVersion},
    {Place::kListMeta, "resourceVersion", Field::kListVersion},
    {Place::kListMeta, "continue", Field::kContinue},
    {Place::kEvent, "type", Field::kType},
    {Place::kObject, "kind", Field::kKind},
    {Place::kObject, "apiVersion", Field::kApiVersion},
    {Place::kObject, "code", Field::kCode},
    {Place::kPodMeta, "uid", Field::kUid},
    {Place::kPodMeta, "namespace", Field::kNamespace},
    {Place::kPodMeta, "name", Field::kName},
    {Place::kPodMeta, "resourceVersion", Field::kPodVersion},
    {Place::kSpec, "nodeName", Field::kNode},
    {Place::kSpec, "hostUsers", Field::kHostUsers},
    {Place::kAnnotations, "kubernetes.io/config.mirror", Field::kMirror},
    {Place::kAnnotations, "kubernetes.io/config.hash", Field::kHash},
    {Place::kContainer, "image", Field::kImage},
    {Place::kImageVolume, "reference", Field::kImage},
    {Place::kContainerStatus, "imageID", Field::kImageId},
};

bool valid_name(std::string_view text, std::size_t most) {
  return !text.empty() && text.size() <= most && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

// Sees the parser's events and keeps the fields of the document and of one pod at a time.
class PodReader final : public nlohmann::json_sax<json> {
 public:
  explicit PodReader(Place root) : root_(root) {}

  // What is wrong with the document; empty: nothing.
  std::string_view wrong() const { return wrong_; }
  const std::string& text(Field field) const { return fields_.at(index(field)).value; }
  bool has(Field field) const { return fields_.at(index(field)).known; }

  // The pod whose fields are here; nothing when it is none that can be used.
  std::optional<PodRecord> pod() const {
    const auto uid = PodLabel::pod(text(Field::kUid));
    const std::string& node = text(Field::kNode);
    if (!uid || !valid_name(text(Field::kNamespace), kMaxNamespace) ||
        !valid_name(text(Field::kName), kMaxName) ||
        (!node.empty() && !valid_name(node, kMaxName))) {
      return std::nullopt;
    }
    PodRecord out{.uid = *uid,
                  .facts = {.name_space = text(Field::kNamespace),
                            .name = text(Field::kName),
                            .node = node,
                            .is_mirror = has(Field::kMirror),
                            .has_own_users = text(Field::kHostUsers) == kFalse}};
    out.images = images_;
    if (out.facts.is_mirror) {
      out.static_uid = PodLabel::pod(text(Field::kMirror));
      if (!out.static_uid) out.static_uid = PodLabel::pod(text(Field::kHash));
    }
    // Of two words for an image the better one.
    std::ranges::sort(out.images);
    const auto same = [](const PodImage& a, const PodImage& b) { return a.digest == b.digest; };
    out.images.erase(std::unique(out.images.begin(), out.images.end(), same), out.images.end());
    return out;
  }

  std::vector<PodRecord> take_pods() { return std::move(pods_); }
  std::size_t skipped() const { return skipped_; }

  bool null() override { return !in_items() || refuse("an item that is no pod"); }
  bool boolean(bool value) override {
    return leaf() == Field::kHostUsers ? keep(Field::kHostUsers, value ? kTrue : kFalse)
                                       : other_value();
  }
  bool number_integer(number_integer_t /*value*/) override { return other_value(); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override {
    return other_value();
  }
  bool number_unsigned(number_unsigned_t value) override {
    return leaf() == Field::kCode ? keep(Field::kCode, std::to_string(value)) : other_value();
  }
  bool string(string_t& value) override {
    if (in_items()) return refuse("an item that is no pod");
    const Field field = leaf();
    if (field == Field::kCode || field == Field::kHostUsers) return other_value();
    return field == Field::kCount || keep(field, value);
  }
  bool binary(binary_t& /*value*/) override { return other_value(); }

  bool start_object(std::size_t /*size*/) override {
    const Place place = object();
    if (is_array(place)) return refuse("a list that is none");
    if (place == Place::kPod || place == Place::kObject) clear_pod();
    if (holds_image(place)) clear_image();
    return open(place);
  }
  bool key(string_t& value) override {
    // Only what a place has to keep is compared with it.
    if (places_.back() != Place::kSkipped) key_ = value;
    return true;
  }
  bool end_object() override {
    const Place place = places_.back();
    if (holds_image(place)) add_images();
    if (place == Place::kPod) {
      auto read = pod();
      if (read) {
        pods_.push_back(*std::move(read));
      } else {
        ++skipped_;
      }
    }
    return close();
  }
  bool start_array(std::size_t /*size*/) override {
    if (places_.empty() || in_items()) return refuse("not a JSON object");
    const Place place = child();
    return open(is_array(place) ? place : Place::kSkipped);
  }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                   const json::exception& /*error*/) override {
    return refuse("not JSON");
  }

 private:
  struct Kept {
    std::string value;
    bool known = false;
  };

  static bool is_array(Place place) {
    return std::ranges::any_of(kElements,
                               [place](const auto& each) { return each.first == place; });
  }
  static bool holds_image(Place place) {
    return place == Place::kContainer || place == Place::kVolume ||
           place == Place::kContainerStatus;
  }
  static std::size_t index(Field field) { return static_cast<std::size_t>(field); }

  bool in_items() const { return !places_.empty() && places_.back() == Place::kItems; }

  bool refuse(std::string_view why) {
    if (wrong_.empty()) wrong_ = why;
    return false;
  }

  // Where the member leads that is being read.
  Place child() const {
    if (places_.empty()) return Place::kSkipped;
    const auto* found = std::ranges::find_if(kBranches, [this](const Branch& branch) {
      return branch.from == places_.back() && branch.key == key_;
    });
    return found == std::end(kBranches) ? Place::kSkipped : found->to;
  }
  // What an object is that begins here.
  Place object() const {
    if (places_.empty()) return root_;
    const auto* element = std::ranges::find_if(
        kElements, [this](const auto& each) { return each.first == places_.back(); });
    return element == std::end(kElements) ? child() : element->second;
  }
  // Which field it is; kCount: none.
  Field leaf() const {
    if (places_.empty()) return Field::kCount;
    const auto* found = std::ranges::find_if(kLeaves, [this](const Leaf& leaf) {
      return leaf.at == places_.back() && leaf.key == key_;
    });
    return found == std::end(kLeaves) ? Field::kCount : found->field;
  }

  bool open(Place place) {
    if (leaf() != Field::kCount) return refuse("a member of another type");
    if (places_.size() >= kMaxPodJsonDepth) return refuse("JSON that is nested too deep");
    places_.push_back(place);
    return true;
  }
  bool close() {
    places_.pop_back();
    return true;
  }
  bool other_value() {
    if (places_.empty()) return refuse("not a JSON object");
    if (in_items()) return refuse("an item that is no pod");
    return leaf() == Field::kCount || refuse("a member of another type");
  }
  bool keep(Field field, std::string_view value) {
    Kept& kept = fields_.at(index(field));
    if (kept.known) return refuse("a member stands twice");
    // One byte more than any of them may have: it is seen to be too long.
    kept = {.value = std::string(value.substr(0, kMaxListTokenBytes + 1)), .known = true};
    return true;
  }
  void clear_pod() {
    for (std::size_t i = 0; i < index(Field::kPodFieldCount); ++i) fields_.at(i) = {};
    images_.clear();
  }
  void clear_image() {
    for (const Field field : {Field::kImage, Field::kImageId}) fields_.at(index(field)) = {};
  }
  void add_images() {
    const auto add = [this](std::optional<Digest> digest, ImageSource source) {
      if (digest && images_.size() < kMaxPodImages) images_.push_back({*digest, source});
    };
    add(pinned_digest(text(Field::kImage)), ImageSource::kSpec);
    add(reported_digest(text(Field::kImageId)), ImageSource::kStatus);
  }

  Place root_;
  std::vector<Place> places_;  // objects and arrays that are open
  std::string key_;            // of the innermost object
  std::array<Kept, static_cast<std::size_t>(Field::kCount)> fields_{};
  std::vector<PodImage> images_;  // of one pod
  std::vector<PodRecord> pods_;
  std::size_t skipped_ = 0;
  std::string_view wrong_;
};

Status read_document(ByteView text, std::size_t most, PodReader& reader) {
  if (text.size() > most) return fail(kMalformed, "over the size limit");
  // nlohmann's lexer takes a NUL for the end, and would not look at what stands behind it.
  if (std::ranges::find(text, std::uint8_t{0}) != text.end()) return fail(kMalformed, "a NUL byte");
  if (json::sax_parse(text.begin(), text.end(), &reader) && reader.wrong().empty()) return {};
  return fail(kMalformed, std::string(reader.wrong().empty() ? "not JSON" : reader.wrong()));
}

Status expect_kind(const PodReader& reader, std::string_view kind) {
  if (reader.text(Field::kKind) == kind && reader.text(Field::kApiVersion) == "v1") return {};
  return fail(kMalformed, "not a v1/" + std::string(kind));
}

Result<std::string> version_of(const PodReader& reader, Field field) {
  const std::string& version = reader.text(field);
  if (version.empty()) return fail(kMalformed, "no resourceVersion");
  if (version.size() > kMaxListTokenBytes) return fail(kMalformed, "a resourceVersion too long");
  return version;
}

std::optional<PodEvent::Kind> kind_of(std::string_view type) {
  using Kind = PodEvent::Kind;
  constexpr std::pair<std::string_view, Kind> kTypes[] = {{"ADDED", Kind::kAdded},
                                                          {"MODIFIED", Kind::kModified},
                                                          {"DELETED", Kind::kDeleted},
                                                          {"BOOKMARK", Kind::kBookmark},
                                                          {"ERROR", Kind::kError}};
  for (const auto& [name, kind] : kTypes) {
    if (name == type) return kind;
  }
  return std::nullopt;
}

Result<std::uint32_t> status_code(const std::string& text) {
  std::uint32_t code = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, code);
  if (text.empty() || error != std::errc{} || stop != end) {
    return fail(kMalformed, "a Status without a code");
  }
  return code;
}

}  // namespace

bool skips_pod(const PodEvent& event) {
  using Kind = PodEvent::Kind;
  return !event.pod && event.kind != Kind::kBookmark && event.kind != Kind::kError;
}

Result<PodList> parse_pod_list(ByteView text) {
  PodReader reader(Place::kList);
  ASSAY_OK(read_document(text, kMaxPodPageBytes, reader));
  ASSAY_OK(expect_kind(reader, "PodList"));
  PodList out;
  ASSAY_TRY(out.resource_version, version_of(reader, Field::kListVersion));
  out.continue_token = reader.text(Field::kContinue);
  if (out.continue_token.size() > kMaxListTokenBytes)
    return fail(kMalformed, "a continue too long");
  out.pods = reader.take_pods();
  out.skipped = reader.skipped();
  return out;
}

Result<PodEvent> parse_watch_event(ByteView text) {
  PodReader reader(Place::kEvent);
  ASSAY_OK(read_document(text, kMaxPodEventBytes, reader));
  const auto kind = kind_of(reader.text(Field::kType));
  if (!kind) return fail(kMalformed, "a watch event of an unknown type");
  PodEvent out{.kind = *kind, .pod = {}, .resource_version = {}};
  if (*kind == PodEvent::Kind::kError) {
    ASSAY_OK(expect_kind(reader, "Status"));
    ASSAY_TRY(out.status, status_code(reader.text(Field::kCode)));
    return out;
  }
  ASSAY_OK(expect_kind(reader, "Pod"));
  ASSAY_TRY(out.resource_version, version_of(reader, Field::kPodVersion));
  if (*kind != PodEvent::Kind::kBookmark) out.pod = reader.pod();
  return out;
}

}  // namespace assay
