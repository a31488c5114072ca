// Pods from the Kubernetes API, over HTTPS.
//
// Source: Kubernetes API concepts: "Efficient detection of changes", "Retrieving large results sets in
// chunks".
#pragma once

#include "verifier/clock.h"
#include "verifier/cluster/cluster_source.h"
#include "verifier/cluster/kubernetes_api.h"

namespace assay {

inline constexpr std::size_t kMaxServiceTokenBytes = std::size_t{16} << 10;
inline constexpr std::size_t kPodPageLimit = 500;  // pods that a page is asked for

// The bearer token in that file, without white space around it; service account tokens are replaced while we
// run. Fails with kFileUnreadable, or kConfigInvalid: empty, over kMaxServiceTokenBytes, or with a byte that
// no header can hold. No fault shows any of it.
Result<std::string> read_service_token(const std::filesystem::path& path);

// Fails with kConfigInvalid when the API can never be asked: a URL that is not https:// or has a query, a
// ca_file without a certificate, no usable token; with kFileUnreadable for a file that cannot be read.
Status check_kubernetes_api(const KubernetesApi& api);

// Certificates and host names are checked, redirects are not followed, and token and CA file are read for each
// request. A stop ends a request at once, but for a connection that is being made: that takes up to twice the
// connect_timeout, and as long as the resolver needs for the name. Borrows the clock. SIGPIPE has to be ignored.
//
// PartialObjectMetadata would be less to send and to parse, but has no spec, and so no node.
class PodWatch final : public ClusterSource {
 public:
  PodWatch(KubernetesApi api, const Clock& clock) : api_(std::move(api)), clock_(clock) {}

  // Fails with kClusterUnavailable: no answer, or another status than 200; with kClusterMalformed: as
  // parse_pod_list(); and as read_service_token(). Pods with so much in them that a page of kPodPageLimit is
  // over kMaxPodPageBytes are asked for in smaller pages.
  Result<PodList> list(const std::string& continue_token, const std::stop_token& stop) override;

  // Likewise, with kClusterMalformed for a line that parse_watch_event() refuses, and kClusterUnavailable for
  // an error event. Silence of watch_period and watch_grace, or a connection that breaks, ends the watch.
  Result<WatchEnd> watch(const std::string& resource_version, const TakeEvent& take,
                         const std::stop_token& stop) override;

 private:
  KubernetesApi api_;
  const Clock& clock_;
  std::size_t page_limit_ = kPodPageLimit;
};

}  // namespace assay
