#include "core/attribution/pod_label.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include "core/bytes.h"

namespace assay {
namespace {

constexpr std::size_t kDashes[] = {8, 13, 18, 23};  // in a UID that has them
constexpr std::uint32_t kNoUser = 0xffff'ffff;      // what a user namespace does not map

// Cuts `text` before the next '/', and that off.
std::string_view take_part(std::string_view& text) {
  const std::size_t slash = text.find('/');
  const std::string_view part = text.substr(0, slash);
  text.remove_prefix(slash == std::string_view::npos ? text.size() : slash + 1);
  return part;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool take_end(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

// Of Kubernetes' classes of service, the two that have a cgroup; pods of the third are above them.
std::string_view service_class(std::string_view name) {
  for (const std::string_view known : {"burstable", "besteffort"}) {
    if (name == known) return known;
  }
  return {};
}

// kubepods.slice/[kubepods-CLASS.slice/]kubepods-[CLASS-]podUID.slice: Kubernetes
// pkg/kubelet/cm/cgroup_manager_linux.go, systemd's nesting of slices.
std::optional<PodLabel> pod_of_slice(std::string_view path) {
  std::string_view part = take_part(path);
  std::string_view class_name = part;
  if (!take(class_name, "kubepods-") || !take_end(class_name, ".slice")) return std::nullopt;
  class_name = service_class(class_name);
  if (!class_name.empty()) part = take_part(path);
  if (!take(part, "kubepods-") || !take_end(part, ".slice")) return std::nullopt;
  if (!class_name.empty() && (!take(part, class_name) || !take(part, "-"))) return std::nullopt;
  return take(part, "pod") ? PodLabel::pod(part) : std::nullopt;
}

// kubepods/[CLASS/]podUID: the cgroupfs driver.
std::optional<PodLabel> pod_of_folder(std::string_view path) {
  std::string_view part = take_part(path);
  if (!service_class(part).empty()) part = take_part(path);
  return take(part, "pod") ? PodLabel::pod(part) : std::nullopt;
}

// A string of a template field: NUL-terminated.
std::string_view text_of(ByteView field) {
  const std::string_view text = as_text(field);
  return text.substr(0, text.find('\0'));
}

std::optional<std::uint32_t> number_of(ByteView field, ByteOrder order) {
  ByteReader reader(field);
  const std::uint32_t number = reader.u32(order);
  return reader.ok() && reader.at_end() ? std::optional(number) : std::nullopt;
}

// Owner and group are from one range, or they name none.
std::optional<PodLabel> range_of(ByteView uid, ByteView gid, ByteOrder order) {
  const auto user = number_of(uid, order);
  const auto group = number_of(gid, order);
  if (!user || !group) return std::nullopt;
  const auto label = PodLabel::uid_range(*user);
  return label == PodLabel::uid_range(*group) ? label : std::nullopt;
}

}  // namespace

std::string_view attribution_name(Attribution attribution) {
  switch (attribution) {
    case Attribution::kCgroup:
      return "cgroup";
    case Attribution::kUidRange:
      return "uid range";
  }
  return "";
}

std::optional<Attribution> attribution_by_name(std::string_view name) {
  for (const Attribution attribution : kAllAttributions) {
    if (attribution_name(attribution) == name) return attribution;
  }
  return std::nullopt;
}

std::optional<PodLabel> PodLabel::pod(std::string_view uid) {
  PodLabel out(Attribution::kCgroup);
  const std::size_t digits = 2 * out.id_.size();
  out.is_static_ = uid.size() == digits;
  if (!out.is_static_ && uid.size() != digits + std::size(kDashes)) return std::nullopt;
  std::size_t digit = 0;
  for (std::size_t i = 0; i < uid.size(); ++i) {
    const char c = uid[i];
    if (!out.is_static_ && std::ranges::find(kDashes, i) != std::end(kDashes)) {
      if (c != '-' && c != '_') return std::nullopt;
      continue;
    }
    const bool is_decimal = c >= '0' && c <= '9';
    if (!is_decimal && (c < 'a' || c > 'f')) return std::nullopt;
    const auto value = static_cast<std::uint8_t>(is_decimal ? c - '0' : c - 'a' + 10);
    std::uint8_t& byte = out.id_[digit / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | value);
    ++digit;
  }
  return out;
}

std::optional<PodLabel> PodLabel::uid_range(std::uint32_t uid) {
  const std::uint32_t first = uid - uid % kUidsPerPod;
  if (first == 0 || uid == kNoUser) return std::nullopt;
  PodLabel out(Attribution::kUidRange);
  for (std::size_t i = 0; i < sizeof first; ++i) {
    out.id_[i] = static_cast<std::uint8_t>(first >> (24 - 8 * i));
  }
  return out;
}

std::string PodLabel::text() const {
  if (attribution_ == Attribution::kUidRange) {
    std::uint32_t first = 0;
    for (std::size_t i = 0; i < sizeof first; ++i) first = first << 8 | id_[i];
    return std::to_string(first) + '-' + std::to_string(first + (kUidsPerPod - 1));
  }
  std::string out = to_hex(id_);
  if (is_static_) return out;
  for (const std::size_t dash : kDashes) out.insert(dash, 1, '-');
  return out;
}

std::optional<PodLabel> PodLabel::parse(Attribution attribution, std::string_view text) {
  if (attribution == Attribution::kCgroup) return pod(text);
  std::uint32_t first = 0;
  std::from_chars(text.data(), text.data() + text.size(), first);
  const auto out = uid_range(first);
  return out && out->text() == text ? out : std::nullopt;
}

std::optional<PodLabel> pod_of_cgroup(std::string_view path) {
  if (!take(path, "/")) return std::nullopt;
  const std::string_view root = take_part(path);
  if (root == "kubepods.slice") return pod_of_slice(path);
  return root == "kubepods" ? pod_of_folder(path) : std::nullopt;
}

std::optional<PodLabel> pod_label(const ImaEntry& entry) {
  if (entry.violation) return std::nullopt;
  std::optional<ByteView> uid;
  std::optional<ByteView> gid;
  for (const ImaFieldValue& field : entry.all_fields()) {
    if (field.field == ImaField::kCgPath) return pod_of_cgroup(text_of(field.value));
    if (field.field == ImaField::kIuid) uid = field.value;
    if (field.field == ImaField::kIgid) gid = field.value;
  }
  return uid && gid ? range_of(*uid, *gid, entry.order) : std::nullopt;
}

std::string describe(const PodLabel& label) {
  const std::string_view what = label.attribution() == Attribution::kCgroup ? "pod " : "uids ";
  return "attributed by " + std::string(attribution_name(label.attribution())) + " to " +
         std::string(what) + label.text();
}

}  // namespace assay
