// replay_boot_log() on logs made for one rule each; boot_log_test.cc has the real logs.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/boot/boot_log.h"
#include "tests/support/boot_log_builder.h"
#include "tests/support/fault_of.h"

using namespace assay;
using namespace assay::testing;

namespace {

using Type = BootEventType;

}  // namespace

TEST_CASE("replay_boot_log: a legacy log is proven by a quoted SHA-1 bank and by no other") {
  LogBuilder builder = LogBuilder::legacy();
  builder.event(4, Type::kAction, bytes_of("Calling INT 19h"));
  PcrValues with_sha256 = builder.pcrs();
  for (std::uint32_t i = 0; i <= 10; ++i) {
    with_sha256.emplace(PcrSlot{HashAlg::kSha256, pcr_of(i)}, Digest::filled(HashAlg::kSha256, 7));
  }
  const auto log = check(builder.bytes(), quote_of(with_sha256));
  REQUIRE(log.has_value());
  CHECK(log->banks() == std::set{HashAlg::kSha1});
  CHECK(as_text(log->events()[0].proven_data) == "Calling INT 19h");

  std::erase_if(with_sha256, [](const auto& pcr) { return pcr.first.bank == HashAlg::kSha1; });
  CHECK(fault_of(check(builder.bytes(), quote_of(with_sha256))) == FaultId::kBootPcrMismatch);
}

TEST_CASE("replay_boot_log: every bank of the log has to match, SHA-384 and SHA-512 too") {
  LogBuilder builder({HashAlg::kSha256, HashAlg::kSha384, HashAlg::kSha512});
  builder.event(6, Type::kSeparator, Bytes(4));
  CHECK(check(builder).has_value());
  for (const HashAlg bank : {HashAlg::kSha256, HashAlg::kSha384, HashAlg::kSha512}) {
    PcrValues pcrs = builder.pcrs();
    pcrs.insert_or_assign(PcrSlot{bank, pcr_of(6)}, Digest::filled(bank, 9));
    const auto log = check(builder.bytes(), quote_of(pcrs));
    REQUIRE_FALSE(log.has_value());
    CHECK(log.error().id == FaultId::kBootPcrMismatch);
    CHECK(log.error().detail == std::string(hash_name(bank)) +
                                    " PCR 6: the log's 1 events do not lead to the quoted value");
  }
}

TEST_CASE("replay_boot_log: PCR 0 starts where the TPM was started from") {
  const Bytes locality3 = bytes_of(std::string_view("StartupLocality\0\3", 17));
  LogBuilder started(kSha256Only);
  started.start_pcrs(3);
  started.event(0, Type::kNoAction, locality3).event(0, Type::kSeparator, Bytes(4));
  CHECK(check(started).has_value());

  LogBuilder alone(kSha256Only);  // PCR 0 is never extended, but does not start at zero
  alone.start_pcrs(3);
  CHECK(check(alone.event(0, Type::kNoAction, locality3)).has_value());

  LogBuilder hcrtm(kSha256Only);
  hcrtm.start_pcrs(4);
  hcrtm.event(0, Type::kNoAction, locality3);
  hcrtm.event(0, Type::kEfiHcrtmEvent, bytes_of("HCRTM"), bytes_of("the H-CRTM itself"));
  CHECK(check(hcrtm).has_value());

  LogBuilder silent(kSha256Only);
  silent.start_pcrs(3);
  CHECK(fault_of(check(silent.event(0, Type::kSeparator, Bytes(4)))) == FaultId::kBootPcrMismatch);

  LogBuilder longer(kSha256Only);  // another event that starts in the same way
  longer.event(0, Type::kNoAction, bytes_of(std::string_view("StartupLocality\0\0\3", 18)));
  CHECK(check(longer).has_value());

  LogBuilder elsewhere(kSha256Only);  // the event counts in PCR 0 only
  elsewhere.start_pcrs(3);
  CHECK(fault_of(check(elsewhere.event(1, Type::kNoAction, locality3))) ==
        FaultId::kBootPcrMismatch);
}

