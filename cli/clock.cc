#include "cli/clock.h"

namespace assay {

std::chrono::system_clock::time_point deadline_after(std::chrono::seconds timeout) {
  return std::chrono::system_clock::now() + timeout;
}

}  // namespace assay
