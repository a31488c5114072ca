"""A row for every rule that has to catch something, and for what comes close and has to pass."""

import faults
import rules

CAUGHT = [
    # rule, file, text
    ("dependency", "core/x.cc", '#include "golden/set_file.h"\n'),
    ("dependency", "core/x.cc", '#include "assay/v1/agent.pb.h"\n'),
    ("dependency", "golden/x.cc", '#include "verifier/clock.h"\n'),
    ("dependency", "verifier/x.cc", '#include "agent/tpm.h"\n'),
    ("dependency", "verifier/x.cc", '  #  include "tests/support/fake_tpm.h"\n'),
    ("dependency", "agent/x.cc", '#include "golden/set_file.h"\n'),
    ("dependency", "agent/x.cc", '#include "cli/files.h"\n'),
    ("dependency", "cli/x.cc", '#include "verifier/clock.h"\n'),
    ("dependency", "core/x.cc", '#include "bytes.h"\n'),
    ("dependency", "core/x.cc", '#include "../golden/set_file.h"\n'),
    ("dependency", "core/x.cc", "#include <golden/set_file.h>\n"),
    ("length", "core/x.cc", "\n" * 501),
    ("length", "tests/x.py", "\n" * 501),
    ("pragma_once", "core/x.h", "#ifndef X\n"),
    ("core_is_a_calculation", "core/x.cc", "#include <fstream>\n"),
    ("core_is_a_calculation", "core/x.cc", "#include <sys/socket.h>\n"),
    ("core_is_a_calculation", "core/x.h", "#pragma once\n#include <spdlog/spdlog.h>\n"),
    ("proto_in_cc_only", "cli/x.h", '#pragma once\n#include "assay/v1/agent.pb.h"\n'),
    ("proto_in_cc_only", "verifier/x.h", '#pragma once\n#include "assay/v1/agent.grpc.pb.h"\n'),
    ("httplib_in_cc_only", "verifier/http/x.h", "#pragma once\n#include <httplib.h>\n"),
    ("httplib_in_cc_only", "cli/x.cc", "#include <httplib.h>\n"),
    ("openssl_at_the_edge", "verifier/x.cc", "#include <openssl/evp.h>\n"),
    ("openssl_at_the_edge", "verifier/x.cc", '#include "core/openssl.h"\n'),
    ("openssl_at_the_edge", "golden/rootfs.cc", "#include <openssl/evp.h>\n"),
    ("openssl_at_the_edge", "core/digest.h", "#pragma once\n#include <openssl/evp.h>\n"),
    ("esys_in_agent_tpm_only", "agent/session.cc", "#include <tss2/tss2_esys.h>\n"),
    ("esys_in_agent_tpm_only", "agent/tpm.h", "#pragma once\n#include <tss2/tss2_tctildr.h>\n"),
    ("esys_in_agent_tpm_only", "verifier/x.cc", "#include <tss2/tss2_esys.h>\n"),
    ("sqlite_in_store_only", "verifier/ledger.cc", "#include <sqlite3.h>\n"),
    ("throw", "core/x.cc", "  throw 1;\n"),
    ("throw", "tests/core/x_test.cc", "  throw 1;\n"),
    ("catch", "verifier/ledger.cc", "  } catch (const std::exception& e) {\n"),
    ("catch", "core/x.cc", "  try {\n"),
    ("clock", "verifier/ledger.cc", "auto now = std::chrono::system_clock::now();\n"),
    ("clock", "agent/x.cc", "const auto t = std::chrono::steady_clock::now();\n"),
    ("clock", "agent/x.cc", "  const std::time_t t = ::time(nullptr);\n"),
    ("grpc_clock", "agent/stream.cc", "gpr_now(GPR_CLOCK_REALTIME)\n"),
    ("cast", "verifier/x.cc", "reinterpret_cast<const std::uint8_t*>(text.data())\n"),
    ("cast", "core/x.cc", "reinterpret_cast<const Header*>(bytes.data())\n"),
    ("test_cast", "tests/core/x.cc", "reinterpret_cast<const Header*>(bytes.data())\n"),
    ("shared_ptr", "verifier/x.h", "#pragma once\nstd::shared_ptr<Store> store;\n"),
    ("shared_ptr", "verifier/x.cc", "auto store = std::make_shared<Store>();\n"),
    ("dangling_range", "tests/x.cc", "for (const Record& set : *store.history(name)) {\n"),
    ("dangling_range", "core/x.cc", "  for (auto& [a, b] : *read(x)) a = b;\n"),
    ("sleep", "tests/agent/x_test.cc", "std::this_thread::sleep_for(10ms);\n"),
    ("sleep", "agent/x.cc", "::usleep(10);\n"),
    ("todo", "core/x.cc", "// TODO: later\n"),
    ("todo", "docs/x.md", "FIXME\n"),
    ("machine", "deploy/x.sh", "cd /home/ada/assay\n"),
    ("machine", "docs/x.md", "see /Users/ada/assay\n"),
    ("machine", "docs/x.md", "cmake -B /tmp/build-x\n"),
]

