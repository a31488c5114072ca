// The one place where this program reads a clock.
#pragma once

#include <chrono>

namespace assay {

std::chrono::system_clock::time_point deadline_after(std::chrono::seconds timeout);

std::chrono::sys_days today();  // UTC

}  // namespace assay
