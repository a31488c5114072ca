#include "core/boot/command_line.h"

#include <algorithm>

#include "core/text.h"

namespace assay {
namespace {

constexpr std::size_t kMaxShown = 80;

std::string with_underscores(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, '-', '_');
  return out;
}

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// The next word of `rest`, quotes and all, which is taken off it.
std::string_view take_word(std::string_view& rest) {
  while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
  bool quoted = false;
  std::size_t end = 0;
  while (end < rest.size() && (quoted || !is_space(rest[end]))) {
    if (rest[end] == '"') quoted = !quoted;
    ++end;
  }
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(end);
  return word;
}

std::string_view without_quotes(std::string_view text) {
  if (text.starts_with('"')) text.remove_prefix(1);
  if (text.ends_with('"')) text.remove_suffix(1);
  return text;
}

KernelParameter parse_word(std::string_view word) {
  if (word.starts_with('"')) word = without_quotes(word);
  const std::size_t equals = word.find('=');
  KernelParameter out{.name = with_underscores(word.substr(0, equals)), .value = {}};
  if (equals != std::string_view::npos) {
    out.has_value = true;
    out.value = without_quotes(word.substr(equals + 1));
  }
  return out;
}

// How well a rule's name fits: the size of what fits, and one more for a whole name. 0: not at all.
std::size_t fit(const CommandLineRule& rule, std::string_view name) {
  const std::string wanted = with_underscores(rule.parameter);
  if (!wanted.ends_with('*')) return wanted == name ? name.size() + 2 : 0;
  const std::string_view prefix = std::string_view(wanted).substr(0, wanted.size() - 1);
  return name.starts_with(prefix) ? prefix.size() + 1 : 0;
}

const CommandLineRule* rule_for(const std::vector<CommandLineRule>& rules, std::string_view name) {
  const CommandLineRule* best = nullptr;
  std::size_t best_fit = 0;
  for (const CommandLineRule& rule : rules) {
    if (const std::size_t now = fit(rule, name); now > best_fit) {
      best = &rule;
      best_fit = now;
    }
  }
  return best;
}

std::string shown(const KernelParameter& parameter) {
  return shorten(escape_bytes(parameter.name + (parameter.has_value ? "=" + parameter.value : "")),
                 kMaxShown);
}

}  // namespace

std::vector<KernelParameter> parse_command_line(std::string_view line) {
  std::vector<KernelParameter> out;
  for (;;) {
    const std::string_view word = take_word(line);
    if (word.empty() || word == "--") return out;
    out.push_back(parse_word(word));
  }
}

std::vector<std::string> breaches_of(std::string_view line,
                                     const std::vector<CommandLineRule>& rules) {
  std::vector<std::string> out;
  const std::vector<KernelParameter> parameters = parse_command_line(line);
  for (const KernelParameter& parameter : parameters) {
    const CommandLineRule* rule = rule_for(rules, parameter.name);
    if (rule == nullptr) continue;
    // A parameter without a value is not one with an empty value, but "" allows both.
    if (std::ranges::find(rule->values, parameter.value) == rule->values.end()) {
      out.push_back("\"" + shown(parameter) + "\" is not allowed");
    }
  }
  for (const CommandLineRule& rule : rules) {
    const bool there = std::ranges::any_of(parameters, [&](const KernelParameter& parameter) {
      return parameter.name == with_underscores(rule.parameter);
    });
    if (rule.required && !there) {
      out.push_back("\"" + escape_bytes(rule.parameter) + "\" is missing");
    }
  }
  return out;
}

}  // namespace assay
