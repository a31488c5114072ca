// Which pod an entry belongs to, by what the kernel wrote beside the digest and a TPM has signed.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/ima_log.h"

namespace assay {

// How an entry came by its label, the strongest first.
enum class Attribution : std::uint8_t {
  kCgroup,    // the cgroup of the process that used the file is a pod's
  kUidRange,  // the file's owner is from a range of user ids that the node gave to one pod
};

inline constexpr Attribution kAllAttributions[] = {Attribution::kCgroup, Attribution::kUidRange};

// "cgroup", "uid range".
std::string_view attribution_name(Attribution attribution);
std::optional<Attribution> attribution_by_name(std::string_view name);

// A pod as the kernel can name it. Small, copyable, no allocation.
class PodLabel {
 public:
  static constexpr std::uint32_t kUidsPerPod = 65536;  // of a pod with `hostUsers: false`

  // The pod with this UID: as Kubernetes makes them, "0fd1c1a3-…", or the 32 hex digits without dashes
  // that a static pod has. Its dashes may be '_'. Nothing when it is anything else.
  static std::optional<PodLabel> pod(std::string_view uid);
  // The range that `uid` is in. Nothing for the first one, the host's, and for "no user", 2^32 - 1.
  static std::optional<PodLabel> uid_range(std::uint32_t uid);

  Attribution attribution() const { return attribution_; }
  // The pod's UID, or "131072-196607".
  std::string text() const;
  // What text() gave of such a label.
  static std::optional<PodLabel> parse(Attribution attribution, std::string_view text);

  friend auto operator<=>(const PodLabel&, const PodLabel&) = default;

 private:
  explicit PodLabel(Attribution attribution) : attribution_(attribution) {}

  Attribution attribution_;
  bool is_static_ = false;             // a UID without dashes
  std::array<std::uint8_t, 16> id_{};  // the UID, or where the range begins
};

// The pod whose cgroup, or one below it, `path` is: a path from the root of the hierarchy, as the kubelet's
// systemd and cgroupfs drivers name them. The first pod in it counts: a container may make cgroups of any
// name below its own.
std::optional<PodLabel> pod_of_cgroup(std::string_view path);

// The label of `entry`, by the strongest field that its template has (docs/ima-log.md). Nothing for a
// violation, whose data nobody has signed.
//
// A label is the kernel's word, not a proof: root on the node moves processes between cgroups, and makes
// user namespaces and owners as it likes; and a file on a volume or a tmpfs has another owner than the pod
// that runs it. No label says "host".
//
// Total and pure; no allocation.
std::optional<PodLabel> pod_label(const ImaEntry& entry);

// "attributed by cgroup to pod 0fd1c1a3-…", "attributed by uid range to uids 131072-196607".
std::string describe(const PodLabel& label);

}  // namespace assay
