#include "verifier/store/enrolment_rows.h"

#include "core/text.h"
#include "verifier/store/violation_rows.h"

namespace assay {
namespace {

constexpr std::string_view kEnrolledAgain = "enrolled again";

// The value of a search that may find nothing.
Result<std::optional<NodeRecord>> optional_node(Result<NodeRecord> found) {
  if (found) return std::optional(*std::move(found));
  if (found.error().id == FaultId::kNotFound) return std::nullopt;
  return tl::unexpected<Fault>(std::move(found).error());
}

bool may_enrol_again(const NodeRecord& node, Instant now) {
  return node.re_enrol_until && now <= *node.re_enrol_until;
}

// Whether the TPM that `keys` are of may be node `name`. Nothing: no node stands in the way.
Result<std::optional<NodeRecord>> check_binding(Database& database, std::string_view name,
                                                const TpmKeys& keys, Instant now) {
  ASSAY_TRY(const auto with_ek, optional_node(read_node_by_ek(database, keys.ek_id)));
  if (with_ek && with_ek->name != name) {
    return fail(FaultId::kEnrolEkTaken, "endorsement key " + format_digest(keys.ek_id) +
                                            " is node " + with_ek->name + " and claims to be " +
                                            std::string(name));
  }
  ASSAY_TRY(const auto with_ak, optional_node(read_node_by_ak(database, keys.ak.fingerprint())));
  if (with_ak && with_ak->name != name) {
    return fail(FaultId::kAlreadyExists,
                "this attestation key is enrolled as node " + with_ak->name);
  }
  ASSAY_TRY(auto standing, optional_node(read_node(database, name)));
  if (!standing || may_enrol_again(*standing, now)) return standing;
  const std::string way_out = "; `assay node re-enrol " + standing->name + "` allows it once";
  if (standing->ek_id == keys.ek_id) {
    if (standing->ak_fingerprint == keys.ak.fingerprint()) return standing;
    return fail(FaultId::kEnrolKeyChanged, "node " + standing->name + way_out);
  }
  return fail(FaultId::kEnrolNameTaken, "endorsement key " + format_digest(keys.ek_id) +
                                            " claims to be node " + standing->name + way_out);
}

// Takes one use of a token, as its terms allow.
Result<std::string> spend_join_token(Database& database, const Digest& token,
                                     std::string_view manufacturer, Instant now) {
  ASSAY_TRY(Statement rows,
            database.query("SELECT name, manufacturer, uses_left, expires_at FROM join_tokens "
                           "WHERE hash = ?",
                           token));
  ASSAY_TRY(const bool row, rows.next());
  if (!row) return fail(FaultId::kEnrolTokenUnknown, "");
  std::string name = rows.take<std::string>();
  const std::string vendor = rows.take<std::string>();
  const auto uses_left = rows.take<std::uint64_t>();
  if (rows.take<Instant>() < now) return fail(FaultId::kEnrolTokenExpired, "token " + name);
  if (uses_left == 0) return fail(FaultId::kEnrolTokenSpent, "token " + name);
  if (!vendor.empty() && vendor != manufacturer) {
    return fail(
        FaultId::kEnrolVendorRefused,
        "token " + name + " admits TPMs of " + vendor + ", and this is one of " +
            (manufacturer.empty() ? "an unknown manufacturer" : escape_bytes(manufacturer)));
  }
  ASSAY_OK(database.run(
      "UPDATE join_tokens SET uses_left = uses_left - 1, last_used_at = ? WHERE hash = ?", now,
      token));
  return name;
}

Status insert_request(Database& database, const AdmissionRequest& request, Instant now) {
  const TpmKeys& keys = request.keys;
  ASSAY_TRY(const auto others,
            database.first<std::uint64_t>(
                "SELECT count(*) FROM enrolment_requests WHERE ek_id <> ?", keys.ek_id));
  if (others.value_or(0) >= kMaxEnrolmentRequests) {
    return fail(FaultId::kEnrolNotAdmitted,
                "too many TPMs wait for approval; see `assay node pending`");
  }
  return database.run(
      "INSERT INTO enrolment_requests VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (ek_id) DO UPDATE SET "
      "name = excluded.name, ak_public = excluded.ak_public, manufacturer = excluded.manufacturer",
      keys.ek_id, request.name, as_bytes(as_text(keys.ek_public)), keys.ak.encoded(),
      keys.manufacturer, now);
}

// Makes `name` a node with these keys, or gives `standing` other ones.
Result<AdmissionOutcome> enrol(Database& database, std::string_view name, const NodeKeys& keys,
                               const std::optional<NodeRecord>& standing, Instant now) {
  AdmissionOutcome out;
  if (standing) {
    ASSAY_TRY(out.replaced, read_node_before(database, standing->id));
    ASSAY_TRY(
        [[maybe_unused]] const std::uint64_t closed,
        close_violations(database, standing->id, {ViolationStatus::kClosed, kEnrolledAgain, now}));
    ASSAY_OK(replace_keys(database, standing->id, keys, now));
  } else {
    ASSAY_OK(insert_node(database, name, keys, now));
  }
  ASSAY_TRY(out.node, read_node(database, name));
  return out;
}

Result<AdmissionOutcome> enrol_tpm(Database& database, const AdmissionRequest& request,
                                   const std::optional<NodeRecord>& standing,
                                   std::string_view admitted_by, Instant now) {
  const NodeOrigin origin{.ek_id = request.keys.ek_id,
                          .ek_public = request.keys.ek_public,
                          .manufacturer = request.keys.manufacturer,
                          .admitted_by = std::string(admitted_by)};
  ASSAY_OK(database.run("DELETE FROM enrolment_requests WHERE ek_id = ?", request.keys.ek_id));
  return enrol(database, request.name, {request.keys.ak, origin}, standing, now);
}

Result<EnrolmentRequest> take_request(const Database& database, Statement& row) {
  const auto ek = parse_digest(row.take<std::string>());
  if (!ek) return database.malformed("an endorsement key's digest");
  EnrolmentRequest out{.ek_id = *ek, .name = row.take<std::string>()};
  out.ek_public = row.take<Bytes>();
  out.ak_public = row.take<Bytes>();
  out.manufacturer = row.take<std::string>();
  out.requested_at = row.take<Instant>();
  return out;
}

constexpr std::string_view kSelectRequests =
    "SELECT ek_id, name, ek_public, ak_public, manufacturer, requested_at FROM enrolment_requests ";

}  // namespace

Result<AdmissionOutcome> write_enrolment(Database& database, std::string_view name,
                                         const AkPublic& ak, Instant now) {
  ASSAY_TRY(const auto standing, optional_node(read_node(database, name)));
  if (standing && standing->ak_fingerprint == ak.fingerprint() &&
      !may_enrol_again(*standing, now)) {
    return AdmissionOutcome{.node = *standing};
  }
  if (standing && !may_enrol_again(*standing, now)) {
    return fail(FaultId::kAlreadyExists,
                "node " + standing->name + " is enrolled with another attestation key (" +
                    format_digest(standing->ak_fingerprint) +
                    "); enrol this one under another name, or allow another key once with `assay "
                    "node re-enrol " +
                    standing->name + "`");
  }
  ASSAY_TRY(const auto with_ak, optional_node(read_node_by_ak(database, ak.fingerprint())));
  if (with_ak && with_ak->name != name) {
    return fail(FaultId::kAlreadyExists,
                "this attestation key is enrolled as node " + with_ak->name);
  }
  return enrol(database, name, {ak, NodeOrigin()}, standing, now);
}

Result<AdmissionOutcome> write_admission(Database& database, const AdmissionRequest& request,
                                         Instant now) {
  ASSAY_TRY(const auto standing, check_binding(database, request.name, request.keys, now));
  const bool same_tpm = standing && standing->ek_id == request.keys.ek_id;
  if (same_tpm && !may_enrol_again(*standing, now)) return AdmissionOutcome{.node = *standing};
  // An operator has asked this very TPM to enrol again: no rule has to say so twice.
  if (same_tpm) return enrol_tpm(database, request, standing, standing->admitted_by, now);
  ASSAY_TRY(const AdmissionRule rule, request.rule);
  switch (rule) {
    case AdmissionRule::kListed:
      return enrol_tpm(database, request, standing, "endorsement key list", now);
    case AdmissionRule::kJoinToken: {
      ASSAY_TRY(const std::string token,
                spend_join_token(database, request.token, request.keys.manufacturer, now));
      return enrol_tpm(database, request, standing, "join token " + token, now);
    }
    case AdmissionRule::kApproval:
      break;
  }
  ASSAY_OK(insert_request(database, request, now));
  return AdmissionOutcome{};
}

Result<AdmissionOutcome> write_approval(Database& database, std::string_view name,
                                        const std::optional<Digest>& ek, Instant now) {
  std::optional<EnrolmentRequest> chosen;
  ASSAY_TRY(std::vector<EnrolmentRequest> requests, read_requests(database));
  for (EnrolmentRequest& request : requests) {
    if (request.name != name || (ek && request.ek_id != *ek)) continue;
    if (chosen) {
      return fail(FaultId::kRequestInvalid,
                  "several TPMs claim to be " + escape_bytes(name) +
                      ": name the endorsement key (--ek) that `assay node pending` shows");
    }
    chosen = std::move(request);
  }
  if (!chosen) {
    return fail(FaultId::kNotFound, "no TPM waits to be approved as " + escape_bytes(name));
  }
  auto ak = parse_ak_public(chosen->ak_public);
  if (!ak) return database.malformed("an attestation key");
  const AdmissionRequest request{.name = chosen->name,
                                 .keys = {.ak = *std::move(ak),
                                          .ek_id = chosen->ek_id,
                                          .ek_public = chosen->ek_public,
                                          .manufacturer = chosen->manufacturer}};
  ASSAY_TRY(const auto standing, check_binding(database, request.name, request.keys, now));
  return enrol_tpm(database, request, standing, "approval", now);
}

Result<std::vector<EnrolmentRequest>> read_requests(Database& database) {
  std::vector<EnrolmentRequest> out;
  ASSAY_TRY(Statement rows,
            database.query(std::string(kSelectRequests) + "ORDER BY requested_at, ek_id"));
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return out;
    ASSAY_TRY(EnrolmentRequest request, take_request(database, rows));
    out.push_back(std::move(request));
  }
}

