// Random sets, with and without each member that a set may leave out.
#include <doctest/doctest.h>

#include <random>

#include "golden/set_file.h"
#include "tests/support/evidence_case.h"

using namespace assay;
using namespace assay::testing;

namespace {

class RandomSets {
 public:
  explicit RandomSets(unsigned seed) : random_(seed) {}

  GoldenSet next() {
    GoldenSet out{.name = "n/" + std::to_string(random_()), .source = "oci", .files = {}};
    if (maybe()) out.image = image();
    for (std::size_t i = 1 + below(20); i > 0; --i) out.files.push_back(file(out.image));
    sort_files(out.files);
    if (maybe()) {
      for (std::size_t i = below(kMaxSetFacts + 1); i > 0; --i) out.facts.insert(fact());
    }
    if (maybe()) {
      for (const char* key : {"ima-rsa", "ima-ec"}) out.signers.push_back(signer(key));
      sort_signers(out.signers);
    }
    return out;
  }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }
  bool maybe() { return random_() % 2 == 0; }

  std::string bytes(std::size_t max) {
    std::string out(1 + below(max), '\0');
    for (char& c : out) c = static_cast<char>(maybe() ? random_() : "/\\\"ax\xc3\xa9"[below(7)]);
    return out;
  }

  Digest digest(HashAlg alg) { return Digest::filled(alg, static_cast<std::uint8_t>(random_())); }

  GoldenImage image() {
    GoldenImage out;
    for (std::size_t i = below(3); i > 0; --i) out.names.push_back("i:" + std::to_string(i));
    for (std::size_t i = below(3); i > 0; --i) out.digests.push_back(digest(HashAlg::kSha256));
    for (std::size_t i = below(kMaxSetImageItems + 1); i > 0; --i) {
      out.layers.push_back(digest(HashAlg::kSha256));
    }
    return out;
  }

  GoldenFile file(const std::optional<GoldenImage>& image) {
    GoldenFile out{.path = bytes(40),
                   .digests = {},
                   .size = random_() >> below(64),
                   .mode = static_cast<std::uint32_t>(below(010000))};
    for (const HashAlg alg : kAllHashAlgs) {
      if (maybe()) out.digests.push_back(digest(alg));
    }
    if (out.digests.empty()) out.digests.push_back(digest(HashAlg::kSha256));
    if (maybe()) out.uid = static_cast<std::uint32_t>(random_() >> below(32));
    if (maybe()) out.gid = static_cast<std::uint32_t>(random_() >> below(32));
    out.kind = static_cast<ContentKind>(below(3));
    if (image && !image->layers.empty() && maybe()) {
      out.layer = static_cast<std::uint8_t>(below(image->layers.size()));
    }
    return out;
  }

  GoldenFacts::value_type fact() {
    std::string name(1 + below(kMaxFactNameBytes), '\0');
    for (char& c : name) c = "a0z9._-"[below(7)];
    const std::string piece = maybe() ? "\"\\ /x" : "\xc3\xa9";
    std::string value;
    for (std::size_t i = 1 + below(kMaxFactValueBytes / piece.size()); i > 0; --i) value += piece;
    return {std::move(name), std::move(value)};
  }

  GoldenSigner signer(const std::string& key) {
    return {bytes(20), *parse_file_signer(*signer_spki(read_test_data("keys/" + key + ".pub")))};
  }

  std::mt19937_64 random_;
};

}  // namespace

TEST_CASE("parse_golden_set: reads any set that format_golden_set can write, as the same set") {
  RandomSets sets(7);
  for (int i = 0; i < 2000; ++i) {
    CAPTURE(i);
    const GoldenSet set = sets.next();
    const std::string text = format_golden_set(set);
    const auto read = parse_golden_set(as_bytes(text));
    REQUIRE(read.has_value());
    CHECK(*read == set);
    CHECK(format_golden_set(*read) == text);
  }
}
