// The built `assay`, run as a user runs it.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace assay::testing {

struct Finished {
  int exit = -1;    // 128 and the signal when one ended it
  std::string out;  // standard output
  std::string err;  // standard error

  // `out` as JSON; discarded (is_discarded()) when it is not exactly one JSON value.
  nlohmann::json json() const { return nlohmann::json::parse(out, nullptr, false); }
  // Whether standard error is one line that begins "assay: " and holds `text`.
  bool complains_of(const std::string& text) const;
};

using Arguments = std::vector<std::string>;
using Environment = std::map<std::string, std::string>;

// Runs a program to its end. Ends the test process when it cannot be started.
Finished run_program(const Arguments& argv, const Environment& more = {});

// assay with these arguments, and no ASSAY_ variable but those in `more`.
Finished run_assay(const Arguments& arguments, const Environment& more = {});

// The same with standard error on a terminal: `err` is what the terminal got.
Finished run_assay_on_terminal(const Arguments& arguments);

}  // namespace assay::testing
