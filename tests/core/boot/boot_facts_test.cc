#include "core/boot/boot_facts.h"

#include <doctest/doctest.h>

#include "tests/support/boot_log_builder.h"
#include "tests/support/evidence_case.h"
#include "tests/support/temp_dir.h"

using namespace assay;
using namespace assay::testing;

namespace {

constexpr std::uint8_t kGlobal[] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
                                    0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
constexpr std::uint8_t kSecurity[] = {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45,
                                      0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f};
const Bytes kOn = {1};
const Bytes kOff = {0};
const Bytes kSeparator(4);

Bytes variable_of(ByteView guid, std::string_view name, ByteView data) {
  Bytes out = variable(name, data);
  std::ranges::copy(guid, out.begin());
  return out;
}

constexpr BootEventType kConfig = BootEventType::kEfiVariableDriverConfig;

Bytes utf16(std::string_view text) {
  Bytes out;
  for (const char c : text) put(out, static_cast<std::uint8_t>(c), 2);
  return out;
}

BootFacts describe(const LogBuilder& log, std::string_view command_line = "") {
  const QuotedPcrs quoted = quote_of(log.pcrs());
  const auto attested = check(log.bytes(), quoted);
  REQUIRE(attested.has_value());
  return describe_boot(quoted, &*attested, as_bytes(command_line));
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("describe_boot: a real UEFI boot: variables, the kernel, its initrd, its command line") {
  const EvidenceCase evidence = load_case("a-clean-ovmf");
  const QuotedPcrs quoted = quote_of(evidence.pcrs);
  const auto log = check(evidence.boot_log, quoted);
  REQUIRE(log.has_value());
  std::string line = read_file(std::string(ASSAY_TEST_DATA) + "/evidence/a-clean-ovmf/cmdline");
  line.pop_back();  // its line break, which the kernel does not measure
  const BootFacts facts = describe_boot(quoted, &*log, as_bytes(line));
  CHECK(facts.has_log);
  CHECK(facts.secure_boot == false);
  REQUIRE(facts.variables.size() == 4);
  CHECK(facts.variables[0].name == "PK");
  CHECK(facts.variables[3].name == "dbx");
  CHECK(facts.variables[3].digest == hash(HashAlg::kSha256, {}));
  REQUIRE(facts.applications.size() == 1);
  CHECK(facts.applications[0].label == "kernel");
  REQUIRE(facts.files.size() == 1);
  CHECK(facts.files[0].label == "Linux initrd");
  CHECK(facts.command_lines == Lines{line});
  CHECK(facts.pcrs.contains({HashAlg::kSha256, pcr_of(7)}));
  CHECK_FALSE(facts.pcrs.contains({HashAlg::kSha256, pcr_of(10)}));

  // Another command line than was booted is not believed, and what was measured stays in the list.
  const BootFacts lied = describe_boot(quoted, &*log, as_bytes("ima_policy=tcb"));
  CHECK(lied.command_lines.empty());
  CHECK(lied.files.size() == 2);
}

TEST_CASE("describe_boot: without a log only the quoted values are known") {
  const LogBuilder log(kSha256Only);
  const BootFacts facts = describe_boot(quote_of(log.pcrs()), nullptr, as_bytes("quiet"));
  CHECK_FALSE(facts.has_log);
  CHECK_FALSE(facts.secure_boot.has_value());
  CHECK(facts.command_lines.empty());
  CHECK(facts.pcrs.size() == 10);
}

TEST_CASE("describe_boot: Secure Boot is what PCR 7 proves before its separator, each time") {
  const Bytes on = variable_of(kGlobal, "SecureBoot", kOn);
  const Bytes off = variable_of(kGlobal, "SecureBoot", kOff);
  const auto state = [](const std::vector<Bytes>& before, const std::vector<Bytes>& after) {
    LogBuilder log(kSha256Only);
    for (const Bytes& data : before) log.event(7, kConfig, data);
    log.event(7, BootEventType::kSeparator, kSeparator);
    for (const Bytes& data : after) log.event(7, kConfig, data);
    return describe(log).secure_boot;
  };
  CHECK(state({on}, {}) == true);
  CHECK(state({off}, {}) == false);
  CHECK(state({off, on}, {}) == false);
  CHECK(state({on, off}, {}) == false);
  CHECK(state({}, {on}) == std::nullopt);  // root extends what it likes after the boot
  CHECK(state({off}, {on}) == false);
  CHECK(state({variable_of(kSecurity, "SecureBoot", kOn)}, {}) == std::nullopt);
  CHECK(state({variable_of(kGlobal, "SecureBooty", kOn)}, {}) == std::nullopt);
  CHECK(state({variable_of(kGlobal, "SecureBoot", Bytes{1, 1})}, {}) == false);
  // In another register, or with a digest of something else, it says nothing.
  LogBuilder elsewhere(kSha256Only);
  elsewhere.event(1, kConfig, on).event(7, BootEventType::kEventTag, on, bytes_of("x"));
  CHECK(describe(elsewhere).secure_boot == std::nullopt);
  // Its type is nobody's concern.
  LogBuilder retyped(kSha256Only);
  retyped.event(7, BootEventType::kEventTag, off);
  CHECK(describe(retyped).secure_boot == false);
}

TEST_CASE("describe_boot: every digest of PCR 4 and 9 is listed, whatever it calls itself") {
  LogBuilder log(kSha256Only);
  log.event(4, BootEventType::kEfiAction, bytes_of("Calling EFI Application from Boot Option"));
  log.event(4, BootEventType::kSeparator, kSeparator);
  log.event(4, BootEventType::kEfiBootServicesApplication, bytes_of("shim"), bytes_of("the shim"));
  log.event(4, BootEventType::kCompactHash, bytes_of("quiet one"), bytes_of("another image"));
  log.event(9, BootEventType::kSeparator, kSeparator);
  log.event(9, BootEventType::kIpl, bytes_of("/boot/vmlinuz"), bytes_of("the kernel"));
  log.event(9, BootEventType::kEfiAction, bytes_of("#!/bin/sh\nevil initrd"));  // its own digest
  const BootFacts facts = describe(log);
  REQUIRE(facts.applications.size() == 2);
  CHECK(facts.applications[0].digests == std::vector{hash(HashAlg::kSha256, bytes_of("the shim"))});
  CHECK(facts.applications[1].label == "EV_COMPACT_HASH");
  REQUIRE(facts.files.size() == 2);
  CHECK(facts.files[0].label == "/boot/vmlinuz");
  CHECK(facts.files[1].digests ==
        std::vector{hash(HashAlg::kSha256, bytes_of("#!/bin/sh\nevil initrd"))});
}

TEST_CASE("describe_boot: a command line is what looks like one, not what is called one") {
  const auto lines = [](std::string_view data, std::string_view hashed) {
    LogBuilder log(kSha256Only);
    log.event(8, BootEventType::kIpl, bytes_of(data), bytes_of(hashed));
    return describe(log).command_lines;
  };
  CHECK(lines("kernel_cmdline: /vmlinuz ro ima=off", "/vmlinuz ro ima=off") == Lines{"ro ima=off"});
  CHECK(lines("grub_cmd: linux /vmlinuz ro", "linux /vmlinuz ro") == Lines{"ro"});
  CHECK(lines("grub_cmd: linuxefi (hd0)/vmlinuz a b", "linuxefi (hd0)/vmlinuz a b") ==
        Lines{"a b"});
  CHECK(lines("module_cmdline: /vmlinuz evil", "/vmlinuz evil") == Lines{"evil"});
  CHECK(lines("grub_cmd: insmod ext2", "insmod ext2").empty());
  CHECK(lines("grub_cmd: linux /vmlinuz", "linux /vmlinuz") == Lines{""});
}

TEST_CASE("describe_boot: a claimed command line counts only where the kernel has measured it") {
  LogBuilder log(kSha256Only);
  const std::string line = "ro ima_policy=tcb";
  Bytes measured = utf16(line);
  put(measured, 0, 2);
  log.event(9, BootEventType::kEventTag, bytes_of("LOADED_IMAGE::LoadOptions"), measured);
  CHECK(describe(log, line).command_lines == Lines{line});
  CHECK(describe(log, line).files.empty());
  CHECK(describe(log, "ro").command_lines.empty());
  CHECK(describe(log, "ro").files.size() == 1);
  CHECK(describe(log).files.size() == 1);
}

TEST_CASE("describe_boot: lists and texts have limits, and what is over them is counted") {
  LogBuilder log(kSha256Only);
  for (std::size_t i = 0; i < kMaxBootFacts + 3; ++i) {
    log.event(9, BootEventType::kIpl, bytes_of("f"), bytes_of("file " + std::to_string(i)));
  }
  const std::string huge = "linux /v " + std::string(kMaxBootText + 1, 'x');
  log.event(8, BootEventType::kIpl, bytes_of(huge));
  const BootFacts facts = describe(log);
  CHECK(facts.files.size() == kMaxBootFacts);
  CHECK(facts.command_lines.empty());
  CHECK(facts.unlisted == 4);
}
