// Owners for C objects: `using Db = Handle<sqlite3, sqlite3_close>;`
#pragma once

#include <memory>

namespace assay {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

template <typename T, auto Free>
using Handle = std::unique_ptr<T, Deleter<Free>>;

}  // namespace assay
