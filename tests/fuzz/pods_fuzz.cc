// No list of pods, no line of a watch and no pod's user ids may crash the readers, and what they keep is what
// Kubernetes allows.
#include <algorithm>

#include "tests/fuzz/check.h"
#include "verifier/cluster/pod_list.h"
#include "verifier/sessions/uid_mapping.h"

namespace assay {
namespace {

void check_name(const std::string& name, std::size_t most) {
  FUZZ_CHECK(name.size() <= most);
  FUZZ_CHECK(std::ranges::none_of(name, [](char c) { return c <= ' ' || c == '/' || c > '~'; }));
}

void check_pod(const PodRecord& pod) {
  FUZZ_CHECK(!pod.facts.name_space.empty() && !pod.facts.name.empty());
  check_name(pod.facts.name_space, 63);
  check_name(pod.facts.name, 253);
  check_name(pod.facts.node, 253);
  FUZZ_CHECK(pod.uid.attribution() == Attribution::kCgroup);
  FUZZ_CHECK(!pod.static_uid || pod.facts.is_mirror);
  FUZZ_CHECK(pod.images.size() <= kMaxPodImages);
  for (std::size_t i = 0; i < pod.images.size(); ++i) {
    FUZZ_CHECK(i == 0 || pod.images[i - 1].digest < pod.images[i].digest);
  }
}

void check_version(const std::string& version) {
  FUZZ_CHECK(!version.empty() && version.size() <= kMaxListTokenBytes);
}

void check_mapping(ByteView input) {
  const auto mapping = parse_uid_mapping(input);
  if (!mapping) return;
  FUZZ_CHECK(input.size() <= kMaxUidMappingBytes);
  FUZZ_CHECK(mapping->ranges() > 0 && mapping->ranges() <= UidMapping::kMaxRanges);
  std::optional<PodLabel> before;
  for (std::uint32_t i = 0; i < mapping->ranges(); ++i) {
    const PodLabel label = mapping->label(i);
    FUZZ_CHECK(label.attribution() == Attribution::kUidRange);
    FUZZ_CHECK(!before || *before < label);
    before = label;
  }
}

void check(ByteView input) {
  check_mapping(input);
  if (const auto list = parse_pod_list(input)) {
    check_version(list->resource_version);
    FUZZ_CHECK(list->continue_token.size() <= kMaxListTokenBytes);
    for (const PodRecord& pod : list->pods) check_pod(pod);
  }
  const auto event = parse_watch_event(input);
  if (!event) return;
  FUZZ_CHECK(event->kind != PodEvent::Kind::kBookmark || !event->pod);
  if (event->kind == PodEvent::Kind::kError) return;
  check_version(event->resource_version);
  if (event->pod) check_pod(*event->pod);
}

}  // namespace
}  // namespace assay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  assay::check({data, size});
  return 0;
}
