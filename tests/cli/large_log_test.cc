// A log that is larger than the memory it may take.
#include <doctest/doctest.h>

#include "tests/cli/assay_process.h"
#include "tests/cli/bundle_dir.h"
#include "tests/support/fake_tpm.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryCanBeLimited = false;  // sanitizers map terabytes of their own
#else
constexpr bool kMemoryCanBeLimited = true;
#endif

BundleDir bundle_of(const ImaBuilder& log) {
  FakeTpm tpm;
  tpm.set(log.pcrs());
  const Nonce nonce = nonce_of(1);
  const UntrustedQuote quote = tpm.quote(nonce);
  const EvidenceCase evidence{.attest = quote.attest,
                              .signature = quote.signature,
                              .ak_public = tpm.ak_public(),
                              .nonce = nonce,
                              .pcrs = quote.pcrs,
                              .ima_log = log.bytes()};
  return BundleDir(evidence);
}

}  // namespace

TEST_CASE("evidence verify: a log of a million entries is judged in 48 MiB of data") {
  if (!kMemoryCanBeLimited) return;
  static constexpr std::uint64_t kEntries = 1'000'000;
  ImaBuilder log;
  log.boot_aggregate({});
  for (std::uint64_t i = log.entries(); i < kEntries; ++i) {
    log.file("/usr/lib/x86_64-linux-gnu/lib" + std::to_string(i) + ".so", digest_of("lib"));
  }
  REQUIRE(log.bytes().size() > std::size_t{100} << 20);
  const BundleDir bundle = bundle_of(log);
  bundle.remove("boot.log");
  const Finished got = run_program({"/bin/sh", "-c", "ulimit -d 49152; exec \"$@\"", "sh",
                                    ASSAY_PROGRAM, "evidence", "verify", bundle.path(), "--json"});
  CAPTURE(got.err);
  CHECK(got.exit == 0);
  CHECK(got.json()["log"]["proven"] == kEntries);
}
