// libarchive with owners.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include <string>
#include <string_view>

#include "core/handle.h"
#include "core/text.h"

namespace assay {

using ArchiveReader = Handle<::archive, ::archive_read_free>;

inline std::string_view text_or_empty(const char* text) {
  return text == nullptr ? "" : text;
}

inline std::string archive_error(::archive* reader) {
  return shorten(escape_bytes(text_or_empty(::archive_error_string(reader))), 200);
}

// While it lives, this thread's names are UTF-8: libarchive would convert those of PAX headers to
// the locale's character set, and lose what that does not have.
class Utf8Locale {
 public:
  Utf8Locale() : own_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (own_ != nullptr) before_ = ::uselocale(own_);
  }
  ~Utf8Locale() {
    if (own_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(own_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  ::locale_t own_;
  ::locale_t before_ = nullptr;
};

}  // namespace assay
