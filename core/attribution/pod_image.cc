#include "core/attribution/pod_image.h"

namespace assay {
namespace {

std::optional<Digest> image_digest(std::string_view text) {
  const auto digest = parse_digest(text);
  return digest && digest->alg() != HashAlg::kSha1 ? digest : std::nullopt;
}

// What stands behind the last `mark`; all of it where there is none.
std::string_view behind(std::string_view text, std::string_view mark) {
  const std::size_t at = text.rfind(mark);
  return at == std::string_view::npos ? text : text.substr(at + mark.size());
}

}  // namespace

std::string_view image_source_name(ImageSource source) {
  return source == ImageSource::kSpec ? "spec" : "status";
}

std::optional<ImageSource> image_source_by_name(std::string_view name) {
  for (const ImageSource source : {ImageSource::kSpec, ImageSource::kStatus}) {
    if (image_source_name(source) == name) return source;
  }
  return std::nullopt;
}

std::optional<Digest> pinned_digest(std::string_view reference) {
  const std::size_t at = reference.rfind('@');
  if (at == std::string_view::npos) return std::nullopt;
  return image_digest(reference.substr(at + 1));
}

std::optional<Digest> reported_digest(std::string_view image_id) {
  const std::string_view text = behind(behind(image_id, "://"), "@");
  if (text.find(':') != std::string_view::npos) return image_digest(text);
  return image_digest("sha256:" + std::string(text));
}

}  // namespace assay
