// Golden sets over the REST API: the real verifier, and the curl that a CI job has.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/integration/running_verifier.h"
#include "tests/support/golden_file.h"
#include "tests/support/temp_dir.h"

using namespace assay;
using namespace assay::testing;
using nlohmann::json;

namespace {

std::string sets_of(const RunningVerifier& verifier, const std::string& scheme) {
  return scheme + "://localhost:" + std::to_string(verifier.http_port()) + "/api/v1/golden/sets";
}

struct Curl {
  int exit = 0;
  int status = 0;  // of HTTP
  json body;
};

// curl as the documentation has it. The token is in a file: arguments are there for all to see.
Curl curl(const RunningVerifier& verifier, const TempDir& dir, const std::string& token,
          Arguments arguments) {
  const auto header = dir.write("header", "Authorization: Bearer " + token + "\n");
  const auto body = dir.path() / "body";
  const auto said = dir.path() / "said";
  std::filesystem::remove(body);
  std::filesystem::remove(said);
  arguments.insert(arguments.begin(),
                   {"curl", "--silent", "--fail-with-body", "--max-time", "60", "--cacert",
                    verifier.ca_file().string(), "--header", "@" + header.string(), "--output",
                    body.string(), "--write-out", "%{http_code}"});
  ChildProcess process({.argv = arguments, .output = said});
  const auto exit = process.wait(std::chrono::seconds(60));
  REQUIRE(exit.has_value());
  const std::string status = read_file(said);
  return {.exit = *exit,
          .status = status.empty() ? 0 : std::stoi(status),
          .body = json::parse(read_file(body), nullptr, false)};
}

}  // namespace

TEST_CASE("curl: pushes a set over HTTPS, by --json and by --upload-file, as assay does") {
  RunningVerifier verifier;
  const TempDir dir;
  const json made =
      verifier.assay({"push-token", "create", "ci", "--for", "shop/", "--json"}).json();
  const std::string secret = made["secret"];
  // Over a mebibyte, so that curl asks before it sends.
  GoldenSet big{.name = "shop/web", .source = "rootfs", .files = {}};
  for (int i = 0; i < 20'000; ++i) {
    big.files.push_back(file("/bin/" + std::to_string(100'000 + i), std::to_string(i)));
  }
  const std::string set = dir.write("web.json", format_golden_set(big)).string();
  const std::string url = sets_of(verifier, "https");

  const Curl pushed = curl(verifier, dir, secret, {"--json", "@" + set, url});
  CHECK(pushed.exit == 0);
  CHECK(pushed.status == 201);
  CHECK(pushed.body["name"] == "shop/web");
  CHECK(pushed.body["pushed_by"] == "token:ci");
  CHECK(verifier.metric("assay_golden_images") == 1);
  CHECK(verifier.metric("assay_golden_hashes") == 20'000);
  const Curl same = curl(verifier, dir, secret, {"--request", "POST", "--upload-file", set, url});
  CHECK(same.status == 200);
  CHECK(same.body == pushed.body);
  const json by_grpc = verifier.assay({"golden", "push", set, "--json"}).json();
  CHECK(by_grpc["changed"] == false);
  CHECK(by_grpc["set"] == pushed.body);
  const Curl draft =
      curl(verifier, dir, secret,
           {"--json",
            "@" + dir.write("other", format_golden_set({.name = "shop/db",
                                                        .source = "rootfs",
                                                        .files = {file("/bin/db", "db")}}))
                      .string(),
            "--header", "Idempotency-Key: job 7", url + "?draft=true"});
  CHECK(draft.status == 201);
  CHECK(draft.body["state"] == "draft");

  const Curl list = curl(verifier, dir, verifier.token(), {url});
  CHECK(list.status == 200);
  CHECK(list.body == verifier.assay({"golden", "list", "--json"}).json());
  CHECK(curl(verifier, dir, secret, {url}).body["fault"] == "request.unauthenticated");
  CHECK(verifier.log().find(secret) == std::string::npos);
  CHECK(verifier.assay({"audit", "list"}).out.find(secret) == std::string::npos);
}

TEST_CASE("curl: a refusal fails the job and says why") {
  RunningVerifier verifier;
  const TempDir dir;
  const std::string url = sets_of(verifier, "https");
  const std::string set =
      dir.write("a.json",
                format_golden_set({.name = "a", .source = "rootfs", .files = {file("/a", "a")}}))
          .string();
  const std::string big = dir.write("big", std::string(std::size_t{32} << 20, ' ')).string();
  for (const std::string& body : {set, big}) {
    const Curl refused =
        curl(verifier, dir, "nobody", {"--request", "POST", "--upload-file", body, url});
    CHECK(refused.exit == 22);
    CHECK(refused.status == 401);
    CHECK(refused.body["fault"] == "request.unauthenticated");
  }
  const Curl form = curl(verifier, dir, verifier.token(), {"--data-binary", "@" + set, url});
  CHECK(form.status == 415);
  CHECK(form.body["detail"].get<std::string>().find("--json") != std::string::npos);
  CHECK(curl(verifier, dir, verifier.token(), {"--json", "@" + big, url}).body["fault"] ==
        "golden.malformed");
  // From this machine plain HTTP will do.
  CHECK(curl(verifier, dir, verifier.token(), {"--json", "@" + set, sets_of(verifier, "http")})
            .status == 201);
}
