#include "cli/clock.h"

#include <doctest/doctest.h>

TEST_CASE("deadline_after: is that much later than now") {
  const auto before = std::chrono::system_clock::now();
  const auto deadline = assay::deadline_after(std::chrono::seconds(30));
  const auto after = std::chrono::system_clock::now();
  CHECK(deadline - before >= std::chrono::seconds(30));
  CHECK(deadline - after <= std::chrono::seconds(30));
}
