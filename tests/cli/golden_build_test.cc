#include "cli/golden_build.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/cli/assay_process.h"
#include "tests/support/certificates.h"
#include "tests/support/evidence_case.h"
#include "tests/support/ima_builder.h"
#include "tests/support/temp_dir.h"

using namespace assay;
using namespace assay::testing;
namespace fs = std::filesystem;

namespace {

struct Tree {
  TempDir root;
  TempDir out;
  std::string set = (out / "set.json").string();

  Tree() {
    root.write("a", "a");
    root.write("b\n", "b");
  }
  Finished build(Arguments more = {}) const {
    more.insert(more.begin(),
                {"golden", "build", "--rootfs", root.path().string(), "--name", "n", "-o", set});
    return run_assay(more);
  }
  GoldenSet read() const {
    const auto parsed = parse_golden_set(as_bytes(read_file(set)));
    REQUIRE(parsed.has_value());
    return *parsed;
  }
};

}  // namespace

TEST_CASE("golden build: a set of a directory, quiet when nobody watches") {
  const Tree tree;
  const Finished got = tree.build();
  CHECK(got.exit == 0);
  CHECK(got.err.empty());
  CHECK(got.out.starts_with("name     n\ndigest   sha256:"));
  const GoldenSet set = tree.read();
  CHECK(set.name == "n");
  CHECK(set.source == "rootfs");
  REQUIRE(set.files.size() == 2);
  CHECK(set.files[0].digests == std::vector<Digest>{digest_of("a")});
  CHECK(set.files[1].path == "/b\n");
}

TEST_CASE("golden build: certificates become the digests that the kernel measures of them") {
  const TempDir dir;
  const Bytes der = read_test_data("evidence/l-aks/ek-ecc.der");
  const Bytes other = read_test_data("evidence/l-aks/ek.der");
  dir.write("a.der", as_text(der));
  dir.write("b.pem", as_text(to_pem(other)));
  const std::string set = (dir / "set.json").string();
  const Finished got = run_assay({"golden", "build", "--key", (dir / "a.der").string(), "--key",
                                  (dir / "b.pem").string(), "--hash", "sha1,sha512", "--name", "k",
                                  "-o", set, "--json"});
  CHECK(got.exit == 0);
  CHECK(got.json().at("source") == "keys");
  CHECK(got.json().at("files") == 2);
  const auto built = parse_golden_set(as_bytes(read_file(set)));
  REQUIRE(built.has_value());
  std::vector<Digest> digests;
  for (const GoldenFile& file : built->files) {
    CHECK(file.path.starts_with("key:"));
    digests.insert(digests.end(), file.digests.begin(), file.digests.end());
  }
  for (const Bytes& certificate : {der, other}) {
    for (const HashAlg alg : {HashAlg::kSha1, HashAlg::kSha512}) {
      CHECK(std::ranges::find(digests, hash(alg, certificate)) != digests.end());
    }
  }
  CHECK(digests.size() == 4);
}

