// assay-bench: how near Assay comes to what OpenSSL alone could do on this machine.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <random>

#include "cli/command.h"
#include "cli/files.h"
#include "cli/golden_files.h"
#include "tests/bench/golden_bench.h"
#include "tests/bench/quote_bench.h"
#include "tests/bench/replay_bench.h"
#include "tests/bench/signed_bench.h"

namespace assay::bench {
namespace {

constexpr std::size_t kMaxLogBytes = std::size_t{1} << 30;

struct ReplayOptions {
  std::string log;
  std::vector<std::string> golden;
  HashAlg bank = HashAlg::kSha256;
  std::uint64_t least_entries = 200'000;
  std::uint64_t golden_size = 0;
};

// Every digest of the log, and others that are as good as random.
GoldenSnapshot golden_of(const BenchLog& log, std::uint64_t size) {
  GoldenSnapshot::Builder builder;
  const auto set = builder.add_set("log");
  for (const Digest& digest : log.file_digests()) builder.add(set, digest);
  std::mt19937_64 random(1);
  for (std::uint64_t i = log.file_digests().size(); i < size; ++i) {
    Bytes bytes(hash_size(HashAlg::kSha256));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    builder.add(set, *Digest::from(HashAlg::kSha256, bytes));
  }
  return std::move(builder).build();
}

Result<nlohmann::ordered_json> run_replay(const ReplayOptions& options) {
  ASSAY_TRY(const Bytes bytes, read_file(options.log, {.max_bytes = kMaxLogBytes,
                                                       .too_large = FaultId::kImaTooLarge}));
  ASSAY_TRY(const BenchLog log, BenchLog::make(bytes, options.bank, options.least_entries));
  if (options.golden.empty()) return replay_bench(log, golden_of(log, options.golden_size));
  ASSAY_TRY(const GoldenSnapshot golden, load_golden(options.golden));
  return replay_bench(log, golden);
}

Exit print(const Result<nlohmann::ordered_json>& result) {
  if (!result) {
    std::fprintf(stderr, "assay-bench: %s\n", format_fault(result.error()).c_str());
    return Exit::kUsage;
  }
  std::printf("%s\n", result->dump().c_str());
  return Exit::kOk;
}

// What is measured, with its options.
struct Verbs {
  ReplayOptions replay;
  testing::AkKind kind = testing::AkKind::kP256;
  std::uint64_t signed_entries = 200'000;
  GoldenLoad load;
  Exit exit = Exit::kOk;
};

void add_replay(CLI::App& app, Verbs& verbs) {
  ReplayOptions& replay = verbs.replay;
  CLI::App* verb = app.add_subcommand("replay", "replay and judge a measurement log");
  verb->add_option("LOG", replay.log, "binary_runtime_measurements")->required();
  verb->add_option("--golden", replay.golden,
                   "golden set to judge by; without, one of all that the log holds");
  const std::map<std::string, HashAlg> banks = {{"sha1", HashAlg::kSha1},
                                                {"sha256", HashAlg::kSha256},
                                                {"sha384", HashAlg::kSha384},
                                                {"sha512", HashAlg::kSha512}};
  verb->add_option("--bank", replay.bank, "PCR bank: sha1, sha256, sha384 or sha512")
      ->transform(CLI::CheckedTransformer(banks));
  verb->add_option("--entries", replay.least_entries, "repeat the log to so many at least")
      ->capture_default_str();
  verb->add_option("--golden-size", replay.golden_size,
                   "without --golden: add random digests up to so many");
  verb->callback([&verbs] { verbs.exit = print(run_replay(verbs.replay)); });
}

void add_quote(CLI::App& app, Verbs& verbs) {
  CLI::App* verb = app.add_subcommand("quote", "verify a TPM quote");
  const std::map<std::string, testing::AkKind> kinds = {{"rsa2048", testing::AkKind::kRsa2048},
                                                        {"p256", testing::AkKind::kP256}};
  verb->add_option("--alg", verbs.kind, "key of the quote: rsa2048 or p256")
      ->required()
      ->transform(CLI::CheckedTransformer(kinds));
  verb->callback([&verbs] { verbs.exit = print(quote_bench(verbs.kind)); });
}

void add_signed(CLI::App& app, Verbs& verbs) {
  CLI::App* verb =
      app.add_subcommand("signed", "judge a log of files that a golden key has signed");
  verb->add_option("--entries", verbs.signed_entries, "so many at least")->capture_default_str();
  verb->callback([&verbs] { verbs.exit = print(signed_bench(verbs.signed_entries)); });
}

void add_golden(CLI::App& app, Verbs& verbs) {
  GoldenLoad& load = verbs.load;
  CLI::App* verb =
      app.add_subcommand("golden", "load, push and look up the sets of a large cluster");
  verb->add_option("--hashes", load.hashes, "in all sets")
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str();
  verb->add_option("--sets", load.sets, "images that they are of")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  verb->add_option("--push-files", load.push_files, "of one more image, which is pushed")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  verb->add_option("--dir", load.folder, "where the database is until the end")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  verb->callback([&verbs] { verbs.exit = print(golden_bench(verbs.load)); });
}

int run(int argc, char** argv) {
  CLI::App app("Times Assay's inner loops against what this machine could do at best.",
               "assay-bench");
  app.require_subcommand(1);
  Verbs verbs;
  add_replay(app, verbs);
  add_quote(app, verbs);
  add_signed(app, verbs);
  add_golden(app, verbs);
  app.footer(
      "Examples:\n"
      "  assay-bench replay /sys/kernel/security/ima/binary_runtime_measurements\n"
      "  assay-bench replay ima.log --golden host.json --bank sha384\n"
      "  assay-bench quote --alg p256\n"
      "  assay-bench signed\n"
      "  assay-bench golden --hashes 1000000 --dir /var/tmp\n"
      "\n"
      "Prints one line of JSON: ours, the limit, and their ratio.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(Exit::kUsage);
  }
  return static_cast<int>(verbs.exit);
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  return assay::bench::run(argc, argv);
}
