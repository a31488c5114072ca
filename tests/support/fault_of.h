// Which fault a call has ended with.
#pragma once

#include <optional>

#include "core/fault.h"
#include "core/result.h"

namespace assay::testing {

// Nothing when it has succeeded: asking a success for its error() reads whatever is there.
template <typename T>
std::optional<FaultId> fault_of(const Result<T>& result) {
  return result ? std::nullopt : std::optional(result.error().id);
}

}  // namespace assay::testing
