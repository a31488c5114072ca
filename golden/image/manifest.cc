#include "golden/image/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text.h"

namespace assay {
namespace {

using Json = nlohmann::json;

constexpr unsigned kMaxNesting = 3;
constexpr std::size_t kMaxDescriptors = 1024;  // in all indexes together

tl::unexpected<Fault> malformed(const std::string& what) {
  return fail(FaultId::kImageMalformed, what);
}

std::string shown(std::string_view text) {
  return shorten(escape_bytes(text), 200);
}

// A member's text; "" when there is none or it is none.
std::string text_of(const Json& object, const char* name) {
  if (!object.is_object()) return "";
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

Result<Json> list_of(const Json& object, const char* name) {
  if (object.is_object()) {
    const auto it = object.find(name);
    if (it != object.end() && it->is_array()) return *it;
  }
  return malformed("no list \"" + std::string(name) + "\"");
}

Result<Digest> digest_of(const std::string& text) {
  const auto digest = parse_digest(text);
  if (!digest || digest->alg() == HashAlg::kSha1 || format_digest(*digest) != text) {
    return fail(FaultId::kImageUnsupported, "a digest of no known algorithm: " + shown(text));
  }
  return *digest;
}

std::string blob_path(const Digest& digest) {
  return "blobs/" + std::string(hash_name(digest.alg())) + "/" + to_hex(digest.bytes());
}

Result<std::string> read_small(const BlobStore& blobs, const std::string& path) {
  ASSAY_TRY(const std::unique_ptr<ByteSource> source, blobs.open(path));
  std::string out;
  while (true) {
    ASSAY_TRY(const ByteView part, source->next());
    if (part.empty()) return out;
    if (out.size() + part.size() > kMaxImageJsonBytes) {
      return fail(FaultId::kImageTooLarge, shown(path) + ": over 4 MiB");
    }
    out.append(part.begin(), part.end());
  }
}

Result<Json> parse_json(const std::string& text, const std::string& path) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || text.find('\0') != std::string::npos) {
    return malformed(shown(path) + ": not JSON");
  }
  return json;
}

struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t bytes;
};

Result<Descriptor> descriptor_of(const Json& json) {
  ASSAY_TRY(const Digest digest, digest_of(text_of(json, "digest")));
  const auto size = json.find("size");
  if (size == json.end() || !size->is_number_unsigned()) return malformed("a part without a size");
  return Descriptor{text_of(json, "mediaType"), digest, size->get<std::uint64_t>()};
}

Result<Json> read_blob_json(const BlobStore& blobs, const Descriptor& part) {
  const std::string path = blob_path(part.digest);
  ASSAY_TRY(const std::string text, read_small(blobs, path));
  if (text.size() < part.bytes) return fail(FaultId::kImageTruncated, path);
  if (text.size() > part.bytes || hash(part.digest.alg(), as_bytes(text)) != part.digest) {
    return fail(FaultId::kImageDigestMismatch, path);
  }
  return parse_json(text, path);
}

bool is_index(std::string_view type) {
  return type == "application/vnd.oci.image.index.v1+json" ||
         type == "application/vnd.docker.distribution.manifest.list.v2+json";
}

bool is_manifest(std::string_view type) {
  return type == "application/vnd.oci.image.manifest.v1+json" ||
         type == "application/vnd.docker.distribution.manifest.v2+json";
}

bool is_layer(std::string_view type) {
  constexpr std::string_view kTypes[] = {
      "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip",
      "application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.docker.image.rootfs.diff.tar",
      "application/vnd.docker.image.rootfs.diff.tar.gzip"};
  return std::ranges::find(kTypes, type) != std::end(kTypes);
}

std::string platform_of(const Json& object) {
  const std::string os = text_of(object, "os");
  if (os.empty()) return "";
  const std::string variant = text_of(object, "variant");
  return os + "/" + text_of(object, "architecture") + (variant.empty() ? "" : "/" + variant);
}

// "linux/arm" asks for any variant of it.
bool platform_fits(const std::string& asked, const std::string& has) {
  return asked.empty() || has.empty() || has == asked || has.starts_with(asked + "/");
}

