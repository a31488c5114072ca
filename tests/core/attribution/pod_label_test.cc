#include "core/attribution/pod_label.h"

#include <doctest/doctest.h>

#include <set>

#include "tests/support/ima_builder.h"
#include "tests/support/signing.h"

using namespace assay;
using namespace assay::testing;

namespace {

constexpr std::string_view kUid = "0fd1c1a3-2b4c-4d5e-8f60-718293a4b5c6";
constexpr std::string_view kSlice = "pod0fd1c1a3_2b4c_4d5e_8f60_718293a4b5c6.slice";
constexpr std::string_view kStatic = "0123456789abcdef0123456789abcdef";

std::string text_of_cgroup(const std::string& path) {
  const auto label = pod_of_cgroup(path);
  return label ? label->text() : "none";
}

// The label of a log's only entry.
std::optional<PodLabel> label_in(const ImaBuilder& log, ImaLogForm form = {}) {
  return pod_label(ImaLogReader(log.bytes(), form).next().value());
}

std::optional<PodLabel> label_of_owner(std::uint64_t uid, std::uint64_t gid, std::size_t size = 4) {
  ImaBuilder log;
  log.record(kImaPcr, "d-ng|n-ng|iuid|igid",
             {d_ng(digest_of("f")), n_ng("/f"), log.number(uid, size), log.number(gid, size)});
  return label_in(log);
}

}  // namespace

TEST_CASE("pod_of_cgroup: a container's cgroup names its pod, by every driver and runtime") {
  const std::string slice(kSlice);
  const std::string uid(kUid);
  const std::string paths[] = {
      "/kubepods.slice/kubepods-" + slice,
      "/kubepods.slice/kubepods-" + slice + "/cri-containerd-" + std::string(64, 'a') + ".scope",
      "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-" + slice + "/crio-" +
          std::string(64, 'b') + ".scope/container",
      "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-" + slice + "/x",
      "/kubepods/pod" + uid + "/" + std::string(64, 'c'),
      "/kubepods/burstable/pod" + uid,
      "/kubepods/besteffort/pod" + uid + "/" + std::string(64, 'd'),
  };
  for (const std::string& path : paths) {
    CAPTURE(path);
    CHECK(text_of_cgroup(path) == uid);
  }
  CHECK(text_of_cgroup("/kubepods/besteffort/pod" + std::string(kStatic) + "/c") == kStatic);
}

TEST_CASE("pod_of_cgroup: the first pod in a path counts, whatever a container makes below") {
  const std::string victim = "kubepods-pod11111111_2222_3333_4444_555555555555.slice";
  CHECK(text_of_cgroup("/kubepods.slice/kubepods-" + std::string(kSlice) + "/c.scope/" + victim) ==
        kUid);
  CHECK(text_of_cgroup("/kubepods/pod" + std::string(kUid) + "/" + victim) == kUid);
}

TEST_CASE("pod_of_cgroup: what is not a pod's cgroup names none") {
  const std::string slice(kSlice);
  const std::string uid(kUid);
  const std::pair<std::string, std::string> rows[] = {
      {"nothing", ""},
      {"the root", "/"},
      {"what the kernel writes when it has no path", "-"},
      {"a service of the host", "/system.slice/containerd.service"},
      {"a user's slice of that name", "/user.slice/kubepods.slice/kubepods-" + slice},
      {"a folder of that name further down", "/x/kubepods/pod" + uid},
      {"a folder of another name", "/docker/pod" + uid},
      {"a pod's slice without the class above it",
       "/kubepods.slice/kubepods-burstable.slice/kubepods-" + slice},
      {"no leading slash", "kubepods/pod" + uid},
      {"all pods", "/kubepods.slice"},
      {"a class of service", "/kubepods.slice/kubepods-burstable.slice"},
      {"another class than the one above it",
       "/kubepods.slice/kubepods-burstable.slice/kubepods-besteffort-" + slice},
      {"a class without its slice", "/kubepods.slice/kubepods-burstable-" + slice},
      {"a class that is none", "/kubepods/guaranteed/pod" + uid},
      {"a slice without its end", "/kubepods.slice/kubepods-pod" + uid},
      {"a UID that is too short", "/kubepods/pod" + uid.substr(1)},
      {"a UID that is too long", "/kubepods/pod" + uid + "0"},
      {"a UID in capitals", "/kubepods/pod0FD1C1A3-2b4c-4d5e-8f60-718293a4b5c6"},
      {"a UID with a dash elsewhere", "/kubepods/pod0fd1c1a32-b4c-4d5e-8f60-718293a4b5c6"},
      {"a UID of other letters", "/kubepods/podgfd1c1a3-2b4c-4d5e-8f60-718293a4b5c6"},
      {"an empty part", "/kubepods//pod" + uid},
  };
  for (const auto& [name, path] : rows) {
    CAPTURE(name);
    CHECK(text_of_cgroup(path) == "none");
  }
}

