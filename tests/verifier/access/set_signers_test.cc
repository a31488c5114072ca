#include "verifier/access/set_signers.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/support/golden_file.h"
#include "tests/support/signing_keys.h"
#include "tests/support/temp_dir.h"

using namespace assay;
using namespace assay::testing;

namespace {

std::string set_file(const std::string& name) {
  return format_golden_set({.name = name, .source = "rootfs", .files = {file("/bin/a", "a")}});
}

std::string envelope(const std::string& payload, const std::vector<PemKey>& keys) {
  const ByteView bytes = as_bytes(payload);
  DsseEnvelope out{.payload = Bytes(bytes.begin(), bytes.end()), .signatures = {}};
  for (const PemKey& key : keys) {
    out.signatures.push_back(
        parse_signing_private_key(as_bytes(key.private_pem))->sign(out.payload));
  }
  return format_envelope(out);
}

SigningPublicKey public_of(const PemKey& key) {
  return *parse_signing_public_key(as_bytes(key.public_pem));
}

struct Keys {
  PemKey ci = PemKey::p256();
  PemKey release = PemKey::ed25519();
  PemKey host = PemKey::p256();
  PemKey stranger = PemKey::p256();

  // shop/web needs both keys, the rest of shop one of them; host/ has a key of its own.
  std::vector<SignerRule> rules() const {
    return {{{*NameScope::parse("shop/web")}, {public_of(ci), public_of(release)}, 2},
            {{*NameScope::parse("shop/")}, {public_of(ci), public_of(release)}, 1},
            {{*NameScope::parse("host/")}, {public_of(host)}, 1}};
  }
};

FaultId refusal(const std::string& file, const Keys& keys) {
  const auto got = read_pushed_set(as_bytes(file), keys.rules());
  REQUIRE_FALSE(got.has_value());
  return got.error().id;
}

}  // namespace

TEST_CASE("read_pushed_set: without rules, a set is taken bare or in an envelope") {
  const Keys keys;
  const std::string file = set_file("any");
  const auto bare = read_pushed_set(as_bytes(file), {});
  REQUIRE(bare.has_value());
  CHECK(bare->set.name == "any");
  CHECK(bare->digest == hash(HashAlg::kSha256, as_bytes(file)));
  const auto inside = read_pushed_set(as_bytes(envelope(file, {keys.stranger})), {});
  REQUIRE(inside.has_value());
  CHECK(inside->digest == bare->digest);  // the same set, however it comes
  CHECK(inside->signed_by.empty());       // nobody has said that this key means anything
}

TEST_CASE("read_pushed_set: who has signed is known by key") {
  const Keys keys;
  const auto got = read_pushed_set(
      as_bytes(envelope(set_file("shop/web"), {keys.release, keys.stranger, keys.ci})),
      keys.rules());
  REQUIRE(got.has_value());
  std::vector<std::string> both{public_of(keys.ci).id(), public_of(keys.release).id()};
  std::ranges::sort(both);
  CHECK(got->signed_by == both);
  CHECK(read_pushed_set(as_bytes(envelope(set_file("shop/db"), {keys.ci})), keys.rules())
            ->signed_by.size() == 1);
}

TEST_CASE("read_pushed_set: each forgery has its own fault") {
  const Keys keys;
  CHECK(refusal(set_file("shop/web"), keys) == FaultId::kGoldenUnsigned);
  CHECK(refusal(envelope(set_file("other"), {keys.ci}), keys) == FaultId::kGoldenNameRefused);
  CHECK(refusal(envelope(set_file("shop/web"), {keys.ci}), keys) ==
        FaultId::kGoldenSignatureMissing);
  CHECK(refusal(envelope(set_file("shop/web"), {keys.ci, keys.ci}), keys) ==
        FaultId::kGoldenSignatureMissing);  // one key is one vote
  CHECK(refusal(envelope(set_file("shop/db"), {keys.stranger}), keys) ==
        FaultId::kGoldenSignatureMissing);
  CHECK(refusal(envelope(set_file("host/debian"), {keys.ci}), keys) ==
        FaultId::kGoldenSignerRefused);
  CHECK(refusal("{}", keys) == FaultId::kGoldenMalformed);
  CHECK(refusal(envelope("{}", {keys.ci}), keys) == FaultId::kGoldenMalformed);

  // A signature over another set; a signature under the key id of another key.
  nlohmann::json one = nlohmann::json::parse(envelope(set_file("shop/db"), {keys.ci}));
  nlohmann::json other = nlohmann::json::parse(envelope(set_file("shop/cache"), {keys.ci}));
  one["signatures"] = other["signatures"];
  CHECK(refusal(one.dump(), keys) == FaultId::kGoldenSignatureMissing);
  nlohmann::json claimed =
      nlohmann::json::parse(envelope(set_file("shop/web"), {keys.ci, keys.stranger}));
  claimed["signatures"][1]["keyid"] = public_of(keys.release).id();
  CHECK(refusal(claimed.dump(), keys) == FaultId::kGoldenSignatureMissing);
}

TEST_CASE("load_signer_rules: keys are read, and what cannot work is refused at once") {
  const Keys keys;
  const TempDir dir;
  const auto ci = dir.write("ci.pub", keys.ci.public_pem);
  const auto release = dir.write("release.pub", keys.release.public_pem);
  const std::vector<NameScope> all{*NameScope::parse("*")};
  const auto rules = load_signer_rules({{all, {ci, release}, 2}});
  REQUIRE(rules.has_value());
  CHECK((*rules)[0].keys[1].id() == public_of(keys.release).id());
  CHECK((*rules)[0].threshold == 2);

  const auto refused = [&](std::vector<std::filesystem::path> files, std::size_t threshold) {
    return load_signer_rules({{all, std::move(files), threshold}}).error();
  };
  CHECK(refused({ci, ci}, 1).detail.find("twice") != std::string::npos);
  CHECK(refused({ci}, 2).id == FaultId::kConfigInvalid);
  CHECK(refused({dir / "none.pub"}, 1).id == FaultId::kFileUnreadable);
  CHECK(refused({dir.write("private.pem", keys.ci.private_pem)}, 1).id == FaultId::kConfigInvalid);
}
