// Certificate authorities that a configuration names.
#pragma once

#include <filesystem>
#include <string_view>

#include "core/result.h"

namespace assay {

// Whether the file holds a certificate in PEM; `whose` is for messages: "the webhook's". Fails with
// kFileUnreadable or kConfigInvalid.
Status check_ca_file(const std::filesystem::path& path, std::string_view whose);

}  // namespace assay
