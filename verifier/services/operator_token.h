// Who may use the operator and golden services: whoever holds the operators' token.
#pragma once

#include <filesystem>
#include <string_view>

#include "core/digest.h"
#include "core/result.h"

namespace assay {

// Holds a hash only. Safe from any thread.
class OperatorToken {
 public:
  // Reads a token: one line of 32 to 256 printable characters in a file that its owner alone may
  // read. Fails with kFileUnreadable or kConfigInvalid.
  static Result<OperatorToken> load(const std::filesystem::path& file);

  explicit OperatorToken(std::string_view token);

  // Whether `header` is "Bearer " and the token. Takes the same time for every wrong token.
  bool accepts(std::string_view header) const;

 private:
  Digest hash_;
};

}  // namespace assay
