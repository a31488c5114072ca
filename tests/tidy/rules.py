"""What the house forbids, as rules over one file at a time. Every exemption says why."""

import re

ROOMS = ("core", "golden", "proto", "verifier", "agent", "cli", "tests")

# Who may include whom. "proto" stands for the generated headers, assay/v1/….
MAY_INCLUDE = {
    "core": {"core"},
    "golden": {"golden", "core"},
    "verifier": {"verifier", "golden", "core", "proto"},
    "agent": {"agent", "core", "proto"},
    "cli": {"cli", "golden", "core", "proto"},
    "tests": set(ROOMS),
}

MAX_LINES = 500
CPP = (".cc", ".h")
TEXT = CPP + (".py", ".sh", ".proto", ".md", ".txt", ".yaml", ".example", ".service", ".policy")
SOURCE = CPP + (".py", ".sh", ".proto", ".txt")


def room_of(path):
    return path.split("/", 1)[0]


def is_product(path):
    return room_of(path) in ("core", "golden", "verifier", "agent", "cli")


def code_only(text):
    """C++ `text` with comments and the content of literals blanked, line by line."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'
        r"(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.DOTALL)
    return pattern.sub(lambda match: "\n" * match[0].count("\n") or '""', text)


def includes(text):
    """(line number, name, is it in quotes) of every #include."""
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
        if match:
            yield number, match[2], match[1] == '"'


class IncludeRule:
    """Headers that match `headers` are for files that `allowed` accepts."""

    def __init__(self, name, headers, allowed, why):
        self.name, self.headers, self.allowed, self.why = name, re.compile(headers), allowed, why

    def check(self, path, text):
        if not path.endswith(CPP) or not is_product(path) or self.allowed(path):
            return
        for number, name, _ in includes(text):
            if self.headers.match(name):
                yield number, f"{name}: {self.why}"


class CodeRule:
    """C++ code, without comments and literals, that matches `pattern` is forbidden."""

    def __init__(self, name, pattern, why, allowed=lambda path: False):
        self.name, self.pattern, self.why, self.allowed = name, re.compile(pattern), why, allowed

    def check(self, path, text):
        if not path.endswith(CPP) or self.allowed(path):
            return
        for number, line in enumerate(code_only(text).splitlines(), 1):
            if self.pattern.search(line):
                yield number, self.why


class TextRule:
    """Text of any kind that matches `pattern` is forbidden."""

    def __init__(self, name, pattern, why):
        self.name, self.pattern, self.why = name, re.compile(pattern), why

    def check(self, path, text):
        # These rules and their self-test have to name what they look for.
        if not path.endswith(TEXT) or path.startswith("tests/tidy/"):
            return
        for number, line in enumerate(text.splitlines(), 1):
            if self.pattern.search(line):
                yield number, self.why


class Dependencies:
    name = "dependency"

    def check(self, path, text):
        room = room_of(path)
        if not path.endswith(CPP) or room not in MAY_INCLUDE:
            return
        for number, name, quoted in includes(text):
            target = "proto" if name.startswith("assay/") else room_of(name)
            if not quoted:
                if target in ROOMS and "/" in name and name.endswith(".h"):
                    yield number, f"{name}: our own headers are included in quotes"
            elif target not in ROOMS or "/" not in name:
                yield number, f"{name}: our headers are named from the repository root"
            elif target not in MAY_INCLUDE[room]:
                yield number, f"{name}: {room} may include {', '.join(sorted(MAY_INCLUDE[room]))}"


class FileLength:
    name = "length"

    def check(self, path, text):
        lines = text.count("\n")
        if path.endswith(SOURCE) and lines > MAX_LINES:
            yield lines, f"{lines} lines: split the file, {MAX_LINES} is the most"


class PragmaOnce:
    name = "pragma_once"

    def check(self, path, text):
        if path.endswith(".h") and "#pragma once\n" not in text:
            yield 1, "a header without #pragma once"


# Headers that only codec and service .cc files include.
PROTO_HEADERS = {"verifier/services/codec.h", "verifier/sessions/codec.h"}

# Outside core/: what speaks TLS, signs with a key, or has an algorithm that core/ must not have.
OPENSSL_EDGE = {
    "golden/md5.cc",              # dpkg's sums, in no other file and for nothing else
    "verifier/http/connection.cc",  # the HTTP port's TLS
    "verifier/sinks/ca_file.cc",  # whether it holds a certificate
    "verifier/sinks/webhook.cc",  # HMAC
}
OPENSSL_HEADERS = {  # for .cc files of those rooms
    "core/certificate/chain.h", "core/openssl.h", "core/tpm_public.h", "core/tpm_types.h",
}

# Where exceptions of a library end.
CATCHERS = {
    "agent/config.cc": "yaml-cpp",
    "agent/options.cc": "CLI11",
    "cli/main.cc": "CLI11",
    "golden/yaml_reader.cc": "yaml-cpp",
    "tests/bench/main.cc": "CLI11",
    "verifier/cluster/pod_watch.cc": "cpp-httplib",
    "verifier/identity/key_fetch.cc": "cpp-httplib",
    "verifier/options.cc": "CLI11",
    "verifier/sinks/webhook.cc": "cpp-httplib",
}