// An image that an index names, and the names and digests on the way to it.
struct Found {
  Descriptor manifest;
  std::vector<std::string> names;
  std::vector<Digest> above;
  std::string platform;
};

class Indexes {
 public:
  Indexes(const BlobStore& blobs, const ImageChoice& choice) : blobs_(blobs), choice_(choice) {}

  Status add(const Json& index, const Found* above, unsigned depth) {
    if (depth > kMaxNesting) return fail(FaultId::kImageTooLarge, "indexes nested too deep");
    ASSAY_TRY(const Json manifests, list_of(index, "manifests"));
    for (const Json& json : manifests) {
      if (++descriptors_ > kMaxDescriptors) {
        return fail(FaultId::kImageTooLarge,
                    "indexes of over " + std::to_string(kMaxDescriptors) + " manifests");
      }
      ASSAY_TRY(Descriptor part, descriptor_of(json));
      const Json annotations = json.value("annotations", Json::object());
      // What builders attach to an image is not one.
      if (!text_of(annotations, "vnd.docker.reference.type").empty()) continue;
      Found found{.manifest = part,
                  .names = above ? above->names : std::vector<std::string>{},
                  .above = above ? above->above : std::vector<Digest>{},
                  .platform = json.contains("platform") ? platform_of(json["platform"]) : ""};
      for (const char* name : {"io.containerd.image.name", "org.opencontainers.image.ref.name"}) {
        if (std::string text = text_of(annotations, name); !text.empty()) {
          found.names.push_back(std::move(text));
        }
      }
      if (is_index(part.media_type)) {
        found.above.push_back(part.digest);
        ASSAY_TRY(const Json inner, read_blob_json(blobs_, part));
        ASSAY_OK(add(inner, &found, depth + 1));
      } else if (is_manifest(part.media_type)) {
        take(std::move(found));
      } else {
        return fail(FaultId::kImageUnsupported, "media type " + shown(part.media_type));
      }
    }
    return {};
  }

  Result<Found> only() && {
    if (found_.size() == 1) return std::move(found_.front());
    std::string there;
    for (const std::string& one : seen_) there += (there.empty() ? "" : ", ") + one;
    return fail(FaultId::kImageAmbiguous,
                (found_.empty() ? "no such image; there are: " : "several images: ") +
                    shorten(there, 1000));
  }

 private:
  void take(Found found) {
    std::string seen = found.names.empty() ? "(no name)" : shown(found.names.front());
    if (!found.platform.empty()) seen += " " + shown(found.platform);
    seen_.push_back(std::move(seen));
    const bool named =
        choice_.ref.empty() || std::ranges::find(found.names, choice_.ref) != found.names.end();
    const bool twice = std::ranges::any_of(
        found_, [&](const Found& f) { return f.manifest.digest == found.manifest.digest; });
    if (named && !twice && platform_fits(choice_.platform, found.platform)) {
      found_.push_back(std::move(found));
    }
  }

  const BlobStore& blobs_;
  const ImageChoice& choice_;
  std::size_t descriptors_ = 0;
  std::vector<Found> found_;
  std::vector<std::string> seen_;
};

Result<std::vector<Digest>> diff_ids(const Json& config) {
  if (!config.is_object() || !config.contains("rootfs")) return malformed("no \"rootfs\"");
  ASSAY_TRY(const Json list, list_of(config["rootfs"], "diff_ids"));
  if (list.size() > kMaxImageLayers) {
    return fail(FaultId::kImageTooLarge, "over " + std::to_string(kMaxImageLayers) + " layers");
  }
  std::vector<Digest> out;
  for (const Json& item : list) {
    ASSAY_TRY(const Digest digest, digest_of(item.is_string() ? item.get<std::string>() : ""));
    out.push_back(digest);
  }
  return out;
}

