#include "verifier/sinks/ca_file.h"

#include <openssl/err.h>

#include <fstream>

#include "core/openssl.h"
#include "core/text.h"

namespace assay {

Status check_ca_file(const std::filesystem::path& path, std::string_view whose) {
  const std::string shown = std::string(whose) + " CA file " + escape_bytes(path.native());
  if (!std::ifstream(path).is_open()) {
    return fail(FaultId::kFileUnreadable, "cannot read " + shown + "; check its path and mode");
  }
  const openssl::X509Store store(X509_STORE_new());
  const int loaded = X509_STORE_load_file(store.get(), path.c_str());
  ERR_clear_error();
  if (loaded == 1) return {};
  return fail(FaultId::kConfigInvalid, shown + " holds no certificate; it has to be in PEM form");
}

}  // namespace assay
