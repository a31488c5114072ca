#include "tests/cli/assay_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "golden/posix.h"

namespace assay::testing {
namespace {

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::abort();
}

struct Pipe {
  Fd ours;
  Fd theirs;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) give_up("pipe2");
  return {Fd(ends[0]), Fd(ends[1])};
}

Pipe make_terminal() {
  Fd ours(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!ours.ok() || ::grantpt(ours.get()) != 0 || ::unlockpt(ours.get()) != 0) give_up("pty");
  const char* name = ::ptsname(ours.get());
  Fd theirs(name == nullptr ? -1 : ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!theirs.ok()) give_up("pty");
  return {std::move(ours), std::move(theirs)};
}

// Pointers for exec, ended by a null. `strings` outlives them.
std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& s : strings) out.push_back(s.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> environment(const Environment& more) {
  std::vector<std::string> out;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string entry = *at;
    if (!entry.starts_with("ASSAY_")) out.push_back(entry);
  }
  for (const auto& [name, value] : more) out.push_back(name + "=" + value);
  return out;
}

// Reads both ends until both are closed. A terminal's closing is EIO.
void drain(Fd& out, Fd& err, Finished& into) {
  std::array<pollfd, 2> wait = {pollfd{out.get(), POLLIN, 0}, pollfd{err.get(), POLLIN, 0}};
  std::array<std::string*, 2> text = {&into.out, &into.err};
  while (wait[0].fd >= 0 || wait[1].fd >= 0) {
    if (::poll(wait.data(), wait.size(), -1) < 0 && errno != EINTR) give_up("poll");
    for (std::size_t i = 0; i < wait.size(); ++i) {
      if (wait[i].fd < 0 || wait[i].revents == 0) continue;
      std::array<char, 4096> buffer{};
      const ssize_t size = ::read(wait[i].fd, buffer.data(), buffer.size());
      if (size > 0) {
        text[i]->append(buffer.data(), static_cast<std::size_t>(size));
      } else if (size == 0 || errno != EINTR) {
        wait[i].fd = -1;
      }
    }
  }
}

Finished run(Arguments argv, const Environment& more, Pipe err) {
  Pipe out = make_pipe();
  std::vector<std::string> variables = environment(more);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.theirs.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.theirs.get(), STDERR_FILENO);
  pid_t child = -1;
  errno = ::posix_spawnp(&child, argv[0].c_str(), &actions, nullptr, pointers(argv).data(),
                         pointers(variables).data());
  if (errno != 0) give_up(argv[0].c_str());
  ::posix_spawn_file_actions_destroy(&actions);
  out.theirs = Fd();
  err.theirs = Fd();

  Finished finished;
  drain(out.ours, err.ours, finished);
  int status = 0;
  if (::waitpid(child, &status, 0) != child) give_up("waitpid");
  finished.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return finished;
}

Arguments with_program(const Arguments& arguments) {
  Arguments out = {ASSAY_PROGRAM};
  out.insert(out.end(), arguments.begin(), arguments.end());
  return out;
}

}  // namespace

bool Finished::complains_of(const std::string& text) const {
  return err.starts_with("assay: ") && err.find('\n') == err.size() - 1 &&
         err.find(text) != std::string::npos;
}

Finished run_program(const Arguments& argv, const Environment& more) {
  return run(argv, more, make_pipe());
}

Finished run_assay(const Arguments& arguments, const Environment& more) {
  return run(with_program(arguments), more, make_pipe());
}

Finished run_assay_on_terminal(const Arguments& arguments) {
  return run(with_program(arguments), {}, make_terminal());
}

}  // namespace assay::testing
