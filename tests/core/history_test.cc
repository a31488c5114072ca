#include "core/history.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>

using namespace assay;

namespace {

constexpr TpmClock kLast{
    .clock_ms = 1000, .reset_count = 7, .restart_count = 3, .safe = true, .firmware_version = 42};

std::string judged(const TpmClock& last, const std::function<void(TpmClock&)>& edit) {
  TpmClock now = last;
  edit(now);
  const auto got = judge_continuity(last, now);
  if (!got) return std::string(fault_name(got.error().id));
  return *got == Continuity::kRebooted ? "rebooted" : "same boot";
}

}  // namespace

TEST_CASE("judge_continuity: each difference between two quotes means one thing") {
  struct Row {
    std::string name;
    std::function<void(TpmClock&)> edit;
    std::string want;
  };
  const Row rows[] = {
      {"nothing", [](TpmClock&) {}, "same boot"},
      {"time", [](TpmClock& now) { ++now.clock_ms; }, "same boot"},
      {"time back", [](TpmClock& now) { --now.clock_ms; }, "quote.clock_backwards"},
      {"suspend", [](TpmClock& now) { ++now.restart_count; }, "same boot"},
      {"suspend and time back",
       [](TpmClock& now) {
         ++now.restart_count;
         now.clock_ms = 0;
       },
       "same boot"},
      {"restarts back", [](TpmClock& now) { --now.restart_count; }, "quote.clock_backwards"},
      {"a saved clock that is not known to be", [](TpmClock& now) { now.safe = false; },
       "same boot"},
      {"firmware", [](TpmClock& now) { ++now.firmware_version; }, "quote.firmware_changed"},
      {"firmware after a suspend",
       [](TpmClock& now) {
         ++now.restart_count;
         ++now.firmware_version;
       },
       "quote.firmware_changed"},
      {"reset", [](TpmClock& now) { ++now.reset_count; }, "rebooted"},
      {"resets", [](TpmClock& now) { now.reset_count += 1000; }, "rebooted"},
      {"an unorderly reset with other firmware",
       [](TpmClock& now) {
         ++now.reset_count;
         now.restart_count = 0;
         now.clock_ms = 0;
         now.safe = false;
         now.firmware_version = 43;
       },
       "rebooted"},
      {"resets back", [](TpmClock& now) { --now.reset_count; }, "quote.reset_backwards"},
      {"cleared",
       [](TpmClock& now) {
         now.reset_count = 0;
         now.clock_ms = 5000;
       },
       "quote.reset_backwards"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(judged(kLast, row.edit) == row.want);
  }
}

TEST_CASE("judge_continuity: counts go round, since a TPM may add a constant to them") {
  TpmClock last = kLast;
  last.reset_count = 0xffffffff;
  last.restart_count = 0xffffffff;
  CHECK(judged(last, [](TpmClock& now) { ++now.reset_count; }) == "rebooted");
  CHECK(judged(last, [](TpmClock& now) { ++now.restart_count; }) == "same boot");
  last.reset_count = 0;
  CHECK(judged(last, [](TpmClock& now) { --now.reset_count; }) == "quote.reset_backwards");
}

TEST_CASE("judge_continuity: without a last quote there is nothing to compare with") {
  CHECK(judge_continuity(std::nullopt, kLast) == Continuity::kSameBoot);
}