TEST_CASE("golden build: a key that is no certificate makes no set") {
  const TempDir dir;
  dir.write("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
  const std::string set = (dir / "set.json").string();
  const Finished got =
      run_assay({"golden", "build", "--key", (dir / "key.pem").string(), "--name", "k", "-o", set});
  CHECK(got.exit == 3);
  CHECK(got.complains_of("not one X.509 certificate"));
  CHECK_FALSE(fs::exists(set));
}

TEST_CASE("golden build: the same tree gives the same bytes") {
  const Tree tree;
  CHECK(tree.build().exit == 0);
  const std::string first = read_file(tree.set);
  CHECK(tree.build().exit == 0);
  CHECK(read_file(tree.set) == first);
}

TEST_CASE("golden build: takes several digests at once, and says what it built") {
  const Tree tree;
  tree.root.write("copy of a", "a");
  REQUIRE(::mkfifo((tree.root / "pipe").c_str(), 0600) == 0);
  const Finished got = tree.build({"--hash", "sha512,sha1", "--json"});
  CHECK(got.exit == 0);
  const auto json = got.json();
  CHECK(json.at("name") == "n");
  CHECK(json.at("source") == "rootfs");
  CHECK(json.at("files") == 3);
  CHECK(json.at("hashes") == 4);  // two contents, two algorithms
  CHECK(json.at("left_out").at("sockets_pipes_devices") == 1);
  CHECK(json.at("digest") == format_digest(hash(HashAlg::kSha256, as_bytes(read_file(tree.set)))));
  const GoldenSet set = tree.read();
  REQUIRE(set.files[0].digests.size() == 2);
  CHECK(set.files[0].digests[0].alg() == HashAlg::kSha1);
  CHECK(set.files[0].digests[1].alg() == HashAlg::kSha512);
  CHECK(tree.build().out.find("left out: 1 sockets_pipes_devices\n") != std::string::npos);
}

TEST_CASE("golden build: learns from a log, and says what it did not learn") {
  const TempDir dir;
  const std::string set = (dir / "set.json").string();
  const std::string log =
      std::string(ASSAY_TEST_DATA) + "/evidence/e-violations-sig/binary_runtime_measurements";
  const Finished got =
      run_assay({"golden", "build", "--ima-log", log, "--name", "n", "-o", set, "--json"});
  CHECK(got.exit == 0);
  CHECK(got.json().at("source") == "ima-log");
  CHECK(got.json().at("left_out").at("violations") == 10);
  CHECK(parse_golden_set(as_bytes(read_file(set))).has_value());
}

TEST_CASE("golden build: keys whose signatures make files golden, beside files or alone") {
  const Tree tree;
  const std::string data = ASSAY_TEST_DATA "/keys/";
  Arguments arguments = {"golden",   "build",
                         "--name",   "n",
                         "-o",       tree.set,
                         "--signer", data + "ima-rsa.der",
                         "--signer", data + "ima-ec.pub",
                         "--signer", data + "ima-rsa.pub",
                         "--json"};
  const Finished alone = run_assay(arguments);
  CHECK(alone.exit == 0);
  CHECK(alone.json().at("source") == "signers");
  CHECK(alone.json().at("signers") == 2);  // one key is there twice
  const GoldenSet signers = tree.read();
  CHECK(signers.files.empty());
  REQUIRE(signers.signers.size() == 2);
  CHECK(signers.signers[0].name == "ima-ec.pub");
  CHECK(signers.signers[1].name == "IMA ima-rsa");
  arguments.insert(arguments.end(), {"--rootfs", tree.root.path().string()});
  CHECK(run_assay(arguments).json().at("source") == "rootfs");
  CHECK(tree.read().files.size() == 2);
  CHECK(tree.read().signers == signers.signers);
}

TEST_CASE("golden build: takes facts from who builds, and says none of its own") {
  const Tree tree;
  CHECK(tree.build().exit == 0);
  CHECK(tree.read().facts.empty());
  CHECK(read_file(tree.set).find("facts") == std::string::npos);
  const Finished got = tree.build({"--fact", "url=https://ci.example/?a=b&c=[1,2]", "--fact",
                                   "by=J\xc3\xbcrgen \"J\" \\", "--fact=revision=4f0c2d9"});
  CHECK(got.exit == 0);
  CHECK(got.err.empty());
  CHECK(tree.read().facts == GoldenFacts{{"by", "J\xc3\xbcrgen \"J\" \\"},
                                         {"revision", "4f0c2d9"},
                                         {"url", "https://ci.example/?a=b&c=[1,2]"}});
  const std::string first = read_file(tree.set);
  CHECK(tree.build({"--fact", "revision=4f0c2d9", "--fact", "by=J\xc3\xbcrgen \"J\" \\", "--fact",
                    "url=https://ci.example/?a=b&c=[1,2]"})
            .exit == 0);
  CHECK(read_file(tree.set) == first);
}

TEST_CASE("golden build: as many facts as a set may have, and no more") {
  const Tree tree;
  Arguments facts;
  for (std::size_t i = 0; i < kMaxSetFacts; ++i) {
    facts.insert(facts.end(), {"--fact", std::to_string(i) + "=x"});
  }
  CHECK(tree.build(facts).exit == 0);
  CHECK(tree.read().facts.size() == kMaxSetFacts);
  facts.insert(facts.end(), {"--fact", "more=x"});
  const Finished got = tree.build(facts);
  CHECK(got.exit == 3);
  CHECK(got.complains_of("--fact: over 32 facts"));
}

TEST_CASE("golden build: says owner and kind of the files of a tree") {
  const Tree tree;
  tree.root.write("a", "#!/bin/sh\n");
  CHECK(tree.build().exit == 0);
  const GoldenSet set = tree.read();
  CHECK(set.files[0].kind == ContentKind::kScript);
  CHECK(set.files[0].uid == ::geteuid());
  CHECK(set.files[1].kind == ContentKind::kUnknown);
}

TEST_CASE("golden build: shows its progress on a terminal, and wipes it away") {
  const Tree tree;
  const Finished got = run_assay_on_terminal(
      {"golden", "build", "--rootfs", tree.root.path().string(), "--name", "n", "-o", tree.set});
  CHECK(got.exit == 0);
  CHECK(got.err.find("\rhashing [") != std::string::npos);
  CHECK(got.err.find("100 %") != std::string::npos);
  CHECK(got.err.ends_with("\r\x1b[K"));
  CHECK(got.out.starts_with("name     n\n"));
}

TEST_CASE("golden build: what cannot be built is one line, status 3, and no file") {
  const Tree tree;
  const TempDir empty;
  const std::string root = tree.root.path().string();
  const std::string none = (empty / "none").string();
  const std::string no_log = tree.out.write("no.log", "no log").string();
  struct Row {
    Arguments arguments;
    std::string says;
  };
  const Row rows[] = {
      {{"--rootfs", none, "--name", "n"}, "none: No such file"},
      {{"--rootfs", empty.path().string(), "--name", "n"}, "holds no regular file"},
      {{"--ima-log", none, "--name", "n"}, "none: No such file"},
      {{"--ima-log", no_log, "--name", "n"}, "no.log: the measurement log is cut short"},
      {{"--rootfs", root, "--name", "n n"}, "--name"},
      {{"--rootfs", root}, "--name is required"},
      {{"--name", "n"}, "give what the set is made from, or a --signer"},
      {{"--rootfs", root, "--ima-log", no_log, "--name", "n"},
       "at most 1 options be given from [--rootfs,"},
      {{"--signer", none, "--name", "n"}, "none: No such file"},
      {{"--signer", no_log, "--name", "n"}, "no.log: neither a certificate nor a public key"},
      {{"--rootfs", root, "--name", "n", "--fact", "revision"}, "--fact: a fact is NAME=VALUE"},
      {{"--rootfs", root, "--name", "n", "--fact", "=x"}, "--fact: a fact is NAME=VALUE"},
      {{"--rootfs", root, "--name", "n", "--fact", "a="}, "--fact: a fact is NAME=VALUE"},
      {{"--rootfs", root, "--name", "n", "--fact", "A=x"}, "--fact: a fact is NAME=VALUE"},
      {{"--rootfs", root, "--name", "n", "--fact", "a=\x1b[2J"}, "--fact: a fact is NAME=VALUE"},
      {{"--rootfs", root, "--name", "n", "--fact", "a=x", "--fact", "a=y"},
       "--fact: a name that is given twice"},
      {{"--rootfs", root, "--name", "n", "--hash", "md5"}, "--hash"},
      {{"--rootfs", root, "--name", "n", "--hash", ""}, "--hash"},
      {{"--ima-log", no_log, "--name", "n", "--hash", "sha256"}, "--hash"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.says);
    Arguments arguments = {"golden", "build", "-o", tree.set};
    arguments.insert(arguments.end(), row.arguments.begin(), row.arguments.end());
    const Finished got = run_assay(arguments);
    CHECK(got.exit == 3);
    CAPTURE(got.err);
    CHECK(got.complains_of(row.says));
    CHECK(got.out.empty());
    CHECK_FALSE(fs::exists(tree.set));
  }
  const Finished unwritable = run_assay({"golden", "build", "--rootfs", root, "--name", "n", "-o",
                                         (empty / "none/set.json").string()});
  CHECK(unwritable.exit == 3);
  CHECK(unwritable.complains_of("set.json: cannot be written: No such file or directory"));
}
