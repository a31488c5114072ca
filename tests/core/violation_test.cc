#include "core/violation.h"

#include <doctest/doctest.h>

#include "tests/support/evidence_case.h"
#include "tests/support/ima_builder.h"

using namespace assay;
using namespace assay::testing;

namespace {

// A violation's record; it borrows its name.
ImaEntry violation_of(std::string_view path) {
  return {.index = 3, .violation = true, .name = path};
}

ImaEntry with_mode(std::string_view path, ByteView mode) {
  ImaEntry out = violation_of(path);
  out.fields[0] = {ImaField::kImode, "imode", mode};
  out.field_count = 1;
  return out;
}

}  // namespace

TEST_CASE("violation_class: what lies among logs, spools and caches is data") {
  for (const std::string path : {"/var/log/syslog", "/var/log/pods/x/0.log", "/run/log/journal/x",
                                 "/var/spool/cron/a", "/var/cache/apt/b", "/var/mail/c"}) {
    CAPTURE(path);
    CHECK(violation_class(violation_of(path)) == ViolationClass::kOther);
  }
}

TEST_CASE("violation_class: what may act, or is not known to be data, is an executable") {
  for (const std::string path : {"/bin/sh",
                                 "/usr/lib/x86_64-linux-gnu/libc.so.6",
                                 "/data/x",
                                 "/etc/passwd",
                                 "/var/lib/x",
                                 "/tmp/x",
                                 "/opt/app/run",
                                 "memfd:x",
                                 "x",
                                 "",
                                 "/var/log",
                                 "var/log/x",
                                 "/var/logs/x",
                                 "/var/log/bin/x",
                                 "/var/log/../../bin/sh",
                                 "/var/cache/x.so",
                                 "/var/cache/x.so.1",
                                 "/var/cache/x.ko",
                                 "/var/cache/x.ko.xz",
                                 "/var/spool/lib64/x"}) {
    CAPTURE(path);
    CHECK(violation_class(violation_of(path)) == ViolationClass::kExecutable);
  }
}

TEST_CASE("violation_class: an execute bit in the template makes an executable of it") {
  const Bytes plain = {0xa4, 0x81};       // 0100644
  const Bytes executable = {0xe8, 0x81};  // 0100750
  CHECK(violation_class(with_mode("/var/log/x", plain)) == ViolationClass::kOther);
  CHECK(violation_class(with_mode("/var/log/x", executable)) == ViolationClass::kExecutable);
  CHECK(violation_class(with_mode("/var/log/x", {})) == ViolationClass::kOther);
  CHECK(violation_class(with_mode("/data/x", plain)) == ViolationClass::kExecutable);
}

TEST_CASE("violation_class: the mode is read in the log's byte order") {
  const Bytes mode = {0x00, 0x40};  // 0100 in a big-endian log, 040000 in a little-endian one
  ImaEntry entry = with_mode("/var/log/x", mode);
  CHECK(violation_class(entry) == ViolationClass::kOther);
  entry.order = ByteOrder::kBig;
  CHECK(violation_class(entry) == ViolationClass::kExecutable);
}

TEST_CASE("judge_violation: alarms on executables and data, and warns where the policy says so") {
  const Fault executable = judge_violation(violation_of("/bin/sh"), {});
  CHECK(executable.id == FaultId::kImaViolation);
  CHECK(severity_of(executable) == Severity::kCritical);
  CHECK(executable.entry == 3);
  CHECK(executable.path == "/bin/sh");
  CHECK(executable.detail == "the name is not authenticated; judged as an executable");

  const Fault other = judge_violation(violation_of("/var/log/x"), {});
  CHECK(other.id == FaultId::kImaViolation);
  CHECK(severity_of(other) == Severity::kCritical);
  CHECK(other.detail == "the name is not authenticated; judged as data by it");

  const ViolationRules data_warns{.others = Enforcement::kWarn};
  CHECK(severity_of(judge_violation(violation_of("/var/log/x"), data_warns)) == Severity::kWarning);
  CHECK(severity_of(judge_violation(violation_of("/bin/sh"), data_warns)) == Severity::kCritical);
  const ViolationRules code_warns{.executables = Enforcement::kWarn};
  CHECK(severity_of(judge_violation(violation_of("/bin/sh"), code_warns)) == Severity::kWarning);
}

TEST_CASE("judge_violation: real violations of unknown files are alarms") {
  for (const std::string name : {"out2", "out4"}) {
    CAPTURE(name);
    const Bytes log = read_test_data("ima-logs/" + name + ".binary_runtime_measurements");
    std::size_t violations = 0;
    for (ImaLogReader reader(log); !reader.at_end();) {
      const auto entry = reader.next();
      REQUIRE(entry.has_value());
      if (!entry->violation) continue;
      ++violations;
      CHECK(severity_of(judge_violation(*entry, {})) == Severity::kCritical);
    }
    CHECK(violations == (name == "out2" ? 4 : 1));
  }
}
