// Drafts of golden sets that monitored namespaces write: unknown files that their pods ran, for review.
// Callers hold a transaction.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/appraise.h"
#include "verifier/store/sqlite.h"

namespace assay {

// Of one draft: a pod can make up files without end. What comes when it is full is only counted, as entries
// that were accepted by the rule "monitored"; that it became full is in the audit.
inline constexpr std::size_t kMaxDraftedFiles = 10'000;

// "monitored/staging": the set whose draft the files of a namespace are in.
std::string monitored_set_name(std::string_view name_space);

// Adds what is new to the draft of each namespace, which begins as what is approved of that set. A draft
// that was revoked in just this form is not made again.
Status draft_monitored(Database& database, const std::vector<MonitoredFile>& files, Instant now);

}  // namespace assay