TEST_CASE("PodLabel: a range of user ids is where the owner is, and the first is no pod's") {
  CHECK_FALSE(PodLabel::uid_range(0));
  CHECK_FALSE(PodLabel::uid_range(65535));
  CHECK(PodLabel::uid_range(65536)->text() == "65536-131071");
  CHECK(PodLabel::uid_range(131071) == PodLabel::uid_range(65536));
  CHECK(PodLabel::uid_range(131072)->text() == "131072-196607");
  CHECK(PodLabel::uid_range(0xffff'fffe)->text() == "4294901760-4294967295");
  CHECK_FALSE(PodLabel::uid_range(0xffff'ffff));
}

TEST_CASE("PodLabel: what it says of itself is read again, and nothing else is") {
  for (const auto& label :
       {PodLabel::pod(kUid), PodLabel::pod(kStatic), PodLabel::uid_range(70000)}) {
    REQUIRE(label.has_value());
    CHECK(PodLabel::parse(label->attribution(), label->text()) == label);
    CHECK(attribution_by_name(attribution_name(label->attribution())) == label->attribution());
  }
  CHECK_FALSE(attribution_by_name("hint"));
  CHECK_FALSE(PodLabel::parse(Attribution::kCgroup, "65536-131071"));
  for (const char* text :
       {"", "65536", "65536-131072", "65537-131071", "0-65535", "65536-131071 ", "99999999999-1"}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(PodLabel::parse(Attribution::kUidRange, text));
  }
  CHECK(std::set{*PodLabel::pod(kUid), *PodLabel::pod(kStatic), *PodLabel::uid_range(65536),
                 *PodLabel::uid_range(131072)}
            .size() == 4);
}

TEST_CASE("pod_label: owner and group are of one range, in the log's byte order, or name none") {
  CHECK(label_of_owner(66536, 66536) == PodLabel::uid_range(65536));
  CHECK(label_of_owner(65536, 131071) == PodLabel::uid_range(65536));
  CHECK_FALSE(label_of_owner(0, 0));
  CHECK_FALSE(label_of_owner(65536, 131072));
  CHECK_FALSE(label_of_owner(65536, 0));
  CHECK_FALSE(label_of_owner(0, 65536));
  CHECK_FALSE(label_of_owner(65536, 65536, 8));
  CHECK_FALSE(label_of_owner(7, 7, 2));
  const ImaLogForm big{.order = ByteOrder::kBig};
  ImaBuilder log({HashAlg::kSha256}, big);
  log.record(kImaPcr, "d-ng|n-ng|iuid|igid",
             {d_ng(digest_of("f")), n_ng("/f"), log.number(131072, 4), log.number(131073, 4)});
  CHECK(label_in(log, big) == PodLabel::uid_range(131072));
}

TEST_CASE("pod_label: an entry of the cgroup template is its pod's, and a violation nobody's") {
  const std::string path = "/kubepods.slice/kubepods-" + std::string(kSlice) + "/c.scope";
  ImaBuilder log;
  log.file_in_cgroup("/f", digest_of("f"), path);
  const auto label = label_in(log);
  REQUIRE(label.has_value());
  CHECK(describe(*label) == "attributed by cgroup to pod " + std::string(kUid));
  auto entry = ImaLogReader(log.bytes()).next().value();
  entry.violation = true;
  CHECK_FALSE(pod_label(entry));

  ImaBuilder both;
  both.record(
      kImaPcr, "d-ng|n-ng|iuid|igid|cg-path",
      {d_ng(digest_of("f")), n_ng("/f"), both.number(65536, 4), both.number(65536, 4), n_ng(path)});
  CHECK(label_in(both) == label);  // the stronger one

  ImaBuilder host;
  host.file("/kubepods/pod" + std::string(kUid), digest_of("f"));
  CHECK_FALSE(label_in(host));
}
