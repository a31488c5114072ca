// Where pods are learnt from.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "verifier/cluster/pod_list.h"

namespace assay {

// How a watch ended that did not fail.
enum class WatchEnd : std::uint8_t {
  kOver,     // its time: the next one goes on from the last event's version
  kExpired,  // the version is too old: only a new list helps
};

// Calls block, and end soon when a stop is requested. Of one thread at a time.
class ClusterSource {
 public:
  using TakeEvent = std::function<void(PodEvent)>;

  virtual ~ClusterSource() = default;
  // A page of the list of all pods; the first one for an empty token.
  virtual Result<PodList> list(const std::string& continue_token, const std::stop_token& stop) = 0;
  // Gives `take` every event after `resource_version`, and no error event, as they come.
  virtual Result<WatchEnd> watch(const std::string& resource_version, const TakeEvent& take,
                                 const std::stop_token& stop) = 0;
};

}  // namespace assay
