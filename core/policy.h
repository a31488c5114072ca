// The operator's policy: which nodes are let in, and what each class of them has to be.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/attribution/pod_expectation.h"
#include "core/boot/boot_policy.h"
#include "core/tpm_quote.h"
#include "core/violation.h"

namespace assay {

// Who may enrol without an operator. In this order: a listed endorsement key, a join token (the
// verifier keeps those), and else what `otherwise` says.
struct AdmissionPolicy {
  enum class Otherwise : std::uint8_t { kPending, kRefuse };

  // Endorsement keys by EkPublic::id(), with the node that each is; no name: any.
  std::map<Digest, std::optional<std::string>> endorsement_keys = {};
  // Those that need no endorsement certificate.
  std::set<Digest> without_certificate = {};
  Otherwise otherwise = Otherwise::kPending;
};

// The IMA policy that a node has to have loaded.
struct ImaPolicyRule {
  std::vector<AcceptedValue> accept = {};  // digests of policy files
  std::uint64_t within_entries = 64;       // it is among the first so many entries of the log
  Enforcement enforce = Enforcement::kFail;
};

// Nodes that are alike.
struct NodeClass {
  std::string name = "default";
  // Members: nodes with one of these names, or whose name begins with one of these; every node when
  // both are empty.
  std::set<std::string, std::less<>> nodes = {};
  std::vector<std::string> node_prefixes = {};
  std::vector<HashAlg> banks = {HashAlg::kSha256, HashAlg::kSha384, HashAlg::kSha512};  // by choice
  std::optional<ImaPolicyRule> ima_policy = {};
  ViolationRules violations = {};
  BootPolicy boot = {};
};

struct Policy {
  bool allow_sha1 = false;  // SHA-1 signatures, and a SHA-1 bank as the only one with the IMA PCR
  AdmissionPolicy admission = {};
  std::vector<NodeClass> classes = {};         // the first that a node is a member of counts
  std::vector<NamespaceRule> namespaces = {};  // the first that names a namespace counts

  // The class of a node; one without rules when none has it.
  const NodeClass& class_of(std::string_view node) const;
};

}  // namespace assay
