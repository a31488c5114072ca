#include "cli/command.h"

#include <cstdio>
#include <string>

#include "core/text.h"

namespace assay {
namespace {

bool answered_by_verifier(FaultId id) {
  switch (id) {
    case FaultId::kNotFound:
    case FaultId::kAlreadyExists:
    case FaultId::kRequestInvalid:
    case FaultId::kUnauthenticated:
    case FaultId::kEvidenceNone:
      return true;
    default:
      return false;
  }
}

}  // namespace

Exit complain(Exit exit, std::string_view line) {
  std::fprintf(stderr, "assay: %s\n", std::string(line).c_str());
  return exit;
}

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

Exit complain(const Fault& fault) {
  const Exit exit = answered_by_verifier(fault.id) ? Exit::kRefused : Exit::kUsage;
  return complain(exit, fault.detail.empty() ? fault_meaning(fault.id) : fault.detail);
}

Fault with_subject(Fault fault, std::string_view subject) {
  std::string text = escape_bytes(subject);
  text += ": " + std::string(fault_meaning(fault.id));
  if (!fault.detail.empty()) text += ": " + fault.detail;
  fault.detail = std::move(text);
  return fault;
}

}  // namespace assay
