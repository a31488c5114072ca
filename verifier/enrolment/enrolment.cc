#include "verifier/enrolment/enrolment.h"

#include "core/text.h"
#include "verifier/enrolment/join_token.h"

namespace assay {

Result<Candidate> Enrolment::examine(const AkPublic& ak, const Identity& identity) const {
  if (!is_node_name(identity.node_name)) {
    return fail(FaultId::kEnrolNameInvalid, shorten(escape_bytes(identity.node_name), 64));
  }
  ASSAY_TRY(const EkPublic ek, parse_ek_public(identity.ek_public));
  ASSAY_TRY(EndorsedEk endorsed, endorse(ek, identity.certificate));
  CredentialSecret secret{};
  world_.entropy(secret);
  ASSAY_TRY(OutstandingCredential credential,
            OutstandingCredential::issue(ak, std::move(endorsed), secret, world_.clock.now()));
  return Candidate{.credential = std::move(credential),
                   .name = identity.node_name,
                   .join_token = identity.join_token};
}

Result<EndorsedEk> Enrolment::endorse(const EkPublic& ek,
                                      const UntrustedEkCertificate& certificate) const {
  if (world_.policy.without_certificate.contains(ek.id())) return trust_without_certificate(ek);
  if (certificate.certificate.empty()) {
    return fail(FaultId::kEkCertificateMissing, "endorsement key " + format_digest(ek.id()));
  }
  return verify_ek_certificate(certificate, ek, world_.roots,
                               std::chrono::floor<std::chrono::seconds>(world_.clock.now()));
}

Result<NodeId> Enrolment::admit(Candidate&& candidate, ByteView opened) const {
  const Instant now = world_.clock.now();
  ASSAY_TRY(const ProvenTpm tpm, std::move(candidate.credential).open(opened, now));
  const auto token_given =
      candidate.join_token.empty() ? JoinTokenGiven::kNo : JoinTokenGiven::kYes;
  const ByteView ek_public = tpm.ek().encoded();
  const AdmissionRequest request{
      .name = candidate.name,
      .keys = {.ak = tpm.ak(),
               .ek_id = tpm.ek().id(),
               .ek_public = Bytes(ek_public.begin(), ek_public.end()),
               .manufacturer = tpm.manufacturer()},
      .rule = choose_admission_rule(world_.policy, tpm.ek().id(), candidate.name, token_given),
      .token = join_token_hash(candidate.join_token)};
  ASSAY_TRY(const std::optional<NodeRecord> node, world_.ledger.admit(request, now));
  if (node) return node->id;
  return fail(FaultId::kEnrolPending, "approve it with `assay node approve " + candidate.name +
                                          "`; endorsement key " + format_digest(tpm.ek().id()));
}

}  // namespace assay
