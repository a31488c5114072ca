// deploy/dev-ca.sh, with which every test of the client runs.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "tests/cli/assay_process.h"
#include "tests/support/temp_dir.h"

using namespace assay::testing;

namespace {

mode_t mode_of(const std::filesystem::path& path) {
  struct stat st = {};
  REQUIRE(::stat(path.c_str(), &st) == 0);
  return st.st_mode & 07777;
}

std::string names_in(const std::filesystem::path& certificate) {
  return run_program(
             {"openssl", "x509", "-in", certificate.string(), "-noout", "-ext", "subjectAltName"})
      .out;
}

}  // namespace

TEST_CASE("dev-ca.sh: makes a certificate that its authority vouches for, and secrets kept so") {
  const TempDir dir;
  REQUIRE(run_program({ASSAY_DEV_CA, dir.path().string(), "verifier.example", "10.0.2.2"}).exit ==
          0);
  CHECK(run_program({"openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile",
                     (dir / "ca.pem").string(), (dir / "server.pem").string()})
            .exit == 0);
  const std::string names = names_in(dir / "server.pem");
  for (const std::string name :
       {"DNS:localhost", "IP Address:127.0.0.1", "DNS:verifier.example", "IP Address:10.0.2.2"}) {
    CHECK(names.find(name) != std::string::npos);
  }
  for (const std::string secret : {"ca.key", "server.key", "operator.token"}) {
    CHECK(mode_of(dir / secret) == 0600);
  }
  const std::string token = read_file(dir / "operator.token");
  CHECK(token.size() == 65);
  CHECK(token.find_first_not_of("0123456789abcdef\n") == std::string::npos);
}

TEST_CASE("dev-ca.sh: a second run changes nothing, a new host only the server's certificate") {
  const TempDir dir;
  const auto run = [&](const Arguments& hosts) {
    Arguments argv = {ASSAY_DEV_CA, dir.path().string()};
    argv.insert(argv.end(), hosts.begin(), hosts.end());
    REQUIRE(run_program(argv).exit == 0);
    std::map<std::string, std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
      out.emplace(entry.path().filename().string(), read_file(entry.path()));
    }
    return out;
  };
  const auto first = run({"a.example"});
  CHECK(first.size() == 5);
  CHECK(run({"a.example"}) == first);
  CHECK(run({}) == first);
  const auto other = run({"b.example", "10.1.1.1"});
  CHECK(other.at("server.pem") != first.at("server.pem"));
  for (const std::string same : {"ca.pem", "ca.key", "operator.token"}) {
    CHECK(other.at(same) == first.at(same));
  }
}

TEST_CASE("dev-ca.sh: refuses what is no host, and no directory") {
  const TempDir dir;
  CHECK(run_program({ASSAY_DEV_CA}).exit == 3);
  const Finished got = run_program({ASSAY_DEV_CA, dir.path().string(), "a,DNS:evil.example"});
  CHECK(got.exit == 3);
  CHECK(got.err.find("not a host name") != std::string::npos);
}
