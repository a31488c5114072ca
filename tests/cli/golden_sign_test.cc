#include "cli/golden_sign.h"

#include <doctest/doctest.h>

#include <fstream>

#include "core/bytes.h"
#include "golden/set_file.h"
#include "tests/cli/assay_process.h"
#include "tests/support/ima_builder.h"
#include "tests/support/signing_keys.h"
#include "tests/support/temp_dir.h"

using namespace assay;
using namespace assay::testing;

namespace {

// A set, and two keys that may sign it.
struct Desk {
  TempDir dir;
  PemKey p256 = PemKey::p256();
  PemKey ed25519 = PemKey::ed25519();
  std::string text = format_golden_set({.name = "shop/web",
                                        .source = "rootfs",
                                        .files = {{.path = "/a", .digests = {digest_of("a")}}}});
  std::string set = dir.write("set.json", text).string();
  std::string a = dir.write("a.pem", p256.private_pem).string();
  std::string b = dir.write("b.pem", ed25519.private_pem).string();
  std::string a_pub = dir.write("a.pub", p256.public_pem).string();
  std::string b_pub = dir.write("b.pub", ed25519.public_pem).string();
  std::string out = (dir / "set.dsse.json").string();

  Finished sign(const std::string& what, const std::string& key) const {
    return run_assay({"golden", "sign", what, "--key", key, "-o", out, "--json"});
  }
  Finished verify(Arguments more) const {
    Arguments all = {"golden", "verify", out, "--json"};
    all.insert(all.end(), more.begin(), more.end());
    return run_assay(all);
  }
  nlohmann::json envelope() const {
    std::ifstream in(out);
    return nlohmann::json::parse(in);
  }
};

}  // namespace

TEST_CASE("golden sign: openssl, which knows nothing of ours, accepts each signature") {
  const Desk desk;
  REQUIRE(desk.sign(desk.set, desk.a).exit == 0);
  REQUIRE(desk.sign(desk.out, desk.b).exit == 0);  // adds to the envelope
  const auto envelope = desk.envelope();
  CHECK(envelope["payloadType"] == "application/vnd.in-toto+json");
  const auto payload = from_base64(std::string(envelope["payload"]));
  REQUIRE(payload.has_value());
  CHECK(as_text(*payload) == desk.text);
  REQUIRE(envelope["signatures"].size() == 2);
  const std::string pae = "DSSEv1 28 application/vnd.in-toto+json " +
                          std::to_string(desk.text.size()) + " " + desk.text;
  const std::string message = desk.dir.write("pae", pae).string();
  const auto signature = [&](std::size_t i) {
    const auto bytes = from_base64(std::string(envelope["signatures"][i]["sig"]));
    return desk.dir.write("sig" + std::to_string(i), as_text(*bytes)).string();
  };
  CHECK(run_program({"openssl", "dgst", "-sha256", "-verify", desk.a_pub, "-signature",
                     signature(0), message})
            .exit == 0);
  CHECK(run_program({"openssl", "pkeyutl", "-verify", "-pubin", "-inkey", desk.b_pub, "-rawin",
                     "-sigfile", signature(1), "-in", message})
            .exit == 0);
}

TEST_CASE("golden verify: enough different keys have to have signed") {
  const Desk desk;
  REQUIRE(desk.sign(desk.set, desk.a).exit == 0);
  const Finished one = desk.verify({"--key", desk.a_pub, "--key", desk.b_pub});
  CHECK(one.exit == 0);
  CHECK(one.json().at("name") == "shop/web");
  CHECK(one.json().at("signed_by").size() == 1);
  const Finished two = desk.verify({"--key", desk.a_pub, "--key", desk.b_pub, "--threshold", "2"});
  CHECK(two.exit == 1);
  CHECK(two.complains_of("signed by 1 of the keys, 2 wanted"));
  // The same key again is still one.
  REQUIRE(desk.sign(desk.out, desk.a).exit == 0);
  CHECK(desk.envelope()["signatures"].size() == 1);
  CHECK(desk.verify({"--key", desk.a_pub, "--key", desk.a_pub, "--threshold", "2"}).exit == 1);
  REQUIRE(desk.sign(desk.out, desk.b).exit == 0);
  CHECK(desk.verify({"--key", desk.a_pub, "--key", desk.b_pub, "--threshold", "2"}).exit == 0);
  CHECK(desk.verify({"--key", desk.dir.write("c.pub", PemKey::p256().public_pem).string()}).exit ==
        1);
}

TEST_CASE("golden sign, golden verify: what cannot be read is one line, status 3, and no file") {
  const Desk desk;
  const std::string junk = desk.dir.write("junk", "{}").string();
  const Finished no_set = desk.sign(junk, desk.a);
  CHECK(no_set.exit == 3);
  CHECK(no_set.complains_of("junk: a golden set cannot be read"));
  const Finished no_key = desk.sign(desk.set, desk.a_pub);
  CHECK(no_key.exit == 3);
  CHECK(no_key.complains_of("a.pub: a golden set cannot be read: not a P-256 or Ed25519 key"));
  CHECK_FALSE(std::ifstream(desk.out).good());
  REQUIRE(desk.sign(desk.set, desk.a).exit == 0);
  const Finished got = run_assay({"golden", "diff", desk.out, desk.set});
  CHECK(got.exit == 3);
  CHECK(got.complains_of("it is a signed envelope: give the set that was signed"));
  const Finished unsigned_set = run_assay({"golden", "verify", desk.set, "--key", desk.a_pub});
  CHECK(unsigned_set.exit == 3);
  CHECK(unsigned_set.complains_of("set.json: a golden set cannot be read: envelope"));
}
