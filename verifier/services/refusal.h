// What a fault means to who called: ports have a status for each.
#pragma once

#include <cstdint>

#include "core/fault.h"

namespace assay {

enum class Refusal : std::uint8_t {
  kInvalid,          // the request is none
  kUnauthenticated,  // the caller has not shown who it is
  kForbidden,        // it may not do this
  kNotFound,
  kConflict,   // something else has the place
  kRevoked,    // it was ended for good
  kMalformed,  // the content cannot be read
  kTooLarge,
  kBusy,         // others have every place: try again
  kUnavailable,  // try again later
  kFull,         // there is no room to keep it
  kOther,        // no request can cause it
};

Refusal refusal_of(FaultId fault);

}  // namespace assay
