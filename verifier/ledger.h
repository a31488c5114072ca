// The nodes as the verifier knows them: every change is committed to the store first, then seen.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/ak_public.h"
#include "core/verdict.h"
#include "verifier/guarded.h"
#include "verifier/store/store.h"

namespace assay {

// Sees every change of a node after it is on disk: metrics, log. Called from any thread, one call
// at a time; it cannot change a verdict, and it must not block.
class VerdictSink {
 public:
  virtual ~VerdictSink() = default;
  // `node` as it stands now. `found` are the violations that this change added.
  virtual void publish(const NodeRecord& node, const std::vector<Fault>& found) = 0;
};

// What a challenge to a node rests on: its answer is judged against exactly this.
struct Basis {
  NodeId node{};
  std::string name{};
  AkPublic ak;
  LogCheckpoint from{};
  std::optional<TpmClock> last_clock{};
  PcrValues boot_pcrs{};
  bool boot_due = true;  // this boot is to be judged (again)
  // Of the ledger's knowledge: an answer that another overtook is dropped.
  std::uint64_t revision = 0;
};

// Safe from any thread.
class Ledger {
 public:
  // `deadline` is how long a verdict lasts. Borrows `store` and `sinks`.
  Ledger(Store& store, std::vector<VerdictSink*> sinks, std::chrono::milliseconds deadline)
      : store_(store), sinks_(std::move(sinks)), deadline_(deadline) {}

  // Reads every node from the store and publishes it: before this, nothing is known. Call once.
  // Fails as the store does, and with kStoreFailed when a stored key cannot be read.
  Status load(Instant now);

  // Registers a node. Fails with kRequestInvalid for a name that Kubernetes would not give a node,
  // kAlreadyExists, or as the store does.
  Result<NodeRecord> enrol(std::string_view name, const AkPublic& ak, Instant now);

  // Lets a proven TPM in; nothing when it waits for approve(). Fails as Store::admit() does.
  Result<std::optional<NodeRecord>> admit(const AdmissionRequest& request, Instant now);
  Result<NodeRecord> approve(std::string_view name, const std::optional<Digest>& ek, Instant now);

  // Lets a node's name have other keys until then, once. kNotFound.
  Result<NodeRecord> allow_re_enrolment(std::string_view name, Instant until);

  Result<NodeRecord> node(std::string_view name) const;  // kNotFound
  std::vector<NodeRecord> nodes() const;                 // by name

  // The node that is enrolled with this key, and has not to enrol again; or kAkUnknown.
  Result<NodeId> find(const Digest& ak_fingerprint, Instant now) const;
  Basis basis(NodeId node) const;  // of a node that find() gave

  struct Outcome {
    NodeRecord node;
    bool outdated = false;  // the basis was overtaken by another answer: nothing was changed
  };
  // Makes `appraisal`, of an answer to a challenge on `basis`, the node's verdict. `use` is what its
  // proven log has shown of golden sets.
  Result<Outcome> apply(const Basis& basis, const Appraisal& appraisal, const GoldenUse& use,
                        Instant now);

  // Records that evidence was rejected before anything in it was proven.
  Result<NodeRecord> reject(NodeId node, const Fault& fault, Instant now);

  // Lets the clock work: nodes without evidence become stale. In memory even when the store
  // refuses, since silence is never green.
  Status expire_all(Instant now);

  struct Acknowledged {
    NodeRecord node;
    std::uint64_t closed = 0;
  };
  Result<Acknowledged> acknowledge(std::string_view name, std::string_view reason, Instant now);

 private:
  struct Entry {
    NodeRecord record;
    AkPublic ak;
    Instant watching_since;
    std::uint64_t revision = 0;  // proven answers since the start
    bool boot_due = true;        // no boot was judged since the start, or since an operator acted
  };
  using Nodes = std::map<NodeId, Entry>;

  NodeRecord record(NodeId node) const;
  NodeRecord take_over(NodeRecord record, const AkPublic& ak, Instant now);
  void replace(NodeRecord record, const std::vector<Fault>& found);

  Store& store_;
  std::vector<VerdictSink*> sinks_;
  std::chrono::milliseconds deadline_;
  // Held over every change, from reading a node to publishing what became of it, and so over disk
  // writes; `nodes_` is locked for moments only, so that readers never wait for a disk.
  std::mutex changing_;
  Guarded<Nodes> nodes_;
};

}  // namespace assay
