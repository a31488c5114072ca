#include "cli/progress.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "golden/posix.h"
#include "tests/support/temp_dir.h"

using namespace assay;
using namespace assay::testing;

// On a terminal: golden_build_test.cc.
TEST_CASE("ProgressBar: writes nothing when standard error is no terminal") {
  const TempDir dir;
  const Fd file(::open(dir.write("err", "").c_str(), O_WRONLY));
  const Fd saved(::dup(STDERR_FILENO));
  REQUIRE(::dup2(file.get(), STDERR_FILENO) >= 0);
  {
    ProgressBar bar("working");
    bar.show(1, 2);
    bar.show(2, 2);
    bar.show(0, 0);
  }
  REQUIRE(::dup2(saved.get(), STDERR_FILENO) >= 0);
  CHECK(testing::read_file(dir / "err").empty());
}
