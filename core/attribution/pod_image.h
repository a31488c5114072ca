// The images that pods name by digest, and whose word that is.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/attribution/pod_label.h"
#include "core/digest.h"

namespace assay {

// Who says that a pod has an image, the more trusted one first.
enum class ImageSource : std::uint8_t {
  kSpec,    // the control plane: the image is named by digest in the pod's spec
  kStatus,  // the pod's node: its kubelet reports what it has pulled
};

std::string_view image_source_name(ImageSource source);  // "spec"
std::optional<ImageSource> image_source_by_name(std::string_view name);

// Of an index, a manifest or a configuration: what CRI and registries call an image by.
struct PodImage {
  Digest digest;
  ImageSource source = ImageSource::kSpec;

  friend auto operator<=>(const PodImage&, const PodImage&) = default;
};

// A pod that was put on a node, with images.
struct PodPlacement {
  PodLabel pod;
  std::string node{};
  std::string name{};  // "namespace/name"
  std::vector<PodImage> images{};
};

// The digest that an image is pinned to: "registry.example/shop/web:1.2@sha256:…". Nothing for a tag, which
// says another thing each day, and for digests that are no SHA-2. Total and pure, as the next.
std::optional<Digest> pinned_digest(std::string_view reference);

// Likewise of what kubelets report as imageID, in each of its forms: "NAME@sha256:…", "sha256:…" or bare hex,
// each with a runtime's scheme or without, such as "docker-pullable://".
std::optional<Digest> reported_digest(std::string_view image_id);

}  // namespace assay
