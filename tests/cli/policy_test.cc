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
  const auto bad = dir.write("bad.yaml", "namespaces: [{names: [a], mode: off}]\n");
  const Finished refused = run_assay({"policy", "check", bad.string()});
  CHECK(refused.exit == 3);
  CHECK(refused.complains_of("mode is enforce, warn or monitor"));
}