CLOCK_FILES = {"verifier/clock.cc", "cli/clock.cc"}
GRPC_CLOCK_FILES = {"verifier/grpc_server.cc"}  # gRPC takes its shutdown deadline in this form only

CORE_FORBIDS = (r"(fstream|iostream|filesystem|thread|mutex|condition_variable|ctime|time\.h"
                r"|fcntl\.h|unistd\.h|sys/.*|spdlog/.*|grpcpp/.*|sqlite3\.h|httplib\.h"
                r"|yaml-cpp/.*)$")

RULES = [
    Dependencies(),
    FileLength(),
    PragmaOnce(),
    IncludeRule("core_is_a_calculation", CORE_FORBIDS, lambda path: room_of(path) != "core",
                "core has no file, socket, clock, thread or log"),
    IncludeRule("proto_in_cc_only", r"assay/v\d+/.*\.pb\.h$",
                lambda path: path.endswith(".cc") or path in PROTO_HEADERS,
                "generated protobuf is for .cc files"),
    IncludeRule("httplib_in_cc_only", r"httplib\.h$",
                lambda path: room_of(path) == "verifier" and path.endswith(".cc"),
                "cpp-httplib is for the verifier's .cc files"),
    IncludeRule("openssl_at_the_edge", r"(openssl/.*|core/openssl\.h|core/certificate/chain\.h)$",
                lambda path: path in OPENSSL_EDGE or path in OPENSSL_HEADERS or
                re.match(r"(core/(\w+/)?\w+|golden/sign\w*)\.cc$", path),
                "OpenSSL is for core, golden signing and the TLS edge"),
    IncludeRule("esys_in_agent_tpm_only", r"tss2/tss2_(esys|tctildr|rc|sys|fapi).*\.h$",
                lambda path: path.startswith("agent/tpm/"), "only agent/tpm talks to a TPM"),
    IncludeRule("sqlite_in_store_only", r"sqlite3\.h$",
                lambda path: path.startswith("verifier/store/"), "SQLite is for verifier/store"),
    CodeRule("throw", r"\bthrow\b", "a failure is a Result: nothing of ours throws"),
    CodeRule("catch", r"\b(catch\s*\(|try\s*\{)",
             "only adapters catch: tests/tidy/rules.py has them", lambda path: path in CATCHERS),
    CodeRule("clock", r"\b(system_clock|steady_clock|high_resolution_clock)::now\b"
                      r"|\b(clock_gettime|gettimeofday)\s*\("
                      r"|(?<![\w.])time\s*\(\s*(nullptr|NULL|0)\s*\)",
             "time is an argument: read it in the room's clock.cc",
             lambda path: path in CLOCK_FILES or room_of(path) == "tests"),
    CodeRule("grpc_clock", r"\bgpr_now\s*\(", "time is an argument: read it in the room's clock.cc",
             lambda path: path in GRPC_CLOCK_FILES or room_of(path) == "tests"),
    CodeRule("cast", r"\breinterpret_cast\s*<(?!\s*(const\s+)?sockaddr\s*\*)",
             "bytes become text through as_text() and as_bytes()",
             lambda path: path in ("core/bytes.h", "core/bytes.cc") or room_of(path) == "tests"),
    # Tests take what C libraries give them, but only as bytes.
    CodeRule("test_cast",
             r"\breinterpret_cast\s*<(?!\s*(const\s+)?(sockaddr|char|(std::)?uint8_t)\s*\*)",
             "bytes are unmarshalled, never cast to a structure",
             lambda path: room_of(path) != "tests"),
    # Channels, credentials and log sinks are shared by the libraries that define them.
    CodeRule("shared_ptr", r"\b(shared_ptr|make_shared)\s*<\s*(?!const\b|grpc::|spdlog::)",
             "shared ownership is for immutable snapshots: shared_ptr<const T>",
             lambda path: room_of(path) == "tests"),
    # What * of a temporary Result refers to is gone before the first turn. protobuf's pointers stay.
    CodeRule("dangling_range", r"\bfor\s*\([^;]*[^:]:\s*\*(?![^)]*\bmutable_\w+\()[\w.:>-]*\w\(",
             "a loop over what a call returns: keep the Result in a variable"),
    CodeRule("sleep", r"\b(sleep|usleep|nanosleep|sleep_for|sleep_until|clock_nanosleep)\s*\(",
             "wait for a condition with a deadline, never for time alone"),
    TextRule("todo", r"\b(TODO|FIXME|XXX|HACK)\b", "finish it, or file an issue"),
    TextRule("machine", r"(?<![\w.}$])/(home|Users)/\w+|/tmp/build-",
             "a path of one developer's machine"),
]


def check_file(path, text):
    """(line, rule's name, what is wrong) of everything in one file."""
    return [(line, rule.name, why) for rule in RULES for line, why in rule.check(path, text) or ()]
