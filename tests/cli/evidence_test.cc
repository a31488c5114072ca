#include "cli/evidence.h"

#include <doctest/doctest.h>

#include <set>

#include "golden/set_file.h"
#include "tests/cli/assay_process.h"
#include "tests/cli/bundle_dir.h"

using namespace assay;
using namespace assay::testing;

namespace {

// Forgeries of EK certificates, which a bundle does not hold: as evidence they are genuine.
const std::set<std::string> kGenuineAsEvidence = {"p-16-other-machine-ek-cert",
                                                  "p-18-rogue-ca-ek-cert"};

// Why each forgery has to be refused.
const std::map<std::string, std::string> kForgeries = {
    {"p-01-entry-removed", "ima.pcr_mismatch"},
    {"p-02-digest-changed-rehashed", "ima.pcr_mismatch"},
    {"p-05-truncated-mid-record", "ima.malformed"},
    {"p-07-other-nonce", "quote.nonce_mismatch"},
    {"p-08-signature-bit-flip", "quote.bad_signature"},
    {"p-27-template-renamed", "ima.malformed"},
    {"p-42-forged-entry-other-pcr", "ima.pcr_not_quoted"},
    {"p-51-quote-without-pcr10", "quote.ima_pcr_missing"},
    {"p-57-certify-as-quote", "quote.not_a_quote"},
    {"p-71-bios-event-text-changed", "boot.event_digest_mismatch"},
};

Finished verify(const BundleDir& bundle, Arguments more = {}) {
  more.insert(more.begin(), {"evidence", "verify", bundle.path(), "--json"});
  return run_assay(more);
}

// A set of everything that the bundle's log has measured.
std::string learn(const BundleDir& bundle, const TempDir& dir) {
  const std::string set = (dir / "set.json").string();
  const Finished built =
      run_assay({"golden", "build", "--ima-log", bundle.file("ima.log"), "--name", "l", "-o", set});
  REQUIRE(built.exit == 0);
  return set;
}

GoldenSet read_set(const std::string& path) {
  const auto set = parse_golden_set(as_bytes(read_file(path)));
  REQUIRE(set.has_value());
  return *set;
}

}  // namespace

TEST_CASE("evidence verify: judges every case as the tools that made it did") {
  std::size_t accepted = 0;
  std::size_t refused = 0;
  for (const std::string& name : all_cases()) {
    CAPTURE(name);
    const EvidenceCase evidence = load_case(name);
    const bool accept =
        evidence.expected.at("verdict").at("must") == "accept" || kGenuineAsEvidence.contains(name);
    const Finished got = verify(BundleDir(evidence));
    CAPTURE(got.out);
    CHECK(got.exit == (accept ? 0 : 2));
    CHECK(got.err.empty());
    const auto json = got.json();
    REQUIRE(json.is_object());
    CHECK(json.at("verdict") == (accept ? "trusted" : "invalid"));
    if (!accept) {
      ++refused;
      REQUIRE(json.at("faults").size() == 1);
      CHECK(json.at("faults")[0].at("id") == kForgeries.at(name));
      continue;
    }
    ++accepted;
    const auto& log = evidence.expected.at("log");
    CHECK(json.at("log").at("entries") == log.at("entries"));
    CHECK(json.at("log").at("templates") == log.at("templates"));
    CHECK(json.at("log").at("violations") == log.at("violation_entries"));
    CHECK(json.at("log").at("boot_aggregate_ok") == true);
    const auto& quote = evidence.expected.at("quote");
    CHECK(json.at("log").at("proven") == quote.at("covers_entries"));
    CHECK(json.at("log").at("tail") == quote.at("entries_after_quote"));
    CHECK(json.at("quote").at("authentic") == true);
    CHECK(json.at("quote").at("nonce_ok") == true);
    CHECK(json.at("quote").at("bank") == "sha256");
    CHECK(json.at("quote").at("pcrs") == quote.at("selection").at("sha256"));
    CHECK(json.at("quote").at("reset_count") == quote.at("resetCount"));
    CHECK(json.at("quote").at("restart_count") == quote.at("restartCount"));
    CHECK(json.at("quote").at("clock_ms") == quote.at("clock"));
    CHECK(json.at("quote").at("safe") == quote.at("safe"));
    CHECK(json.at("faults").empty());
    CHECK(json.at("faults_total") == 0);
  }
  CHECK(accepted == 19);
  CHECK(refused == kForgeries.size());
}

