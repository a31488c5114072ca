// Parts that command definitions share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/command.h"

namespace assay {

// Adds --json, which sets `format`. `format` outlives `command`.
void add_json_flag(CLI::App& command, Format& format);

// Puts "Examples:" and `text` under the command's help.
void add_examples(CLI::App& command, const std::string& text);

// Checks of arguments that go to the verifier, so that a slip is found without it.
CLI::Validator node_name();
CLI::Validator token_name();
CLI::Validator set_name();
CLI::Validator set_fact();  // NAME=VALUE
CLI::Validator printable_text(std::size_t max_bytes);

}  // namespace assay
