#include "verifier/services/codec.h"

#include "core/text.h"

namespace assay {
namespace {

constexpr std::uint32_t kMaxFaultsShown = 100;

void encode(const std::vector<BootImage>& images,
            google::protobuf::RepeatedPtrField<v1::BootItem>& out) {
  for (const BootImage& image : images) {
    v1::BootItem& item = *out.Add();
    item.set_pcr(image.pcr.value());
    item.set_name(image.label);
    for (const Digest& digest : image.digests) item.add_digests(format_digest(digest));
  }
}

}  // namespace

std::int64_t to_ms(Instant at) {
  return at.time_since_epoch().count();
}
std::int64_t to_ms(const std::optional<Instant>& at) {
  return at ? to_ms(*at) : 0;
}

void encode(const Fault& fault, v1::Fault& out) {
  out.set_id(std::string(fault_name(fault.id)));
  out.set_severity(std::string(severity_name(severity_of(fault))));
  if (fault.entry) out.set_entry(*fault.entry);
  out.set_path(fault.path);
  if (fault.digest) out.set_digest(format_digest(*fault.digest));
  out.set_detail(fault.detail);
}

void encode(const NodeRecord& node, const OperatorWorld& world, v1::Node& out) {
  out.set_name(node.name);
  out.set_state(std::string(node_state_name(node.standing.state)));
  out.set_ak_fingerprint(format_digest(node.ak_fingerprint));
  out.set_connected(world.sessions.connected(node.id));
  out.set_last_verified_ms(to_ms(node.standing.last_verified));
  out.set_state_since_ms(to_ms(node.standing.since));
  out.set_proven_entries(node.checkpoint.entries);
  out.set_reset_count(node.clock ? node.clock->reset_count : 0);
  out.set_open_violations(node.open_violations);
  out.set_faults_total(node.open_violations);
  if (node.last_rejection) out.set_last_rejection(std::string(fault_name(node.last_rejection->id)));
  out.set_last_rejection_ms(to_ms(node.last_rejection_at));
  if (node.ek_id) out.set_ek_id(format_digest(*node.ek_id));
  out.set_manufacturer(escape_bytes(node.manufacturer));
  out.set_admitted_by(node.admitted_by);
  out.set_node_class(world.policy.class_of(node.name).name);
  out.set_re_enrol_until_ms(to_ms(node.re_enrol_until));
}

void encode(const ViolationRecord& violation, v1::Violation& out) {
  out.set_id(static_cast<std::uint64_t>(violation.id));
  out.set_node(violation.node);
  encode(violation.fault, *out.mutable_fault());
  out.set_detected_at_ms(to_ms(violation.detected_at));
  out.set_status(std::string(violation_status_name(violation.status)));
  out.set_acknowledged_at_ms(to_ms(violation.closed_at));
  out.set_acknowledgement(violation.acknowledgement);
}

void encode(const BootFacts& facts, v1::BootFacts& out) {
  for (const auto& [slot, value] : facts.pcrs) {
    v1::BootPcr& pcr = *out.add_pcrs();
    pcr.set_index(slot.index.value());
    pcr.set_digest(format_digest(value));
  }
  out.set_has_log(facts.has_log);
  if (facts.secure_boot) {
    out.set_secure_boot(*facts.secure_boot ? v1::BootFacts::SECURE_BOOT_ON
                                           : v1::BootFacts::SECURE_BOOT_OFF);
  }
  for (const BootVariable& variable : facts.variables) {
    v1::BootItem& item = *out.add_variables();
    item.set_name(variable.name);
    item.add_digests(format_digest(variable.digest));
  }
  encode(facts.applications, *out.mutable_applications());
  encode(facts.files, *out.mutable_files());
  for (const std::string& line : facts.command_lines) out.add_command_lines(line);
  out.set_unlisted(facts.unlisted);
}

Status encode_node(const OperatorWorld& world, const NodeRecord& node, v1::Node& out) {
  encode(node, world, out);
  ASSAY_TRY(const auto open, world.store.violations(
                                 {.node = node.name, .open_only = true, .limit = kMaxFaultsShown}));
  for (const ViolationRecord& violation : open) encode(violation.fault, *out.add_faults());
  return {};
}

}  // namespace assay