TEST_CASE(
    "evidence verify: files that a golden key signed are accepted, and it says by which rule") {
  const TempDir dir;
  const BundleDir bundle("g-signed");
  const std::string keys = ASSAY_TEST_DATA "/keys/";
  const std::string signers = (dir / "signers.json").string();
  REQUIRE(run_assay({"golden", "build", "--name", "signed", "-o", signers, "--signer",
                     keys + "ima-rsa.pub", "--signer", keys + "ima-ec.der"})
              .exit == 0);
  const auto json = verify(bundle, {"--golden", signers}).json();
  CHECK(json.at("verdict") == "compromised");
  CHECK(json.at("faults_total") ==
        73 - 1 - 3);  // boot_aggregate, two files by RSA and one by ECDSA
  CHECK(json.at("accepted").at("boot_aggregate") == 1);
  CHECK(json.at("accepted").at("digest") == 0);
  std::map<std::string, std::uint64_t> entries;
  for (const auto& signer : json.at("accepted").at("signers")) {
    CHECK(signer.at("set") == "signed");
    entries[signer.at("key")] = signer.at("entries");
  }
  CHECK(entries.size() == 2);
  std::uint64_t all = 0;
  for (const auto& [key, count] : entries) all += count;
  CHECK(all == 3);
}

TEST_CASE("evidence verify: against all that the log measured, a clean case is trusted") {
  for (const std::string name : {"a-clean-ovmf", "a-clean-tcb-sig", "b-ima-ng-sha1", "d-sha512",
                                 "f-container", "h-imabuf", "i-evm-sig", "c-legacy-ima"}) {
    CAPTURE(name);
    const TempDir dir;
    const BundleDir bundle(name);
    const Finished got = verify(bundle, {"--golden", learn(bundle, dir)});
    CAPTURE(got.out);
    CHECK(got.exit == 0);
    CHECK(got.json().at("verdict") == "trusted");
  }
}

TEST_CASE("evidence verify: a file that is in no set is found, that one alone, by name") {
  const TempDir dir;
  const BundleDir bundle("a-clean-tcb-sig");
  const std::string path = learn(bundle, dir);
  GoldenSet set = read_set(path);
  const auto shell = std::ranges::find(set.files, "/usr/bin/setpriv", &GoldenFile::path);
  REQUIRE(shell != set.files.end());
  const GoldenFile removed = *shell;
  set.files.erase(shell);
  dir.write("less.json", format_golden_set(set));

  const Finished got = verify(bundle, {"--golden", (dir / "less.json").string()});
  CHECK(got.exit == 1);
  const auto json = got.json();
  CHECK(json.at("verdict") == "compromised");
  CHECK(json.at("quote").at("authentic") == true);
  CHECK(json.at("faults_total") == 1);
  REQUIRE(json.at("faults").size() == 1);
  const auto& fault = json.at("faults")[0];
  CHECK(fault.at("id") == "ima.unknown_digest");
  CHECK(fault.at("severity") == "critical");
  CHECK(fault.at("entry") == 59);
  CHECK(fault.at("path") == removed.path);
  CHECK(fault.at("digest") == format_digest(removed.digests[0]));

  SUBCASE("a second set that has it makes the node trusted again") {
    set.files = {removed};
    dir.write("one.json", format_golden_set(set));
    CHECK(verify(bundle, {"--golden", (dir / "less.json").string(), "--golden",
                          (dir / "one.json").string()})
              .exit == 0);
  }
}

