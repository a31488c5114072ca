// The verdict on a bundle, for programs and for people.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"
#include "core/attest.h"

namespace assay {

enum class BundleVerdict : std::uint8_t {
  kTrusted,      // proven, and nothing is wrong
  kCompromised,  // proven, with violations only
  kInvalid,      // not authentic, contradicts itself, or cannot be read
};

// Every kind of fault but a violation makes a bundle invalid, and so does a log that is not proven.
BundleVerdict bundle_verdict(const Appraisal& appraisal);
Exit exit_for(BundleVerdict verdict);

// The object that docs/evidence-bundle.md describes: always all members, null where unknown.
nlohmann::ordered_json report_json(const Appraisal& appraisal);

// The verdict first, then what it rests on, then the faults.
std::string report_text(const Appraisal& appraisal);

}  // namespace assay
