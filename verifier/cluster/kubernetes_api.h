// How the Kubernetes API is reached.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace assay {

struct KubernetesApi {
  std::string url{};                   // https://…, of the API server, without a query
  std::filesystem::path ca_file{};     // PEM, of the cluster's CA
  std::filesystem::path token_file{};  // of a service account that may list and watch pods
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds timeout{30'000};      // of each read, and of a whole page of a list
  std::chrono::seconds watch_period{300};         // the server ends a watch after that
  std::chrono::milliseconds watch_grace{15'000};  // silence beyond the period that ends it here
};

}  // namespace assay