Result<std::uint64_t> delete_requests(Database& database, std::string_view name,
                                      const std::optional<Digest>& ek) {
  ASSAY_OK(database.run(
      "DELETE FROM enrolment_requests WHERE name = ?1 AND (?2 IS NULL OR ek_id = ?2)", name, ek));
  const std::uint64_t deleted = database.changes();
  if (deleted > 0) return deleted;
  return fail(FaultId::kNotFound, "no TPM waits to be approved as " + escape_bytes(name));
}

Status insert_join_token(Database& database, const JoinTokenRecord& token, const Digest& hash) {
  ASSAY_TRY(const auto taken,
            database.first<std::int64_t>("SELECT 1 FROM join_tokens WHERE name = ?", token.name));
  if (taken) {
    return fail(FaultId::kAlreadyExists,
                "a join token has this name; `assay join-token list` shows it");
  }
  ASSAY_TRY(const auto count, database.first<std::uint64_t>("SELECT count(*) FROM join_tokens"));
  if (count.value_or(0) >= kMaxJoinTokens) {
    return fail(FaultId::kRequestInvalid, "there are " + std::to_string(kMaxJoinTokens) +
                                              " join tokens; revoke those that are spent");
  }
  return database.run("INSERT INTO join_tokens VALUES (?, ?, ?, ?, ?, ?, NULL)", token.name, hash,
                      token.manufacturer, token.uses_left, token.created_at, token.expires_at);
}

Result<std::vector<JoinTokenRecord>> read_join_tokens(Database& database) {
  std::vector<JoinTokenRecord> out;
  ASSAY_TRY(Statement rows,
            database.query("SELECT name, manufacturer, uses_left, created_at, expires_at, "
                           "last_used_at FROM join_tokens ORDER BY name"));
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return out;
    JoinTokenRecord token{.name = rows.take<std::string>()};
    token.manufacturer = rows.take<std::string>();
    token.uses_left = rows.take<std::uint32_t>();
    token.created_at = rows.take<Instant>();
    token.expires_at = rows.take<Instant>();
    token.last_used_at = rows.take_optional<Instant>();
    out.push_back(std::move(token));
  }
}

Status delete_join_token(Database& database, std::string_view name) {
  ASSAY_OK(database.run("DELETE FROM join_tokens WHERE name = ?", name));
  if (database.changes() > 0) return {};
  return fail(FaultId::kNotFound, "no join token is called " + escape_bytes(name));
}

}  // namespace assay
