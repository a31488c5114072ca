#include "tests/cli/bundle_dir.h"

namespace assay::testing {

BundleDir::BundleDir(const EvidenceCase& evidence) {
  write("quote.attest", as_text(evidence.attest));
  write("quote.signature", as_text(evidence.signature));
  write("ak.pub", as_text(evidence.ak_public));
  write("nonce", to_hex(evidence.nonce.bytes()) + "\n");
  write("ima.log", as_text(evidence.ima_log));
  write("boot.log", as_text(evidence.boot_log));
  nlohmann::json pcrs = nlohmann::json::object();
  for (const auto& [slot, value] : evidence.pcrs) {
    pcrs[std::string(hash_name(slot.bank))][std::to_string(slot.index.value())] =
        to_hex(value.bytes());
  }
  write("pcrs.json", pcrs.dump());
}

}  // namespace assay::testing