// What a node could leave out, and what it gains by that: nothing.
TEST_CASE("replay_boot_log: absence proves nothing") {
  const auto sample = [] {
    return LogBuilder({HashAlg::kSha256, HashAlg::kSha384}).event(4, Type::kSeparator, Bytes(4));
  };
  const auto with = [](PcrValues pcrs, std::uint32_t index, std::uint8_t value) {
    pcrs.insert_or_assign(PcrSlot{HashAlg::kSha256, pcr_of(index)},
                          Digest::filled(HashAlg::kSha256, value));
    return pcrs;
  };
  const auto only = [](PcrValues pcrs, const std::function<bool(const PcrSlot&)>& keep) {
    std::erase_if(pcrs, [&](const auto& pcr) { return !keep(pcr.first); });
    return pcrs;
  };
  const LogBuilder log = sample();
  const LogBuilder bare({HashAlg::kSha256});
  const LogBuilder shim = sample().event(14, Type::kIpl, bytes_of("MokList"), bytes_of("list"));
  const LogBuilder sha384_only =
      LogBuilder({HashAlg::kSha384}).event(4, Type::kIpl, bytes_of("harmless"));
  const PcrValues& pcrs = log.pcrs();
  struct Row {
    std::string name;
    Bytes bytes;
    PcrValues pcrs;
    std::optional<FaultId> want;
  };
  const Row rows[] = {
      {"an empty file where PCR 4 was extended", {}, pcrs, FaultId::kBootPcrMismatch},
      {"an empty file where nothing was extended", {}, bare.pcrs(), std::nullopt},
      {"no event where PCR 4 was extended", bare.bytes(), pcrs, FaultId::kBootPcrMismatch},
      {"no event for a PCR that was extended", log.bytes(), with(pcrs, 8, 1),
       FaultId::kBootPcrMismatch},
      {"no event for PCR 9, likewise", log.bytes(), with(pcrs, 9, 1), FaultId::kBootPcrMismatch},
      {"PCR 10, which is IMA's", log.bytes(), with(pcrs, 10, 1), std::nullopt},
      {"PCR 11, which is userspace's", log.bytes(), with(pcrs, 11, 1), std::nullopt},
      {"PCR 14 without events", log.bytes(), with(pcrs, 14, 1), std::nullopt},
      {"PCR 14 with events", shim.bytes(), with(pcrs, 14, 1), FaultId::kBootPcrMismatch},
      {"PCR 14 with events, and right", shim.bytes(), shim.pcrs(), std::nullopt},
      {"a quote of one boot PCR", log.bytes(),
       only(pcrs, [](const PcrSlot& s) { return s.index.value() == 10 || s.index.value() == 4; }),
       std::nullopt},
      {"a quote of no boot PCR", log.bytes(),
       only(pcrs, [](const PcrSlot& s) { return s.index == kImaPcr; }), FaultId::kBootPcrMismatch},
      {"a bank that is quoted for IMA only vouches for no boot log", sha384_only.bytes(),
       only(pcrs,
            [](const PcrSlot& s) { return s.bank == HashAlg::kSha256 || s.index == kImaPcr; }),
       FaultId::kBootPcrMismatch},
      {"a quoted bank that the log lacks, beside one that it has",
       LogBuilder({HashAlg::kSha384}).event(4, Type::kSeparator, Bytes(4)).bytes(), pcrs,
       std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(fault_of(check(row.bytes, quote_of(row.pcrs))) == row.want);
  }
}

TEST_CASE("replay_boot_log: an event without a digest in a quoted bank is refused") {
  LogBuilder builder(kSha256Only, true);
  builder.event(8, Type::kSeparator, Bytes(4));
  Bytes bytes = builder.bytes();
  // A further event for PCR 8, with one digest: of the algorithm that nobody can check.
  const Bytes text = bytes_of("grub_cmd: harmless");
  put(bytes, 8, 4);
  put(bytes, static_cast<std::uint32_t>(Type::kIpl), 4);
  put(bytes, 1, 4);
  put(bytes, kUnknownAlg, 2);
  put(bytes, Bytes(32, 1));
  put(bytes, text.size(), 4);
  put(bytes, text);
  const auto log = check(bytes, quote_of(builder.pcrs()));
  REQUIRE_FALSE(log.has_value());
  CHECK(log.error().id == FaultId::kBootPcrMismatch);
  CHECK(log.error().detail == "event 2 has no digest in a quoted bank");
}

TEST_CASE("replay_boot_log: an event of a PCR that is not replayed is left out, not believed") {
  LogBuilder builder(kSha256Only);
  builder.event(4, Type::kSeparator, Bytes(4)).event(12, Type::kIpl, bytes_of("command line"));
  const auto log = check(builder);
  REQUIRE(log.has_value());
  CHECK(log->events().size() == 1);
  CHECK(log->unproven_events() == 2);
}

TEST_CASE("replay_boot_log: a bank in which only PCR 14 is quoted proves no event") {
  LogBuilder builder({HashAlg::kSha256, HashAlg::kSha384});
  builder.event(4, Type::kSeparator, Bytes(4)).event(14, Type::kIpl, bytes_of("MokList"));
  PcrValues pcrs = builder.pcrs();
  std::erase_if(pcrs, [](const auto& pcr) {
    return (pcr.first.bank == HashAlg::kSha384) != (pcr.first.index.value() == 14);
  });
  pcrs.insert_or_assign(PcrSlot{HashAlg::kSha384, pcr_of(14)}, Digest::zero(HashAlg::kSha384));
  const auto log = check(builder.bytes(), quote_of(pcrs));
  REQUIRE(log.has_value());
  CHECK(log->banks() == std::set{HashAlg::kSha256});
  CHECK(log->events().size() == 1);
  CHECK(log->unproven_events() == 2);
}

// One row per real way of hashing: none of these may be called a forgery.
TEST_CASE("replay_boot_log: accepts what real firmware, shim, GRUB and kernel log") {
  const Bytes boot = variable("Boot0000", Bytes(70, 5));
  const Bytes db = variable("db", Bytes(40, 6));
  const Bytes cut = Bytes(boot.begin(), boot.end() - 3);
  const Bytes one = {1, 0, 0, 0};
  Bytes surplus = db;
  surplus.resize(db.size() + 6);
  Bytes wrapping = variable("", Bytes(8));
  wrapping[23] = 0x80;  // 2^63 characters in the name are 2^64 bytes
  Bytes no_entry_size = gpt();
  no_entry_size[84] = 0;
  const auto text = [](std::string_view t) { return bytes_of(t); };
  struct Row {
    std::string name;
    std::uint32_t pcr;
    Type type;
    Bytes data;
    Bytes hashed;
    Bytes proven;
  };
  const Row rows[] = {
      {"a separator", 0, Type::kSeparator, Bytes(4, 0xff), Bytes(4, 0xff), Bytes(4, 0xff)},
      {"an error separator", 0, Type::kSeparator, text("E42!"), one, {}},
      {"an error separator with the value", 0, Type::kSeparator, one, one, one},
      {"a separator with text", 0, Type::kSeparator, text("WBCL end"), Bytes(4), {}},
      {"a version string", 0, Type::kSCrtmVersion, Bytes(2), Bytes(2), Bytes(2)},
      {"Dell's version string", 0, Type::kSCrtmVersion, text("1.17.3"), text("other"), {}},
      {"a POST code", 0, Type::kPostCode, text("ACPI DATA"), text("tables"), {}},
      {"an action logged with its NUL", 4, Type::kEfiAction, Bytes{'A', 0}, text("A"), text("A")},
      {"an action hashed with its NUL", 4, Type::kEfiAction, Bytes{'A', 0}, Bytes{'A', 0},
       Bytes{'A', 0}},
      {"an action that is no text", 4, Type::kAction, Bytes{1, 2, 3}, text("x"), {}},
      {"a boot variable, whole", 1, Type::kEfiVariableBoot, boot, boot, boot},
      {"a boot variable, its value", 1, Type::kEfiVariableBoot, boot, Bytes(70, 5), Bytes(70, 5)},
      {"a boot variable that firmware cut short", 1, Type::kEfiVariableBoot, cut, boot, {}},
      {"a BOOT2 variable, whole", 1, Type::kEfiVariableBoot2, boot, boot, boot},
      {"an authority by an old shim", 7, Type::kEfiVariableAuthority, db,
       Bytes(db.begin(), db.end() - 1), Bytes(db.begin(), db.end() - 1)},
      {"an authority with bytes to spare", 7, Type::kEfiVariableAuthority, surplus, text("x"), {}},
      {"a variable whose name's size wraps",
       7,
       Type::kEfiVariableAuthority,
       wrapping,
       text("x"),
       {}},
      {"a boot variable outside PCR 1", 5, Type::kEfiVariableBoot, boot, text("x"), {}},
      {"an action outside PCRs 0-7", 8, Type::kEfiAction, text("action"), text("x"), {}},
      {"a driver's setting outside PCR 7", 1, Type::kEfiVariableDriverConfig, db, text("x"), {}},
      {"a partition table", 5, Type::kEfiGptEvent, gpt(), gpt(), gpt()},
      {"a partition table of another form", 5, Type::kEfiGptEvent, text("?"), text("x"), {}},
      {"a partition table of empty entries", 5, Type::kEfiGptEvent, no_entry_size, text("x"), {}},
      {"configuration tables", 1, Type::kEfiHandoffTables, Bytes(8, 1), text("tables"), {}},
      {"a PE image", 4, Type::kEfiBootServicesApplication, Bytes(32, 1), text("image"), {}},
      {"a firmware blob", 0, Type::kEfiPlatformFirmwareBlob, Bytes(16, 1), text("blob"), {}},
      {"GRUB's command", 8, Type::kIpl, bytes_of(std::string_view("grub_cmd: ls\0", 13)),
       text("ls"), text("ls")},
      {"old GRUB's command", 8, Type::kIpl, bytes_of(std::string_view("grub_cmd ls\0", 12)),
       Bytes{'l', 's', 0}, Bytes{'l', 's', 0}},
      {"a file that GRUB read", 9, Type::kIpl, text("/vmlinuz"), text("content"), {}},
      {"a file of a strange name", 9, Type::kIpl, text("grub_cmd: x"), text("content"), {}},
      {"shim's list", 14, Type::kIpl, text("MokList"), text("list"), {}},
      {"the EFI stub's command line", 9, Type::kEventTag, text("tagged"), text("options"), {}},
      {"SeaBIOS's option ROM", 2, Type::kEventTag, text("tagged"), text("tagged"), text("tagged")},
      {"a type that nobody knows", 6, Type{0x12345678}, text("?"), text("x"), {}},
      {"no data at all", 7, Type::kEfiVariableAuthority, {}, text("x"), {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const LogBuilder builder =
        LogBuilder(kSha256Only).event(row.pcr, row.type, row.data, row.hashed);
    const auto log = check(builder);
    REQUIRE(log.has_value());
    REQUIRE(log->events().size() == 1);
    CHECK(std::ranges::equal(log->events()[0].proven_data, row.proven));
  }
}

// One row per kind of data that a forger may change while the digests stay.
TEST_CASE("replay_boot_log: refuses event data that its digest was not taken of") {
  const auto text = [](std::string_view t) { return bytes_of(t); };
  struct Row {
    std::string name;
    std::uint32_t pcr;
    Type type;
    Bytes data;
    Bytes hashed;
  };
  const Row rows[] = {
      {"separator", 7, Type::kSeparator, Bytes(4), Bytes(4, 0xff)},
      {"action", 2, Type::kAction, text("Start Option ROM Scan"), text("something else")},
      {"EFI action", 7, Type::kEfiAction, text("nothing to see"), text("UEFI Debug Mode")},
      {"Secure Boot switch", 7, Type::kEfiVariableDriverConfig, variable("SecureBoot", Bytes{1}),
       variable("SecureBoot", Bytes{0})},
      {"name of a variable", 7, Type::kEfiVariableDriverConfig, variable("db", Bytes(9)),
       variable("dbx", Bytes(9))},
      {"authority", 7, Type::kEfiVariableAuthority, variable("db", Bytes(9, 1)),
       variable("db", Bytes(9, 2))},
      {"boot option", 1, Type::kEfiVariableBoot, variable("Boot0000", Bytes(9, 1)), Bytes(9, 2)},
      {"boot option, whole", 1, Type::kEfiVariableBoot2, variable("Boot0000", Bytes(9, 1)),
       variable("Boot0000", Bytes(9, 2))},
      {"partition table", 5, Type::kEfiGptEvent, gpt(), text("another table")},
      {"GRUB command", 8, Type::kIpl, text("grub_cmd: ls"), text("insmod evil")},
      {"kernel command line", 8, Type::kIpl, text("kernel_cmdline: ro"), text("ro init=/evil")},
      {"module command line", 8, Type::kIpl, text("module_cmdline: a"), text("b")},
      {"old GRUB command", 8, Type::kIpl, text("grub_cmd ls"), text("insmod evil")},
      {"GRUB command that claims firmware's error", 8, Type::kIpl, text("grub_cmd: ls"),
       Bytes{1, 0, 0, 0}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    for (std::vector<HashAlg> banks : {std::vector{HashAlg::kSha1}, kSha256Only,
                                       std::vector{HashAlg::kSha1, HashAlg::kSha384}}) {
      const auto log = check(LogBuilder(banks).event(row.pcr, row.type, row.data, row.hashed));
      REQUIRE_FALSE(log.has_value());
      CHECK(log.error().id == FaultId::kBootEventDigestMismatch);
      CHECK(log.error().detail == "event 1 (" + std::string(boot_event_type_name(row.type)) +
                                      ", PCR " + std::to_string(row.pcr) + ")");
    }
  }
}

TEST_CASE("replay_boot_log: a forger who hides behind label or type proves nothing by it") {
  const auto proven_bytes = [](Type type, std::string_view data) {
    const LogBuilder log =
        LogBuilder(kSha256Only).event(8, type, bytes_of(data), bytes_of("insmod evil"));
    return check(log)->events().at(0).proven_data.size();
  };
  CHECK(proven_bytes(Type::kIpl, "/harmless/file") == 0);
  CHECK(proven_bytes(Type::kEventTag, "grub_cmd: ls") == 0);
}
