// Another program, for as long as a test needs it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace assay::testing {

// How long a test waits for what has to happen before it calls it a failure.
inline constexpr std::chrono::seconds kPatience{30};

// Asks `holds` again and again until it says yes, for at most `deadline`. Says whether it did.
bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds deadline = kPatience);

// A child of ours, which does not outlive the thread that started it. Its standard output and error go
// to files, or nowhere.
class ChildProcess {
 public:
  struct Options {
    std::vector<std::string> argv;               // the program first, found in PATH
    std::filesystem::path output = "/dev/null";  // both streams, appended to
  };
  // Ends the process when there is no memory for another one.
  explicit ChildProcess(const Options& options);
  // Kills it with SIGKILL when it still runs.
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number);
  // Its exit status, or 128 and the signal that ended it; nothing when it still runs after `deadline`.
  std::optional<int> wait(std::chrono::milliseconds deadline = kPatience);

 private:
  pid_t pid_;
  std::optional<int> status_;
};

}  // namespace assay::testing
