#include "cli/command.h"

#include <doctest/doctest.h>

#include "tests/cli/assay_process.h"

using namespace assay;
using namespace assay::testing;

TEST_CASE("with_subject: says which file, what is wrong in general, and what exactly") {
  const Fault fault{.id = FaultId::kGoldenMalformed, .detail = "file 3: no digest"};
  CHECK(with_subject(fault, "a\nset").detail ==
        "a\\x0aset: a golden set cannot be read: file 3: no digest");
  CHECK(with_subject({.id = FaultId::kGoldenMalformed}, "set").detail ==
        "set: a golden set cannot be read");
}

TEST_CASE("assay: the whole command line explains itself, with examples") {
  const Arguments commands[] = {
      {},
      {"evidence"},
      {"evidence", "verify"},
      {"golden"},
      {"golden", "build"},
      {"golden", "push"},
      {"golden", "list"},
      {"golden", "show"},
      {"node"},
      {"node", "enrol"},
      {"node", "list"},
      {"node", "show"},
      {"node", "attest"},
      {"node", "acknowledge"},
      {"violation"},
      {"violation", "list"},
      {"violation", "show"},
  };
  for (Arguments command : commands) {
    CAPTURE(command.size());
    command.push_back("--help");
    const Finished help = run_assay(command);
    CHECK(help.exit == 0);
    CHECK(help.out.find("Examples:\n  assay ") != std::string::npos);
    CHECK(help.err.empty());
  }
}

TEST_CASE("assay: says its version") {
  const Finished version = run_assay({"--version"});
  CHECK(version.exit == 0);
  CHECK(version.out.starts_with("assay "));
}

TEST_CASE("assay: a command that it does not understand is one line and status 3") {
  struct Row {
    Arguments arguments;
    std::string says;
  };
  const Row rows[] = {
      {{}, "subcommand is required"},
      {{"frobnicate"}, ""},
      {{"golden"}, "subcommand is required"},
      {{"golden", "list", "--frobnicate"}, "--frobnicate"},
      {{"golden", "list", "\x1b[31m\n"}, "\\x1b[31m\\x0a"},
      {{"evidence", "verify"}, "BUNDLE"},
      {{"violation", "show", "x"}, "ID"},
      {{"violation", "list", "--limit", "0"}, "--limit"},
      {{"node", "list", "--timeout", "0"}, "--timeout"},
      {{"node", "show", "Not_A_Name"}, "253"},
      {{"node", "acknowledge", "n"}, "--reason"},
      {{"node", "acknowledge", "n", "--reason", "a\nb"}, "printable"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.says);
    const Finished got = run_assay(row.arguments);
    CHECK(got.exit == 3);
    CAPTURE(got.err);
    CHECK(got.complains_of(row.says));
    CHECK(got.out.empty());
  }
}

TEST_CASE("assay: an answer that cannot be written is no answer") {
  const Finished got = run_program({"sh", "-c", std::string(ASSAY_PROGRAM) + " --help >/dev/full"});
  CHECK(got.exit == 3);
  CHECK(got.complains_of("standard output cannot be written: No space left on device"));
}
