#include "cli/options.h"

#include <algorithm>

#include "core/text.h"
#include "golden/set_file.h"

namespace assay {
namespace {

constexpr std::size_t kMaxNodeNameBytes = 253;  // Kubernetes object names: RFC 1123 subdomains
constexpr std::size_t kMaxTokenNameBytes = 64;

CLI::Validator name_of(const std::string& whose, std::size_t max_bytes) {
  return CLI::Validator(
      [whose, max_bytes](std::string& name) -> std::string {
        const bool ok =
            !name.empty() && name.size() <= max_bytes && std::ranges::all_of(name, [](char c) {
              return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
            });
        return ok ? ""
                  : whose + " name is 1 to " + std::to_string(max_bytes) +
                        " of a-z, 0-9, '-' and '.'";
      },
      "");
}

}  // namespace

void add_json_flag(CLI::App& command, Format& format) {
  command.add_flag_callback(
      "--json", [&format] { format = Format::kJson; }, "print JSON for programs");
}

void add_examples(CLI::App& command, const std::string& text) {
  command.footer("\nExamples:\n" + text);
}

CLI::Validator node_name() {
  return name_of("a node's", kMaxNodeNameBytes);
}

CLI::Validator token_name() {
  return name_of("a token's", kMaxTokenNameBytes);
}

CLI::Validator set_name() {
  return CLI::Validator(
      [](std::string& name) -> std::string {
        return valid_set_name(name)
                   ? ""
                   : "a set's name is 1 to 256 printable ASCII characters without spaces";
      },
      "");
}

CLI::Validator set_fact() {
  return CLI::Validator(
      [](std::string& fact) -> std::string {
        const std::size_t equals = fact.find('=');
        const bool ok = equals != std::string::npos && valid_fact_name(fact.substr(0, equals)) &&
                        valid_fact_value(fact.substr(equals + 1));
        return ok ? ""
                  : "a fact is NAME=VALUE: 1 to 64 of a-z, 0-9, '.', '_' and '-', and 1 to 512 "
                    "bytes of printable text";
      },
      "");
}

CLI::Validator printable_text(std::size_t max_bytes) {
  return CLI::Validator(
      [max_bytes](std::string& text) -> std::string {
        const bool ok = !text.empty() && text.size() <= max_bytes && is_printable(text);
        return ok ? "" : "has to be 1 to " + std::to_string(max_bytes) + " bytes of printable text";
      },
      "");
}

}  // namespace assay
