// Evidence from real machines, one folder a case: tests/data/README.md says where it comes from.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/tpm_quote.h"

namespace assay::testing {

// A file under tests/data. Ends the process when there is no such file: a test without its data
// proves nothing.
Bytes read_test_data(std::string_view path);

// One folder of tests/data/evidence. Nothing in it has been checked.
struct EvidenceCase {
  std::string name;
  Bytes attest;     // quote.msg
  Bytes signature;  // quote.sig
  Bytes ak_public;  // ak.pub, a TPM2B_PUBLIC
  Bytes ak_pem;     // ak.pem, the same key
  Nonce nonce;
  PcrValues all_pcrs;  // everything in pcrs.*.bin
  PcrValues pcrs;      // those that the quote selects, says expected.json
  Bytes ima_log;       // binary_runtime_measurements
  Bytes boot_log;      // binary_bios_measurements
  nlohmann::json expected;

  UntrustedQuote quote() const { return {attest, signature, pcrs}; }

  // What the quote proves under ak.pub.
  Result<QuotedPcrs> quoted(const QuotePolicy& policy = {}) const;
};

// Ends the process when the case, or a file that every case has, is missing or unreadable.
EvidenceCase load_case(std::string_view name);

// A log of tests/data/ima-logs, with what a TPM reported beside it.
struct LogVector {
  std::string name;
  Bytes log;
  PcrValues pcrs;             // those that the log extends
  std::uint64_t entries = 0;  // of the last of them
};

// All of them, sorted by name. Ends the process when one is not readable.
std::vector<LogVector> all_log_vectors();

// The names of all cases, sorted.
std::vector<std::string> all_cases();

}  // namespace assay::testing