Result<ImageManifest> read_manifest(const BlobStore& blobs, Found found) {
  ASSAY_TRY(const Json manifest, read_blob_json(blobs, found.manifest));
  if (!manifest.is_object() || !manifest.contains("config")) return malformed("no \"config\"");
  ASSAY_TRY(const Descriptor config_part, descriptor_of(manifest["config"]));
  ASSAY_TRY(const Json config, read_blob_json(blobs, config_part));
  ASSAY_TRY(const std::vector<Digest> ids, diff_ids(config));
  ASSAY_TRY(const Json layers, list_of(manifest, "layers"));
  if (layers.size() != ids.size()) return malformed("as many layers as diff_ids there are not");
  ImageManifest out{
      .names = std::move(found.names), .digests = std::move(found.above), .layers = {}};
  out.digests.push_back(found.manifest.digest);
  out.digests.push_back(config_part.digest);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ASSAY_TRY(const Descriptor part, descriptor_of(layers[i]));
    if (!is_layer(part.media_type)) {
      return fail(FaultId::kImageUnsupported, "media type " + shown(part.media_type));
    }
    out.layers.push_back({blob_path(part.digest), part.digest, part.bytes, ids[i]});
  }
  return out;
}

std::vector<std::string> texts(const Json& list) {
  std::vector<std::string> out;
  for (const Json& item : list) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

Result<Json> pick(const Json& images, const ImageChoice& choice) {
  std::vector<Json> fitting;
  for (const Json& image : images) {
    if (!image.is_object()) return malformed("manifest.json: not a list of images");
    const auto tags = texts(image.value("RepoTags", Json::array()));
    if (choice.ref.empty() || std::ranges::find(tags, choice.ref) != tags.end()) {
      fitting.push_back(image);
    }
  }
  if (fitting.size() == 1) return fitting.front();
  return fail(FaultId::kImageAmbiguous, std::to_string(fitting.size()) + " of " +
                                            std::to_string(images.size()) + " images fit");
}

}  // namespace

Result<ImageManifest> read_oci_layout(const BlobStore& blobs, const ImageChoice& choice) {
  ASSAY_TRY(const std::string layout_text, read_small(blobs, "oci-layout"));
  ASSAY_TRY(const Json layout, parse_json(layout_text, "oci-layout"));
  if (!text_of(layout, "imageLayoutVersion").starts_with("1.")) {
    return fail(FaultId::kImageUnsupported, "the layout's version");
  }
  ASSAY_TRY(const std::string index_text, read_small(blobs, "index.json"));
  ASSAY_TRY(const Json index, parse_json(index_text, "index.json"));
  Indexes indexes(blobs, choice);
  ASSAY_OK(indexes.add(index, nullptr, 1));
  ASSAY_TRY(Found found, std::move(indexes).only());
  return read_manifest(blobs, std::move(found));
}

Result<ImageManifest> read_docker_archive(const BlobStore& blobs, const ImageChoice& choice) {
  if (blobs.open("oci-layout")) return read_oci_layout(blobs, choice);
  ASSAY_TRY(const std::string list_text, read_small(blobs, "manifest.json"));
  ASSAY_TRY(const Json images, parse_json(list_text, "manifest.json"));
  if (!images.is_array()) return malformed("manifest.json: not a list of images");
  ASSAY_TRY(const Json image, pick(images, choice));
  const std::string config_path = text_of(image, "Config");
  ASSAY_TRY(const std::string config_text, read_small(blobs, config_path));
  ASSAY_TRY(const Json config, parse_json(config_text, config_path));
  if (!platform_fits(choice.platform, platform_of(config))) {
    return fail(FaultId::kImageAmbiguous, "the image is for " + shown(platform_of(config)));
  }
  ASSAY_TRY(const std::vector<Digest> ids, diff_ids(config));
  ASSAY_TRY(const Json list, list_of(image, "Layers"));
  const std::vector<std::string> layers = texts(list);
  if (layers.size() != ids.size()) return malformed("as many layers as diff_ids there are not");
  ImageManifest out{.names = texts(image.value("RepoTags", Json::array())),
                    .digests = {hash(HashAlg::kSha256, as_bytes(config_text))},
                    .layers = {}};
  for (std::size_t i = 0; i < ids.size(); ++i) {
    out.layers.push_back({layers[i], std::nullopt, std::nullopt, ids[i]});
  }
  return out;
}

}  // namespace assay