PASSES = [
    # file, text
    ("golden/x.cc", '#include "core/digest.h"\n#include "golden/set_file.h"\n#include <vector>\n'),
    ("verifier/x.cc", '#include "assay/v1/agent.pb.h"\n#include <httplib.h>\n'),
    ("verifier/sessions/codec.h", '#pragma once\n#include "assay/v1/agent.pb.h"\n'),
    ("verifier/x.cc", '// #include "agent/tpm.h"\n'),
    ("agent/tpm/x.cc", "#include <tss2/tss2_esys.h>\n"),
    ("core/digest.cc", '#include <openssl/evp.h>\n#include "core/openssl.h"\n'),
    ("golden/signing.cc", "#include <openssl/evp.h>\n"),
    ("tests/core/x_test.cc", '#include <openssl/evp.h>\n#include "verifier/clock.h"\n'),
    ("core/x.cc", "\n" * 500),
    ("core/x.cc", "// the default would throw, and nobody would catch (it)\n"),
    ("core/x.cc", 'fail("do not throw; catch (it)"); const char quote = \'"\'; // throw\n'),
    ("core/x.cc", "/* throw\n throw */\nconst int n = 1'000'000;\n"),
    ("core/x.cc", 'R"sql(\nthrow\n)sql"\n'),
    ("golden/yaml_reader.cc", "try {\n} catch (const YAML::Exception& error) {\n"),
    ("verifier/clock.cc", "std::chrono::steady_clock::now();\n"),
    ("tests/x_test.cc", "const auto until = std::chrono::steady_clock::now() + 5s;\n"),
    ("verifier/x.cc", "const Instant now = world_.clock.now();\nset_time(0);\nattempt.time(0);\n"),
    ("core/bytes.cc", "reinterpret_cast<const std::uint8_t*>(text.data())\n"),
    ("tests/x.cc", "reinterpret_cast<const char*>(sqlite3_column_text(row, 0))\n"),
    ("tests/x.cc", "bind(fd, reinterpret_cast<const sockaddr*>(&address), size);\n"),
    ("verifier/x.cc", "std::shared_ptr<const Golden> s; std::shared_ptr<grpc::Channel> c;\n"),
    ("tests/x.cc", "run(\"sleep 60\");\n"),
    ("cli/x.cc", "for (File& f : *set.mutable_files()) f.clear();\nfor (int n : *all) add(n);\n"),
    ("deploy/x.sh", "cat $out/work/x ./home/y {work}/z\n"),
]

FAULT_TABLE = '''
#define ASSAY_FAULTS(X)                        \\
  X(kOne, "a.one", kInvalid, kCritical, "one") \\
  X(kTwo, "a.two", kOperation, kWarning,       \\
    "two, "                                    \\
    "in parts")
'''


def rule_failures():
    for name, path, text in CAUGHT:
        if name not in [rule for _, rule, _ in rules.check_file(path, text)]:
            yield f"[{name}] does not catch in {path}: {text.strip()!r}"
    for path, text in PASSES:
        for line, rule, why in rules.check_file(path, text):
            yield f"[{rule}] refuses {path}:{line}: {text.strip()!r}: {why}"
    for rule in {rule.name for rule in rules.RULES} - {name for name, _, _ in CAUGHT}:
        yield f"[{rule}] has no row in CAUGHT"


def fault_failures():
    want = [("a.one", "kInvalid", "critical", "one"),
            ("a.two", "kOperation", "warning", "two, in parts")]
    if faults.read_faults(FAULT_TABLE) != want:
        yield "faults.py reads a table wrongly"
    text = faults.format_faults(want)
    if "| `a.two` | warning | two, in parts |" not in text or text.count("`a.one`") != 1:
        yield "faults.py writes a table wrongly"
    try:
        faults.read_faults("X(kOne, what)")
        yield "faults.py overlooks a row that it cannot read"
    except SystemExit:
        pass


def run():
    failures = [*rule_failures(), *fault_failures()]
    print("\n".join(failures) if failures else f"{len(CAUGHT)} caught, {len(PASSES)} pass")
    return 1 if failures else 0
