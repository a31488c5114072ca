// What the kubelet writes of the user ids that it gave to a pod.
#pragma once

#include <cstdint>
#include <string>

namespace assay::testing {

// pods/<UID>/userns of a pod that has 65536 ids from `host` on.
inline std::string userns_file(std::uint32_t host) {
  const std::string mapping =
      R"([{"hostId":)" + std::to_string(host) + R"(,"containerId":0,"length":65536}])";
  return R"({"uidMappings":)" + mapping + R"(,"gidMappings":)" + mapping + "}";
}

}  // namespace assay::testing
