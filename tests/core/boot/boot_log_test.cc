#include "core/boot/boot_log.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <type_traits>

#include "tests/support/boot_log_builder.h"
#include "tests/support/evidence_case.h"
#include "tests/support/fault_of.h"

using namespace assay;
using namespace assay::testing;

namespace {

using Type = BootEventType;

static_assert(!std::is_default_constructible_v<UntrustedBootLog>);
static_assert(!std::is_default_constructible_v<AttestedBootLog>);

// The Secure Boot, shim and GRUB log that p-71 was forged from: its one changed letter put back.
EvidenceCase secure_boot_case() {
  EvidenceCase out = load_case("p-71-bios-event-text-changed");
  const std::size_t at = as_text(out.boot_log).find("grub_cmd: minux");
  REQUIRE(at != std::string_view::npos);
  out.boot_log[at + 10] = 'l';
  return out;
}

const AttestedBootEvent* find_event(const AttestedBootLog& log, std::uint64_t index) {
  for (const AttestedBootEvent& found : log.events()) {
    if (found.event.index == index) return &found;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("parse_boot_log: every real log has the events that tpm2_eventlog lists") {
  for (const std::string& name : all_cases()) {
    CAPTURE(name);
    const EvidenceCase real = load_case(name);
    const auto log = parse_boot_log(real.boot_log);
    REQUIRE(log.has_value());
    CHECK(log->banks() == std::set{HashAlg::kSha1, HashAlg::kSha256, HashAlg::kSha384});
    CHECK(log->startup_locality() == 0);
    if (real.expected.contains("bios_log")) {
      // expected.json does not count the header.
      CHECK(log->events().size() == real.expected["bios_log"]["events"].get<std::size_t>() + 1);
    }
  }
}

TEST_CASE("replay_boot_log: every real log leads to its quote, but for the forged one") {
  int proven = 0;
  for (const std::string& name : all_cases()) {
    CAPTURE(name);
    const EvidenceCase real = load_case(name);
    const auto quoted = real.quoted();
    if (!quoted) continue;  // p-07, p-08, p-51 and p-57 forge the quote
    const auto log = check(real.boot_log, *quoted);
    if (name == "p-71-bios-event-text-changed") {
      REQUIRE_FALSE(log.has_value());
      CHECK(log.error().id == FaultId::kBootEventDigestMismatch);
      CHECK(log.error().detail == "event 39 (EV_IPL, PCR 8)");
      continue;
    }
    REQUIRE(log.has_value());
    CHECK(log->banks() == std::set{HashAlg::kSha1, HashAlg::kSha256});
    CHECK(log->unproven_events() == 1);  // the header
    ++proven;
  }
  CHECK(proven == 24);
}

TEST_CASE("replay_boot_log: the real logs lead to all PCR values in three banks") {
  for (const char* name : {"a-clean-tcb-sig", "a-clean-ovmf", "k-reboot-2", "secure boot"}) {
    CAPTURE(std::string(name));
    const EvidenceCase real =
        name == std::string("secure boot") ? secure_boot_case() : load_case(name);
    const auto log = check(real.boot_log, quote_of(real.all_pcrs));
    REQUIRE(log.has_value());
    CHECK(log->banks() == std::set{HashAlg::kSha1, HashAlg::kSha256, HashAlg::kSha384});
  }
}

TEST_CASE("replay_boot_log: proven data is what the digest is the hash of") {
  const EvidenceCase real = secure_boot_case();
  const auto log = check(real.boot_log, *real.quoted());
  REQUIRE(log.has_value());
  CHECK(log->events().size() == 47);

  const auto proven = [&](std::uint64_t index) {
    const AttestedBootEvent* found = find_event(*log, index);
    REQUIRE(found != nullptr);
    return found->proven_data;
  };
  CHECK(proven(4).size() == 53);                // SecureBoot, the whole event
  CHECK(to_hex(proven(10)) == "010000000200");  // BootOrder, its value only
  CHECK(as_text(proven(14)) == "Calling EFI Application from Boot Option");
  CHECK(to_hex(proven(15)) == "00000000");        // a separator
  CHECK(proven(23).empty());                      // a PE image
  CHECK(proven(24).empty());                      // MokList: the list, not its name
  CHECK(as_text(proven(35)) == "set timeout=0");  // GRUB, less its label and NUL
  CHECK(proven(34).empty());                      // a file that GRUB names
  CHECK(as_text(proven(43)).starts_with("/vmlinuz console=ttyS0"));
  CHECK(log->events()[34].event.type == Type::kIpl);
  CHECK(log->events()[34].event.pcr == pcr_of(8));
  CHECK(find_event(*log, 0) == nullptr);  // EV_NO_ACTION is proven by nothing
}

TEST_CASE("replay_boot_log: the kernel's EFI stub names what it hashed and is not blamed for it") {
  const EvidenceCase real = load_case("a-clean-ovmf");
  const auto log = check(real.boot_log, *real.quoted());
  REQUIRE(log.has_value());
  const AttestedBootEvent* options = find_event(*log, 21);
  REQUIRE(options != nullptr);
  CHECK(options->event.type == Type::kEventTag);
  CHECK(as_text(options->event.data).find("LOADED_IMAGE::LoadOptions") != std::string_view::npos);
  CHECK(options->proven_data.empty());
}

TEST_CASE("parse_boot_log: no proper prefix of a real log is accepted with its quote") {
  const EvidenceCase real = load_case("a-clean-tcb-sig");
  const QuotedPcrs quoted = *real.quoted();
  for (std::size_t size = 0; size < real.boot_log.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(check(ByteView(real.boot_log).first(size), quoted).has_value());
  }
}

TEST_CASE("parse_boot_log: no proper prefix of a legacy log is accepted with its quote") {
  LogBuilder builder = LogBuilder::legacy();
  builder.event(4, Type::kAction, bytes_of("Calling INT 19h")).event(0, Type::kSeparator, Bytes(4));
  const QuotedPcrs quoted = quote_of(builder.pcrs());
  CHECK(check(builder.bytes(), quoted).has_value());
  for (std::size_t size = 0; size < builder.bytes().size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(check(ByteView(builder.bytes()).first(size), quoted).has_value());
  }
}

TEST_CASE("replay_boot_log: a change in any event's digests or register is noticed") {
  const EvidenceCase real = load_case("a-clean-tcb-sig");
  const QuotedPcrs quoted = *real.quoted();
  const UntrustedBootLog log = *parse_boot_log(real.boot_log);
  const auto noticed = [&](std::size_t offset) {
    Bytes bytes = real.boot_log;
    bytes[offset] ^= 1;
    return !check(bytes, quoted).has_value();
  };
  for (const BootEvent& event : log.events()) {
    if (event.index == 0) continue;
    CAPTURE(event.index);
    for (const HashAlg bank : {HashAlg::kSha1, HashAlg::kSha256}) {
      const ByteView digest = event.digests[static_cast<std::size_t>(bank)];
      const auto offset = static_cast<std::size_t>(digest.data() - real.boot_log.data());
      CHECK(noticed(offset));
      CHECK(noticed(offset + digest.size() - 1));
    }
    const ByteView first = event.digests[static_cast<std::size_t>(HashAlg::kSha1)];
    CHECK(noticed(static_cast<std::size_t>(first.data() - real.boot_log.data()) - 14));  // PCR
  }
}

// One row per way in which bytes can fail to be a log.
TEST_CASE("parse_boot_log: refuses") {
  const auto sample = [] {
    return LogBuilder({HashAlg::kSha1, HashAlg::kSha256}).event(7, Type::kSeparator, Bytes(4));
  };
  const auto edited = [&](std::size_t offset, std::uint64_t value, int size) {
    Bytes bytes = sample().bytes();
    for (int i = 0; i < size; ++i) {
      bytes[offset + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(value >> (8 * i));
    }
    return bytes;
  };
  const auto repeated = [](std::size_t events, std::size_t data_size) {
    LogBuilder out = LogBuilder::legacy();
    for (std::size_t i = 0; i < events; ++i) out.event(0, Type::kNoAction, Bytes(data_size));
    return out.bytes();
  };
  const auto longer = [&] {
    Bytes bytes = sample().bytes();
    bytes.push_back(0);
    return bytes;
  };
  const auto longer_header = [&] {
    Bytes bytes = edited(28, 38, 4);
    bytes.insert(bytes.begin() + 69, 0);
    return bytes;
  };
  // Offsets: the header event's data starts at 32, its algorithm count at 32 + 24, the algorithms
  // at 60; vendor info size at 68; the second event at 69, its count at 77, its digests at 81 and
  // 103, its data size at 137.
  struct Row {
    std::string name;
    Bytes bytes;
    std::string detail;
  };
  const Row rows[] = {
      {"a byte after the last event", longer(), "event 2: cut short"},
      {"a header event without algorithms", edited(56, 0, 4), "event 0: lists 0 digest algorithms"},
      {"more algorithms than any TPM has", edited(56, 17, 4),
       "event 0: lists 17 digest algorithms"},
      {"an algorithm count that would wrap", edited(56, 0xffffffff, 4),
       "event 0: lists 4294967295 digest algorithms"},
      {"more algorithms than the header event holds", edited(56, 3, 4),
       "event 0: is not a Spec ID event"},
      {"fewer algorithms than the header event holds", edited(56, 1, 4),
       "event 0: is not a Spec ID event"},
      {"an algorithm listed twice", edited(64, 0x4, 2), "event 0: lists a digest algorithm twice"},
      {"SHA-256 of 20 bytes", edited(66, 20, 2),
       "event 0: lists a digest size that is not the algorithm's"},
      {"a byte after the vendor info", longer_header(), "event 0: is not a Spec ID event"},
      {"vendor info longer than the header event", edited(68, 1, 1),
       "event 0: is not a Spec ID event"},
      {"a header event cut after its signature", edited(28, 20, 4), "event 0: cut short"},
      {"an event without digests", edited(77, 0, 4),
       "event 1: 0 digests where 2 algorithms are listed"},
      {"an event with a digest too many", edited(77, 3, 4),
       "event 1: 3 digests where 2 algorithms are listed"},
      {"an event with a digest of an unlisted algorithm", edited(81, 0xc, 2),
       "event 1: a digest of an unlisted algorithm"},
      {"an event with two SHA-1 digests", edited(103, 0x4, 2),
       "event 1: two digests of one algorithm"},
      {"event data longer than the log", edited(137, 5, 4), "event 1: cut short"},
      {"event data over 1 MiB", edited(137, 0x100001, 4), "event 1: data over 1 MiB"},
      {"event data size that would wrap", edited(137, 0xffffffff, 4), "event 1: data over 1 MiB"},
      {"PCR 24", edited(69, 24, 4), "event 1: PCR over 23"},
      {"a first event over 1 MiB", edited(28, 0x100001, 4), "event 0: data over 1 MiB"},
      {"10,001 events", repeated(10'001, 0), "over 10000 events"},
      {"over 4 MiB", repeated(5, (1u << 20) - 1), "over 4 MiB"},
  };
  REQUIRE(parse_boot_log(sample().bytes()).has_value());
  REQUIRE(parse_boot_log(repeated(10'000, 0)).has_value());
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto log = parse_boot_log(row.bytes);
    REQUIRE_FALSE(log.has_value());
    CHECK(log.error().id == FaultId::kBootMalformed);
    CHECK(log.error().detail == row.detail);
  }
}

TEST_CASE("parse_boot_log: an EV_NO_ACTION event may name no register, and is never extended") {
  LogBuilder builder(kSha256Only);
  builder.event(0xffffffff, Type::kNoAction, bytes_of("note"));
  builder.event(3, Type::kNoAction, bytes_of("another")).event(3, Type::kSeparator, Bytes(4));
  const auto log = check(builder);
  REQUIRE(log.has_value());
  CHECK(log->events().size() == 1);
  CHECK(log->unproven_events() == 3);
}

TEST_CASE("parse_boot_log: digests of an unknown algorithm are skipped by their listed size") {
  LogBuilder builder(kSha256Only, true);
  builder.event(2, Type::kSeparator, Bytes(4));
  const auto log = check(builder);
  REQUIRE(log.has_value());
  CHECK(log->banks() == std::set{HashAlg::kSha256});
}

TEST_CASE("replay_boot_log: refuses a real log that was edited") {
  const EvidenceCase real = secure_boot_case();
  const QuotedPcrs quoted = *real.quoted();
  const UntrustedBootLog log = *parse_boot_log(real.boot_log);
  const auto offset = [&](ByteView part) {
    return static_cast<std::size_t>(part.data() - real.boot_log.data());
  };
  const auto flipped = [&](std::size_t at) {
    Bytes bytes = real.boot_log;
    bytes[at] ^= 0x20;
    return bytes;
  };
  const auto without = [&](std::uint64_t index) {
    const auto end_of = [&](std::uint64_t i) {
      return offset(log.events()[i].data) + log.events()[i].data.size();
    };
    Bytes bytes = real.boot_log;
    bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(end_of(index - 1)),
                bytes.begin() + static_cast<std::ptrdiff_t>(end_of(index)));
    return bytes;
  };
  const auto sha1_at = [&](std::uint64_t index) {
    return offset(log.events()[index].digests[static_cast<std::size_t>(HashAlg::kSha1)]);
  };
  const auto data_at = [&](std::uint64_t index) { return offset(log.events()[index].data); };
  struct Row {
    std::string name;
    Bytes bytes;
    FaultId want;
  };
  const Row rows[] = {
      {"a digest of a PE image changed", flipped(sha1_at(23)), FaultId::kBootPcrMismatch},
      {"a digest of a separator changed", flipped(sha1_at(9)), FaultId::kBootPcrMismatch},
      {"a GRUB command removed", without(33), FaultId::kBootPcrMismatch},
      {"the first event after the header removed", without(1), FaultId::kBootPcrMismatch},
      {"shim's last list removed", without(27), FaultId::kBootPcrMismatch},
      {"the Secure Boot switch changed", flipped(data_at(4) + 52),
       FaultId::kBootEventDigestMismatch},
      {"a key in db changed", flipped(data_at(7) + 2000), FaultId::kBootEventDigestMismatch},
      {"a boot option changed", flipped(data_at(11) + 100), FaultId::kBootEventDigestMismatch},
      {"the authority changed", flipped(data_at(22) + 900), FaultId::kBootEventDigestMismatch},
      {"an action changed", flipped(data_at(46)), FaultId::kBootEventDigestMismatch},
      {"the kernel's command line changed", flipped(data_at(43) + 30),
       FaultId::kBootEventDigestMismatch},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(fault_of(check(row.bytes, quoted)) == row.want);
  }
}

TEST_CASE("boot_event_type_name: known types have the specification's names") {
  CHECK(boot_event_type_name(Type::kIpl) == "EV_IPL");
  CHECK(boot_event_type_name(Type::kEfiVariableAuthority) == "EV_EFI_VARIABLE_AUTHORITY");
  CHECK(boot_event_type_name(Type{0x12345678}) == "EV_UNKNOWN");
}
