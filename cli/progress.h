// A progress bar on standard error, when that is a terminal.
#pragma once

#include <cstdint>
#include <string>

namespace assay {

// Draws a bar that goes away with the object. Draws nothing when standard error is not a terminal.
// One thread at a time.
class ProgressBar {
 public:
  explicit ProgressBar(std::string label);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // Redraws when the percentage has changed. Nothing to do at all counts as done.
  void show(std::uint64_t done, std::uint64_t total);

 private:
  const std::string label_;
  const bool terminal_;
  int percent_ = -1;  // as drawn
};

}  // namespace assay
