#include <doctest/doctest.h>

#include "tests/cli/assay_process.h"
#include "tests/support/temp_dir.h"

using namespace assay::testing;

TEST_CASE("assay policy check: says what a policy has, and how much it relaxes") {
  const TempDir dir;
  const auto policy = dir.write("policy.yaml",
                                "classes: [{name: all}]\n"
                                "namespaces:\n"
                                "- {names: [staging, qa], mode: monitor}\n"
                                "- {names: [dev], mode: warn}\n"
                                "- {names: [prod], mode: enforce}\n");
  const Finished got = run_assay({"policy", "check", policy.string()});
  CHECK(got.exit == 0);
  CHECK(
      got.out ==
      "good: 1 classes of nodes, 0 endorsement keys listed, 2 namespaces monitored, 1 warned of\n");
  const auto weak = dir.write("weak.yaml",
                              "namespaces:\n"
                              "- {names: [staging, qa], mode: monitor, attribution: uid range}\n"
                              "- {names: [dev], mode: warn}\n"
                              "- {names: [prod], mode: enforce, attribution: uid range}\n");
  const Finished told = run_assay({"policy", "check", weak.string()});
  CHECK(told.exit == 0);
  CHECK(told.out ==
        "good: 0 classes of nodes, 0 endorsement keys listed, 2 namespaces monitored, 1 warned of, "
        "2 of these by uid range as well, which any pod that may make user namespaces can show\n");
  const auto bad = dir.write("bad.yaml", "namespaces: [{names: [a], mode: off}]\n");
  const Finished refused = run_assay({"policy", "check", bad.string()});
  CHECK(refused.exit == 3);
  CHECK(refused.complains_of("mode is enforce, warn or monitor"));
}
