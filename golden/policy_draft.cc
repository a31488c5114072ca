#include "golden/policy_draft.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <vector>

#include "core/boot/command_line.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr std::size_t kMaxNameBytes = 120;

std::string format_day(std::chrono::sys_days day) {
  const std::chrono::year_month_day date(day);
  char out[32];
  const int size =
      std::snprintf(out, sizeof out, "%04d-%02u-%02u", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return std::string(out, static_cast<std::size_t>(size));
}

struct Draft {
  YAML::Emitter& yaml;
  std::string day;

  void accept(const Digest& digest, const std::string& name) const {
    yaml << YAML::BeginMap << YAML::Key << "digest" << YAML::Value << format_digest(digest)
         << YAML::Key << "name" << YAML::Value << YAML::DoubleQuoted
         << shorten(escape_bytes(name), kMaxNameBytes) << YAML::Key << "since" << YAML::Value << day
         << YAML::EndMap;
  }

  void accept_one(const Digest& digest, const std::string& name) const {
    yaml << YAML::Key << "accept" << YAML::Value << YAML::BeginSeq;
    accept(digest, name);
    yaml << YAML::EndSeq;
  }

  void pcrs(const BootFacts& facts) const {
    if (facts.pcrs.empty()) return;
    // One bank is enough, and the verifier may quote another one only when the policy says so.
    const HashAlg bank = facts.pcrs.begin()->first.bank;
    yaml << YAML::Key << "pcrs" << YAML::Value << YAML::BeginSeq;
    for (const auto& [slot, value] : facts.pcrs) {
      if (slot.bank != bank) continue;
      yaml << YAML::BeginMap << YAML::Key << "pcr" << YAML::Value
           << static_cast<int>(slot.index.value());
      accept_one(value, "as learnt");
      yaml << YAML::EndMap;
    }
    yaml << YAML::EndSeq;
  }

  void variables(const BootFacts& facts) const {
    if (facts.variables.empty()) return;
    std::map<std::string, std::vector<Digest>> by_name;
    for (const BootVariable& variable : facts.variables) {
      by_name[variable.name].push_back(variable.digest);
    }
    yaml << YAML::Key << "variables" << YAML::Value << YAML::BeginSeq;
    for (const auto& [name, digests] : by_name) {
      yaml << YAML::BeginMap << YAML::Key << "name" << YAML::Value << name << YAML::Key << "accept"
           << YAML::Value << YAML::BeginSeq;
      for (const Digest& digest : digests) accept(digest, name + " as learnt");
      yaml << YAML::EndSeq << YAML::EndMap;
    }
    yaml << YAML::EndSeq;
  }

  void images(const char* key, const std::vector<BootImage>& images) const {
    if (images.empty()) return;
    yaml << YAML::Key << key << YAML::Value << YAML::BeginMap << YAML::Key << "accept"
         << YAML::Value << YAML::BeginSeq;
    std::set<Digest> seen;
    for (const BootImage& image : images) {
      if (image.digests.empty() || !seen.insert(image.digests.front()).second) continue;
      accept(image.digests.front(), image.label);
    }
    yaml << YAML::EndSeq << YAML::EndMap;
  }

  void rule(const std::string& parameter, const std::set<std::string>& values,
            std::size_t lines) const {
    yaml << YAML::BeginMap << YAML::Key << "parameter" << YAML::Value << YAML::DoubleQuoted
         << parameter;
    if (!values.empty()) {
      yaml << YAML::Key << "values" << YAML::Value << YAML::Flow << YAML::BeginSeq;
      for (const std::string& value : values) yaml << YAML::DoubleQuoted << value;
      yaml << YAML::EndSeq;
    }
    if (lines > 0) yaml << YAML::Key << "required" << YAML::Value << true;
    yaml << YAML::EndMap;
  }

  // Parameters that weaken measurement are held to what they were, and others of their kind are out.
  void command_lines(const BootFacts& facts) const {
    static constexpr std::string_view kWatched[] = {"ima_", "evm", "lockdown",
                                                    "module.sig_enforce"};
    if (facts.command_lines.empty()) return;
    std::map<std::string, std::set<std::string>> values;
    std::map<std::string, std::size_t> lines;
    for (const std::string& line : facts.command_lines) {
      std::set<std::string> here;
      for (const KernelParameter& parameter : parse_command_line(line)) {
        const bool watched = std::ranges::any_of(
            kWatched, [&](std::string_view prefix) { return parameter.name.starts_with(prefix); });
        if (!watched || escape_bytes(parameter.name) != parameter.name) continue;
        values[parameter.name].insert(escape_bytes(parameter.value));
        here.insert(parameter.name);
      }
      for (const std::string& name : here) ++lines[name];
    }
    yaml << YAML::Key << "command_line" << YAML::Value << YAML::BeginMap << YAML::Key << "rules"
         << YAML::Value << YAML::BeginSeq;
    for (const auto& [name, found] : values) {
      rule(name, found, lines[name] == facts.command_lines.size() ? lines[name] : 0);
    }
    for (const std::string_view prefix : kWatched) rule(std::string(prefix) + "*", {}, 0);
    yaml << YAML::EndSeq << YAML::EndMap;
  }
};

}  // namespace

std::string format_boot_policy(const BootFacts& facts, std::string_view class_name,
                               std::chrono::sys_days today) {
  YAML::Emitter yaml;
  const Draft draft{yaml, format_day(today)};
  yaml << YAML::Comment("Drafted from one machine on " + draft.day + ": read it before it counts.")
       << YAML::Newline << YAML::BeginMap << YAML::Key << "classes" << YAML::Value << YAML::BeginSeq
       << YAML::BeginMap << YAML::Key << "name" << YAML::Value << YAML::DoubleQuoted
       << std::string(class_name) << YAML::Key << "boot" << YAML::Value << YAML::BeginMap;
  draft.pcrs(facts);
  if (facts.secure_boot) {
    yaml << YAML::Key << "secure_boot" << YAML::Value << YAML::BeginMap << YAML::Key << "enabled"
         << YAML::Value << *facts.secure_boot << YAML::EndMap;
  }
  draft.variables(facts);
  draft.images("applications", facts.applications);
  draft.images("files", facts.files);
  draft.command_lines(facts);
  yaml << YAML::EndMap << YAML::EndMap << YAML::EndSeq << YAML::EndMap;
  return std::string(yaml.c_str()) + "\n";
}

}  // namespace assay
