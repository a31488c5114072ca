#include "agent/wakeup.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>

namespace assay::agent {
namespace {

Result<Fd> owned(int fd, const char* call) {
  if (fd < 0) return fail(FaultId::kUnavailable, std::string(call) + ": " + std::strerror(errno));
  return Fd(fd);
}

// Takes the count out of an eventfd or timerfd; says whether there was one.
bool drain(const Fd& fd) {
  std::uint64_t count = 0;
  return ::read(fd.get(), &count, sizeof count) == static_cast<ssize_t>(sizeof count);
}

}  // namespace

Result<Wakeup> Wakeup::make(Fd stop) {
  ASSAY_TRY(Fd notice, owned(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"));
  ASSAY_TRY(Fd timer,
            owned(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create"));
  return Wakeup(std::move(stop), std::move(notice), std::move(timer));
}

void Wakeup::ticks(std::chrono::milliseconds period) {
  period = std::max(period, std::chrono::milliseconds(1));  // zero would disarm the timer
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(period);
  const timespec time{.tv_sec = seconds.count(),
                      .tv_nsec = std::chrono::nanoseconds(period - seconds).count()};
  const itimerspec spec{.it_interval = time, .it_value = time};
  ASSAY_CHECK(::timerfd_settime(timer_.get(), 0, &spec, nullptr) == 0);
}

void Wakeup::notify() {
  // A full counter (EAGAIN) is a notice that nobody has taken yet: nothing is lost.
  (void)::eventfd_write(notice_.get(), 1);
}

Wake Wakeup::wait() {
  for (;;) {
    pollfd fds[] = {{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                    {.fd = notice_.get(), .events = POLLIN, .revents = 0},
                    {.fd = timer_.get(), .events = POLLIN, .revents = 0}};
    const int ready = ::poll(fds, std::size(fds), -1);
    ASSAY_CHECK(ready > 0 || errno == EINTR);
    if (ready <= 0) continue;
    if (fds[0].revents != 0) return Wake::kStop;
    if (fds[1].revents != 0 && drain(notice_)) return Wake::kNotice;
    if (fds[2].revents != 0 && drain(timer_)) return Wake::kTick;
  }
}

Result<Fd> stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  ASSAY_CHECK(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  return owned(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd");
}

}  // namespace assay::agent
