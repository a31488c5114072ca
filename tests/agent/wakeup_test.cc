#include "agent/wakeup.h"

#include <doctest/doctest.h>
#include <sys/eventfd.h>

#include <csignal>
#include <thread>

namespace assay::agent {
namespace {

using namespace std::chrono_literals;

struct Rig {
  int stop = ::eventfd(0, EFD_CLOEXEC);
  Wakeup wakeup = *Wakeup::make(Fd(stop));
};

TEST_CASE("Wakeup: notices from any thread count as one until they are taken") {
  Rig rig;
  std::thread([&] {
    rig.wakeup.notify();
    rig.wakeup.notify();
  }).join();
  CHECK(rig.wakeup.wait() == Wake::kNotice);
  rig.wakeup.ticks(1ms);
  CHECK(rig.wakeup.wait() == Wake::kTick);
}

TEST_CASE("Wakeup: a tick comes every period, and a new period ends the old one") {
  Rig rig;
  rig.wakeup.ticks(1ms);
  CHECK(rig.wakeup.wait() == Wake::kTick);
  CHECK(rig.wakeup.wait() == Wake::kTick);
  rig.wakeup.ticks(1h);
  rig.wakeup.notify();
  CHECK(rig.wakeup.wait() == Wake::kNotice);
  rig.wakeup.ticks(0ms);  // as soon as can be, not never
  CHECK(rig.wakeup.wait() == Wake::kTick);
}

TEST_CASE("Wakeup: stop goes before everything, for good") {
  Rig rig;
  rig.wakeup.notify();
  REQUIRE(::eventfd_write(rig.stop, 1) == 0);
  CHECK(rig.wakeup.wait() == Wake::kStop);
  CHECK(rig.wakeup.wait() == Wake::kStop);
}

TEST_CASE("stop_signals: SIGTERM and SIGINT stop the process in good order") {
  for (const int number : {SIGTERM, SIGINT}) {
    sigset_t before;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
    {
      auto wakeup = Wakeup::make(*stop_signals());
      REQUIRE(wakeup.has_value());
      ::pthread_kill(::pthread_self(), number);
      CHECK(wakeup->wait() == Wake::kStop);
    }
    sigset_t pending;
    sigemptyset(&pending);
    sigaddset(&pending, number);
    const timespec at_once = {};
    CHECK(::sigtimedwait(&pending, nullptr, &at_once) == number);  // taken, so that we live on
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
}

}  // namespace
}  // namespace assay::agent
