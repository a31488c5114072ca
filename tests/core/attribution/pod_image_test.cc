#include "core/attribution/pod_image.h"

#include <doctest/doctest.h>

using namespace assay;

namespace {

const Digest kDigest = Digest::filled(HashAlg::kSha256, 0xab);
const std::string kHex(64, 'a');
const std::string kText = "sha256:" + kHex;
const auto kParsed = parse_digest(kText);

}  // namespace

TEST_CASE("pinned_digest: what an image is pinned to, by tag or not") {
  const std::string long_text = "sha512:" + std::string(128, 'b');
  CHECK(pinned_digest("web@" + kText) == kParsed);
  CHECK(pinned_digest("registry.example:5000/shop/web:1.2@" + kText) == kParsed);
  CHECK(pinned_digest("web@" + long_text) == parse_digest(long_text));
  CHECK(pinned_digest("web@" + format_digest(kDigest)) == kDigest);
}

TEST_CASE("pinned_digest: a tag pins nothing, nor does what is no digest") {
  for (const std::string& text : std::vector<std::string>{
           "", "@", "web", "web:1.2", kText, kHex, "web@" + kHex, "web@" + kText + "0",
           "web@" + kText.substr(1), "web@" + kText + "@", "web@sha256:" + std::string(64, 'g'),
           "web@sha1:" + std::string(40, 'a'), "web@md5:" + std::string(32, 'a')}) {
    CAPTURE(text);
    CHECK_FALSE(pinned_digest(text));
  }
}

TEST_CASE("reported_digest: each form that kubelets have had") {
  for (const std::string& text : std::vector<std::string>{
           "docker.io/library/web@" + kText, "docker-pullable://web@" + kText, "docker://" + kText,
           "registry.example:5000/web@" + kText, kText, kHex}) {
    CAPTURE(text);
    CHECK(reported_digest(text) == kParsed);
  }
}

TEST_CASE("reported_digest: what is no digest reports nothing") {
  for (const std::string& text : std::vector<std::string>{
           "", "://", "web:1.2", "docker://web", kHex + "0", kHex.substr(1), "sha256:", "sha256:@",
           "web@sha1:" + std::string(40, 'a'), std::string(40, 'a')}) {
    CAPTURE(text);
    CHECK_FALSE(reported_digest(text));
  }
}

TEST_CASE("image_source_by_name: gives back what it was called") {
  for (const ImageSource source : {ImageSource::kSpec, ImageSource::kStatus}) {
    CHECK(image_source_by_name(image_source_name(source)) == source);
  }
  CHECK_FALSE(image_source_by_name("agent"));
  // The store compares them as texts.
  CHECK(image_source_name(ImageSource::kSpec) < image_source_name(ImageSource::kStatus));
}
