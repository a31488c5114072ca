#include "core/boot/boot_policy.h"

#include <algorithm>
#include <cstdio>

#include "core/boot/command_line.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr std::size_t kMaxDetailBytes = 1024;

std::string format_date(std::chrono::sys_days day) {
  const std::chrono::year_month_day date(day);
  char out[32];
  const int size =
      std::snprintf(out, sizeof out, "%04d-%02u-%02u", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return std::string(out, static_cast<std::size_t>(size));
}

// What one rule finds: everything that breaks it becomes one fault.
class Finding {
 public:
  Finding(FaultId id, Enforcement enforce) : id_(id), enforce_(enforce) {}

  void add(std::string_view what) {
    if (!detail_.empty()) detail_ += "; ";
    detail_ += what;
  }

  void report(std::vector<Fault>& out) const {
    if (detail_.empty()) return;
    Fault fault{.id = id_, .detail = shorten(detail_, kMaxDetailBytes)};
    if (enforce_ == Enforcement::kWarn) fault.severity = Severity::kWarning;
    out.push_back(std::move(fault));
  }

 private:
  FaultId id_;
  Enforcement enforce_;
  std::string detail_;
};

// Nothing when one of `digests` is accepted today; else why none is.
std::optional<std::string> refuse(const AcceptRule& rule, const std::vector<Digest>& digests,
                                  std::chrono::sys_days today) {
  std::string why = "is not accepted";
  for (const AcceptedValue& value : rule.accept) {
    if (std::ranges::find(digests, value.digest) == digests.end()) continue;
    if (!value.until || today <= *value.until) return std::nullopt;
    why = "\"" + escape_bytes(value.name) + "\" was accepted until " + format_date(*value.until);
  }
  return why;
}

std::string format_first(const std::vector<Digest>& digests) {
  return digests.empty() ? "no digest" : format_digest(digests.front());
}

std::vector<Digest> values_of(const PcrValues& pcrs, PcrIndex index) {
  std::vector<Digest> out;
  for (const auto& [slot, value] : pcrs) {
    if (slot.index == index) out.push_back(value);
  }
  return out;
}

class Judge {
 public:
  Judge(const BootFacts& facts, const BootPolicy& policy, std::chrono::sys_days today)
      : facts_(facts), policy_(policy), today_(today) {}

  std::vector<Fault> judge() && {
    judge_pcrs();
    if (!needs_log()) return std::move(out_);
    if (!facts_.has_log) {
      Finding missing(FaultId::kBootLogMissing, policy_.log);
      missing.add("boot a kernel with CONFIG_SECURITYFS and firmware that logs to its TPM");
      missing.report(out_);
      return std::move(out_);
    }
    judge_secure_boot();
    judge_variables();
    judge_images(FaultId::kBootApplicationNotAccepted, policy_.applications, facts_.applications);
    judge_images(FaultId::kBootFileNotAccepted, policy_.files, facts_.files);
    judge_command_lines();
    return std::move(out_);
  }

 private:
  bool needs_log() const {
    return policy_.secure_boot || !policy_.variables.empty() || policy_.applications ||
           policy_.files || policy_.command_line;
  }

  // Those that fail and those that warn apart: each kind is one fault.
  void judge_pcrs() {
    for (const Enforcement enforce : {Enforcement::kFail, Enforcement::kWarn}) {
      Finding found(FaultId::kBootPcrNotAccepted, enforce);
      for (const auto& [index, rule] : policy_.pcrs) {
        if (rule.enforce != enforce) continue;
        const std::vector<Digest> values = values_of(facts_.pcrs, index);
        if (const auto why = refuse(rule, values, today_)) {
          found.add("PCR " + std::to_string(index.value()) + " " + format_first(values) + " " +
                    *why);
        }
      }
      found.report(out_);
    }
  }

  void judge_secure_boot() {
    if (!policy_.secure_boot || facts_.secure_boot == policy_.secure_boot->enabled) return;
    Finding found(FaultId::kBootSecureBootOff, policy_.secure_boot->enforce);
    const char* is = !facts_.secure_boot ? "not proven" : *facts_.secure_boot ? "on" : "off";
    found.add(std::string("it is ") + is);
    found.report(out_);
  }

  void judge_variables() {
    for (const Enforcement enforce : {Enforcement::kFail, Enforcement::kWarn}) {
      Finding found(FaultId::kBootVariableNotAccepted, enforce);
      for (const auto& [name, rule] : policy_.variables) {
        if (rule.enforce == enforce) judge_variable(name, rule, found);
      }
      found.report(out_);
    }
  }

  void judge_variable(const std::string& name, const AcceptRule& rule, Finding& found) const {
    bool measured = false;
    for (const BootVariable& variable : facts_.variables) {
      if (variable.name != name) continue;
      measured = true;
      if (const auto why = refuse(rule, {variable.digest}, today_)) {
        found.add(name + " " + format_digest(variable.digest) + " " + *why);
      }
    }
    if (!measured) found.add(name + " was not measured");
  }

  void judge_images(FaultId id, const std::optional<AcceptRule>& rule,
                    const std::vector<BootImage>& images) {
    if (!rule) return;
    Finding found(id, rule->enforce);
    if (images.empty()) found.add("none was measured");
    if (facts_.unlisted > 0) found.add("the log has more than can be judged");
    for (const BootImage& image : images) {
      if (const auto why = refuse(*rule, image.digests, today_)) {
        found.add(format_first(image.digests) + " (called " +
                  shorten(escape_bytes(image.label), 80) + ") " + *why);
      }
    }
    found.report(out_);
  }

  void judge_command_lines() {
    if (!policy_.command_line) return;
    Finding found(FaultId::kBootCommandLine, policy_.command_line->enforce);
    if (facts_.command_lines.empty()) found.add("none was proven");
    if (facts_.unlisted > 0) found.add("the log has more than can be judged");
    for (const std::string& line : facts_.command_lines) {
      for (const std::string& breach : breaches_of(line, policy_.command_line->rules)) {
        found.add(breach);
      }
    }
    found.report(out_);
  }

  const BootFacts& facts_;
  const BootPolicy& policy_;
  std::chrono::sys_days today_;
  std::vector<Fault> out_;
};

}  // namespace

bool BootPolicy::judges() const {
  return !pcrs.empty() || secure_boot || !variables.empty() || applications || files ||
         command_line;
}

bool is_accepted(const std::vector<AcceptedValue>& accept, const Digest& digest,
                 std::chrono::sys_days today) {
  return !refuse({.accept = accept}, {digest}, today);
}

std::vector<Fault> appraise_boot(const BootFacts& facts, const BootPolicy& policy,
                                 std::chrono::sys_days today) {
  return Judge(facts, policy, today).judge();
}

}  // namespace assay