TEST_CASE("evidence verify: options may stand before the bundle") {
  const TempDir dir;
  const BundleDir bundle("a-clean-tcb-sig");
  const std::string set = learn(bundle, dir);
  CHECK(run_assay({"evidence", "verify", "--golden", set, bundle.path()}).exit == 0);
}

TEST_CASE("evidence verify: violations count once there is a set to judge by") {
  const TempDir dir;
  const BundleDir bundle("e-violations-sig");
  const Finished got = verify(bundle, {"--golden", learn(bundle, dir)});
  CHECK(got.exit == 1);
  CHECK(got.json().at("faults_total") == 10);
  const auto report = got.json();
  for (const auto& fault : report.at("faults")) CHECK(fault.at("id") == "ima.violation");
}

TEST_CASE(
    "evidence verify: keys, command lines and critical data have to be golden, each its own way") {
  const TempDir dir;
  const BundleDir bundle("h-imabuf");
  const std::string all = learn(bundle, dir);
  CHECK(verify(bundle, {"--golden", all}).exit == 0);

  GoldenSet set = read_set(all);
  std::erase_if(set.files, [](const GoldenFile& file) { return !file.path.starts_with('/'); });
  dir.write("files.json", format_golden_set(set));
  const Finished got = verify(bundle, {"--golden", (dir / "files.json").string()});
  CHECK(got.exit == 1);
  std::map<std::string, int> ids;
  const auto report = got.json();
  for (const auto& fault : report.at("faults")) {
    ++ids[fault.at("id")];
    if (fault.at("entry") == 71) {
      CHECK(fault.at("path") == "kexec-cmdline");
      CHECK(fault.at("detail") ==
            "kexec command line: root=/dev/vda ima_policy=tcb kexec 'quoted' utf8=é");
    }
  }
  CHECK(ids.at("ima.unknown_key") == 3);
  CHECK(ids.at("ima.unknown_kexec_command_line") == 1);
  CHECK(ids.at("ima.unknown_critical_data") == 5);
}

TEST_CASE("evidence verify: the policy says what a violation means") {
  const TempDir dir;
  const BundleDir bundle("e-violations-sig");
  const std::string set = learn(bundle, dir);
  dir.write("warn.yaml", "classes: [{name: all, violations: warn}]\n");
  const Finished got = verify(bundle, {"--golden", set, "--policy", (dir / "warn.yaml").string()});
  CHECK(got.exit == 0);
  CHECK(got.json().at("faults_total") == 10);
  CHECK(got.json().at("log").at("violations") == 10);
  const auto report = got.json();
  for (const auto& fault : report.at("faults")) CHECK(fault.at("severity") == "warning");
}

TEST_CASE("evidence verify: judges the attributes of a TPM2B_PUBLIC") {
  const EvidenceCase evidence = load_case("l-aks");
  const auto with_key = [&](const std::string& kind) {
    const BundleDir bundle(evidence);
    const auto part = [&](const char* suffix) {
      return read_test_data("evidence/l-aks/" + kind + suffix);
    };
    bundle.write("ak.pub", as_text(part(".ak.pub")));
    bundle.write("quote.attest", as_text(part(".msg")));
    bundle.write("quote.signature", as_text(part(".sig")));
    return verify(bundle).json();
  };
  CHECK(with_key("ecc256-ecdsa-sha256").at("verdict") == "trusted");
  CHECK(with_key("rsa3072-rsapss-sha384").at("verdict") == "trusted");
  const auto refused = with_key("unrestricted");
  CHECK(refused.at("verdict") == "invalid");
  CHECK(refused.at("faults")[0].at("id") == "ak.attributes");
}

TEST_CASE("evidence verify: takes a PEM key") {
  const EvidenceCase evidence = load_case("a-clean-tcb-sig");
  const BundleDir bundle(evidence);
  bundle.write("ak.pub", as_text(evidence.ak_pem));
  CHECK(verify(bundle).exit == 0);
}

