#include "cli/bundle.h"

#include <doctest/doctest.h>

#include "tests/cli/bundle_dir.h"

using namespace assay;
using namespace assay::testing;
namespace fs = std::filesystem;

TEST_CASE("load_bundle: reads every part of a bundle") {
  const EvidenceCase evidence = load_case("a-clean-ovmf");
  const BundleDir dir(evidence);
  const auto loaded = load_bundle(dir.path());
  REQUIRE(loaded.has_value());
  REQUIRE(loaded->has_value());
  const UntrustedBundle& bundle = **loaded;
  CHECK(bundle.quote.attest == evidence.attest);
  CHECK(bundle.quote.signature == evidence.signature);
  CHECK(bundle.quote.pcrs == evidence.pcrs);
  CHECK(as_text(bundle.ak.encoded()) == as_text(evidence.ak_public));
  CHECK(as_text(bundle.nonce.bytes()) == as_text(evidence.nonce.bytes()));
  CHECK(std::ranges::equal(bundle.ima_log.view().value(), evidence.ima_log));
  CHECK(bundle.boot_log == evidence.boot_log);
}

TEST_CASE("load_bundle: the boot log may be missing, no other file") {
  for (const std::string name :
       {"quote.attest", "quote.signature", "ak.pub", "nonce", "pcrs.json", "ima.log"}) {
    CAPTURE(name);
    const BundleDir dir("a-clean-tcb-sig");
    dir.remove(name);
    const auto loaded = load_bundle(dir.path());
    REQUIRE_FALSE(loaded.has_value());
    CHECK(loaded.error().id == FaultId::kFileUnreadable);
    CHECK(loaded.error().detail.find(name) != std::string::npos);
  }
  const BundleDir dir("a-clean-tcb-sig");
  dir.remove("boot.log");
  const auto loaded = load_bundle(dir.path());
  REQUIRE(loaded.has_value());
  REQUIRE(loaded->has_value());
  CHECK_FALSE((*loaded)->boot_log.has_value());
}

TEST_CASE("load_bundle: a boot log that cannot be read is not a boot log that is missing") {
  const BundleDir dir("a-clean-tcb-sig");
  dir.remove("boot.log");
  fs::create_symlink("nowhere", dir.file("boot.log"));
  const auto loaded = load_bundle(dir.path());
  REQUIRE_FALSE(loaded.has_value());
  CHECK(loaded.error().id == FaultId::kFileUnreadable);
}

TEST_CASE("load_bundle: opens regular files only: a pipe would keep it waiting") {
  const BundleDir dir("a-clean-tcb-sig");
  dir.remove("ima.log");
  fs::create_symlink("/dev/null", dir.file("ima.log"));
  const auto loaded = load_bundle(dir.path());
  REQUIRE_FALSE(loaded.has_value());
  CHECK(loaded.error().id == FaultId::kFileUnreadable);
  CHECK(loaded.error().detail.find("not a regular file") != std::string::npos);
}

TEST_CASE("load_bundle: a file that has not its form is a fault of the evidence") {
  const std::string zeros(64, '0');
  const std::string pcr0 = "{\"sha256\":{\"0\":\"" + zeros + "\"}}";
  struct Row {
    std::string file;
    std::string content;
    FaultId want;
  };
  const Row rows[] = {
      {"nonce", "", FaultId::kEvidenceMalformed},
      {"nonce", "\n", FaultId::kEvidenceMalformed},
      {"nonce", "xyz", FaultId::kEvidenceMalformed},
      {"nonce", "abc", FaultId::kEvidenceMalformed},
      {"nonce", "ab cd", FaultId::kEvidenceMalformed},
      {"nonce", std::string(130, 'a'), FaultId::kEvidenceMalformed},
      {"nonce", std::string(100'000, 'a'), FaultId::kEvidenceMalformed},
      {"pcrs.json", "", FaultId::kEvidenceMalformed},
      {"pcrs.json", "[]", FaultId::kEvidenceMalformed},
      {"pcrs.json", "null", FaultId::kEvidenceMalformed},
      {"pcrs.json", pcr0 + "x", FaultId::kEvidenceMalformed},
      {"pcrs.json", pcr0 + std::string("\0x", 2), FaultId::kEvidenceMalformed},
      {"pcrs.json", "{\"md5\":{}}", FaultId::kEvidenceMalformed},
      {"pcrs.json", "{\"sha256\":[]}", FaultId::kEvidenceMalformed},
      {"pcrs.json", "{\"sha256\":{\"24\":\"" + zeros + "\"}}", FaultId::kEvidenceMalformed},
      {"pcrs.json", "{\"sha256\":{\"00\":\"" + zeros + "\"}}", FaultId::kEvidenceMalformed},
      {"pcrs.json", "{\"sha256\":{\"\":\"" + zeros + "\"}}", FaultId::kEvidenceMalformed},
      {"pcrs.json", "{\"sha1\":{\"0\":\"" + zeros + "\"}}", FaultId::kEvidenceMalformed},
      {"pcrs.json", "{\"sha256\":{\"0\":\"" + zeros + "00\"}}", FaultId::kEvidenceMalformed},
      {"pcrs.json", "{\"sha256\":{\"0\":0}}", FaultId::kEvidenceMalformed},
      {"pcrs.json", std::string(60'000, '['), FaultId::kEvidenceMalformed},
      {"pcrs.json", pcr0 + std::string(100'000, ' '), FaultId::kEvidenceMalformed},
      {"quote.attest", std::string(100'000, 'a'), FaultId::kEvidenceMalformed},
      {"quote.signature", std::string(100'000, 'a'), FaultId::kEvidenceMalformed},
      {"boot.log", std::string(17'000'000, 'a'), FaultId::kEvidenceMalformed},
      {"ak.pub", "", FaultId::kAkMalformed},
      {"ak.pub", "not a key", FaultId::kAkMalformed},
  };
  for (const Row& row : rows) {
    CAPTURE(row.file);
    CAPTURE(row.content.substr(0, 80));
    const BundleDir dir("a-clean-tcb-sig");
    dir.write(row.file, row.content);
    const auto loaded = load_bundle(dir.path());
    REQUIRE(loaded.has_value());
    REQUIRE_FALSE(loaded->has_value());
    REQUIRE(loaded->error().size() == 1);
    CHECK(loaded->error()[0].id == row.want);
    CHECK(loaded->error()[0].detail.size() < 200);
  }
}

TEST_CASE("load_bundle: a log over 1 GiB is refused without being read") {
  const BundleDir dir("a-clean-tcb-sig");
  fs::resize_file(dir.file("ima.log"), (std::uintmax_t{1} << 30) + 1);  // sparse
  const auto loaded = load_bundle(dir.path());
  REQUIRE(loaded.has_value());
  REQUIRE_FALSE(loaded->has_value());
  CHECK(loaded->error()[0].id == FaultId::kEvidenceMalformed);
}

TEST_CASE("load_bundle: says all that is wrong, not the first") {
  const BundleDir dir("a-clean-tcb-sig");
  dir.write("nonce", "?");
  dir.write("pcrs.json", "?");
  dir.write("ak.pub", "?");
  const auto loaded = load_bundle(dir.path());
  REQUIRE(loaded.has_value());
  REQUIRE_FALSE(loaded->has_value());
  CHECK(loaded->error().size() == 3);
}
