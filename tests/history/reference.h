// What is true of a node, judged from scratch: the list of what the kernel measured in this boot, and
// nothing else is remembered of it.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/appraise.h"
#include "tests/support/ima_builder.h"

namespace assay::testing {

// One thing that the kernel measured.
enum class Measured : std::uint8_t { kBootAggregate, kGolden, kUnknown, kViolation };

// A fault and the entry that it is about; -1 for none.
using Finding = std::pair<std::string, std::int64_t>;
using Findings = std::set<Finding>;

Finding finding_of(const Fault& fault);
Findings findings_in(const FaultList& faults);

// The log of a boot that measured `entries`, and the PCRs that go with it.
ImaBuilder log_of(const std::vector<Measured>& entries);

// Everything that is wrong with the first `count` of `entries`.
Findings findings_of(const std::vector<Measured>& entries, std::size_t count);

}  // namespace assay::testing
