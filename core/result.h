// Result<T>: a value, or the fault that says why there is none. Every fallible function in this
// project returns one; nothing in this project throws across a module.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "core/fault.h"

namespace assay {

template <typename T>
using Result = tl::expected<T, Fault>;

using Status = Result<void>;

// A Status that is no fault. `{}` is one, too, but zeroes the room for a Fault first: work that is done for
// every log entry feels that.
inline Status success() {
  Status out;
  return out;
}

// The failing half of a Result: `return fail(FaultId::kImaMalformed, "entry 3: …");`
inline tl::unexpected<Fault> fail(FaultId id, std::string detail) {
  return tl::unexpected<Fault>(Fault{.id = id, .detail = std::move(detail)});
}

// ASSAY_TRY(auto quote, parse_quote(bytes)) declares `quote`, or returns the fault to our caller.
#define ASSAY_TRY(lhs, expr) ASSAY_TRY_1(lhs, expr, __LINE__)
#define ASSAY_TRY_1(lhs, expr, line) ASSAY_TRY_2(lhs, expr, line)
#define ASSAY_TRY_2(lhs, expr, line)                                                             \
  auto attempt_##line = (expr);                                                                  \
  if (!attempt_##line) return tl::unexpected<::assay::Fault>(std::move(attempt_##line).error()); \
  lhs = *std::move(attempt_##line)

// ASSAY_OK(step()) returns step's fault to our caller, if it has one.
#define ASSAY_OK(expr)                                                  \
  do {                                                                  \
    if (auto status = (expr); !status)                                  \
      return tl::unexpected<::assay::Fault>(std::move(status).error()); \
  } while (false)

// An invariant of ours: a breach is a bug, and the process ends with a core dump.
#define ASSAY_CHECK(condition)                                                               \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      std::fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)

}  // namespace assay
