// Our own types as operators' messages. For the .cc files of services.
#pragma once

#include "assay/v1/operator.pb.h"
#include "verifier/services/operator_service.h"

namespace assay {

// Milliseconds since 1970, UTC; 0 for none.
std::int64_t to_ms(Instant at);
std::int64_t to_ms(const std::optional<Instant>& at);

void encode(const Fault& fault, v1::Fault& out);
void encode(const NodeRecord& node, const OperatorWorld& world, v1::Node& out);  // without faults
void encode(const ViolationRecord& violation, v1::Violation& out);
void encode(const BootFacts& facts, v1::BootFacts& out);

// A node and why it is not trusted: every open violation, the newest first, up to a hundred.
Status encode_node(const OperatorWorld& world, const NodeRecord& node, v1::Node& out);

}  // namespace assay