TEST_CASE("evidence verify: SHA-1 is refused unless the policy allows it") {
  const EvidenceCase evidence = load_case("l-aks");
  const BundleDir bundle(evidence);
  const auto put = [&](const char* file, const char* suffix) {
    bundle.write(
        file, as_text(read_test_data(std::string("evidence/l-aks/rsa2048-rsassa-sha1") + suffix)));
  };
  put("ak.pub", ".ak.pub");
  put("quote.attest", ".msg");
  put("quote.signature", ".sig");
  const Finished refused = verify(bundle);
  CHECK(refused.exit == 2);
  CHECK(refused.json().at("faults")[0].at("id") == "quote.sha1_refused");
  const TempDir dir;
  const std::string policy = dir.write("policy.yaml", "allow_sha1: true\n").string();
  CHECK(verify(bundle, {"--policy", policy}).exit == 0);
}

TEST_CASE("evidence verify: a bundle that cannot be parsed is invalid, and still JSON") {
  const BundleDir bundle("a-clean-tcb-sig");
  bundle.write("nonce", "\x1b[31m");
  const Finished got = verify(bundle);
  CHECK(got.exit == 2);
  CHECK(got.json().at("verdict") == "invalid");
  CHECK(got.json().at("faults")[0].at("id") == "evidence.malformed");
}

TEST_CASE("evidence verify: every truncation of a part of the quote is refused, none crashes") {
  const EvidenceCase evidence = load_case("a-clean-tcb-sig");
  const BundleDir bundle(evidence);
  for (const std::string name : {"quote.attest", "quote.signature", "ak.pub"}) {
    const std::string whole = bundle.read(name);
    for (std::size_t size = 0; size < whole.size(); size += 37) {
      CAPTURE(name);
      CAPTURE(size);
      bundle.write(name, whole.substr(0, size));
      CHECK(verify(bundle).exit == 2);
    }
    bundle.write(name, whole);
  }
  CHECK(verify(bundle).exit == 0);
}

TEST_CASE("evidence verify: names in a hostile log reach neither terminal nor JSON as they are") {
  const TempDir dir;
  const BundleDir bundle("a-clean-tcb-sig");
  GoldenSet set{.name = "x", .source = "rootfs", .files = {}};
  set.files.push_back({.path = "/none", .digests = {Digest::zero(HashAlg::kSha256)}});
  const std::string path = dir.write("set.json", format_golden_set(set)).string();
  const Finished people = run_assay({"evidence", "verify", bundle.path(), "--golden", path});
  CHECK(people.exit == 1);
  CHECK(people.out.starts_with("verdict   compromised\n"));
  for (const char c : people.out) CHECK((c == '\n' || static_cast<unsigned char>(c) >= 0x20));
}

TEST_CASE("evidence verify: a question that cannot be put is one line and status 3") {
  const TempDir dir;
  const BundleDir bundle("a-clean-tcb-sig");
  const std::string bad_set = dir.write("bad.json", "{}").string();
  const std::string bad_policy = dir.write("bad.yaml", "tolerate: all\n").string();
  struct Row {
    Arguments arguments;
    std::string says;
  };
  const Row rows[] = {
      {{(dir / "none").string()}, "none/quote.attest: No such file"},
      {{bundle.path(), "--golden", (dir / "none").string()}, "none: No such file"},
      {{bundle.path(), "--golden", bad_set},
       bad_set + ": a golden set cannot be read: no \"_type\""},
      {{bundle.path(), "--golden", bundle.file("ima.log")}, "a golden set cannot be read"},
      {{bundle.path(), "--policy", (dir / "none").string()}, "none: No such file"},
      {{bundle.path(), "--policy", bad_policy}, "unknown key 'tolerate'"},
      {{bundle.path(), bundle.path()}, ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.says);
    Arguments arguments = {"evidence", "verify", "--json"};
    arguments.insert(arguments.end(), row.arguments.begin(), row.arguments.end());
    const Finished got = run_assay(arguments);
    CHECK(got.exit == 3);
    CAPTURE(got.err);
    CHECK(got.complains_of(row.says));
    CHECK(got.out.empty());
  }
}
