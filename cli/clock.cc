#include "cli/clock.h"

namespace assay {

std::chrono::system_clock::time_point deadline_after(std::chrono::seconds timeout) {
  return std::chrono::system_clock::now() + timeout;
}

std::chrono::sys_days today() {
  return std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
}

}  // namespace assay
