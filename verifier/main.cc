#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <bit>

#include "core/certificate/key_pair.h"
#include "golden/policy_file.h"
#include "verifier/cluster/cluster.h"
#include "verifier/cluster/pod_watch.h"
#include "verifier/config.h"
#include "verifier/enrolment/vendor_roots_dir.h"
#include "verifier/grpc_server.h"
#include "verifier/http/admin_http.h"
#include "verifier/identity/fetched_keys.h"
#include "verifier/identity/key_fetch.h"
#include "verifier/options.h"
#include "verifier/reporter.h"
#include "verifier/scheduler.h"
#include "verifier/secret_file.h"
#include "verifier/services/enrolment_service.h"
#include "verifier/services/golden_service.h"
#include "verifier/services/operator_service.h"
#include "verifier/sessions/agent_service.h"
#include "verifier/sinks/webhook.h"

namespace assay {
namespace {

constexpr int kDeadlineIntervals = 3;  // without proven evidence, after which a node is stale

void set_up_log() {
  auto log = std::make_unique<spdlog::logger>("assay-verifier",
                                              std::make_shared<spdlog::sinks::stderr_sink_mt>());
  log->set_pattern("time=%Y-%m-%dT%H:%M:%S.%eZ level=%l %v", spdlog::pattern_time_type::utc);
  spdlog::set_default_logger(std::move(log));
  // These print every failure in words of their own; ours say it once, in one line. An operator who
  // sets them gets the libraries' lines too. No other thread exists yet that could read them.
  ::setenv("TSS2_LOG", "all+none", 0);
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
}

// Signals that end the verifier are waited for, not handled; every thread inherits the mask.
sigset_t block_stop_signals() {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return stop;
}

// What the configuration names, read and checked before anything is started.
struct Inputs {
  OperatorToken operators;
  GrpcSettings grpc;
  std::vector<WebhookConfig> webhooks;
  Policy policy;
  TrustedRoots vendor_roots;
  PushRules pushes;
  ClientAuthorities clients;
  TlsIdentity https;
  std::map<std::string, KeySet> issuer_keys;  // by issuer: those of a jwks_file
};

Result<Policy> load_policy(const std::filesystem::path& file) {
  if (file.empty()) return Policy();
  ASSAY_TRY(const std::string yaml, read_public_file(file));
  auto policy = parse_policy(yaml);
  if (policy) return policy;
  return fail(policy.error().id, file.string() + ": " + policy.error().detail);
}

KeyIssuer key_issuer(const IdentitySettings& settings) {
  return {.issuer = settings.trust.issuer, .ca_file = settings.ca_file};
}

// The keys of issuers that have a file of them; of the others, whether they can be fetched.
Result<std::map<std::string, KeySet>> load_issuer_keys(const std::vector<IdentitySettings>& all) {
  std::map<std::string, KeySet> out;
  for (const IdentitySettings& one : all) {
    if (one.jwks_file.empty()) {
      ASSAY_OK(check_key_issuer(key_issuer(one)));
      continue;
    }
    ASSAY_TRY(const std::string json, read_public_file(one.jwks_file));
    auto keys = parse_key_set(as_bytes(json));
    if (!keys) {
      return fail(FaultId::kConfigInvalid,
                  one.jwks_file.string() + ": " + format_fault(keys.error()));
    }
    out.emplace(one.trust.issuer, *std::move(keys));
  }
  return out;
}

// A mode that nobody could apply would look like one that is applied.
Status check_cluster(const VerifierConfig& config, const Policy& policy) {
  if (config.kubernetes) {
    const Status usable = check_kubernetes_api(*config.kubernetes);
    if (usable) return {};
    return fail(usable.error().id, "kubernetes: " + usable.error().detail);
  }
  const bool relaxes = std::ranges::any_of(policy.namespaces, [](const NamespaceRule& rule) {
    return rule.mode != NamespaceMode::kEnforce;
  });
  if (!relaxes) return {};
  return fail(
      FaultId::kConfigInvalid,
      "the policy's namespaces need a kubernetes section: nothing else says which pods are in "
      "them");
}

Result<Inputs> load_inputs(const VerifierConfig& config) {
  ASSAY_TRY(OperatorToken operators, OperatorToken::load(config.operator_token_file));
  ASSAY_TRY(std::string certificate, read_public_file(config.tls_certificate));
  ASSAY_TRY(std::string key, read_secret_file(config.tls_key));
  // gRPC would report bad key material as a port that cannot be bound.
  if (const Status good = check_key_pair(certificate, key); !good) {
    return fail(good.error().id, "tls: " + good.error().detail);
  }
  ASSAY_TRY(ClientAuthorities clients, load_client_authorities(config.golden_clients));
  ASSAY_TRY(TlsIdentity https, TlsIdentity::load(certificate, key, clients.certificates));
  Inputs out{
      .operators = operators,
      .grpc = {.listen = format_listen_address(config.grpc_listen),
               .certificate = std::move(certificate),
               .key = std::move(key),
               .client_authorities = clients.certificates},
      .webhooks = {},
      .policy = {},
      .vendor_roots = {},
      .pushes = {.signers = {}, .pushed = config.golden_pushed, .grace = config.golden_grace},
      .clients = std::move(clients),
      .https = std::move(https),
      .issuer_keys = {}};
  ASSAY_TRY(out.issuer_keys, load_issuer_keys(config.golden_identities));
  ASSAY_TRY(out.pushes.signers, load_signer_rules(config.golden_signers));
  ASSAY_TRY(out.policy, load_policy(config.policy_file));
  ASSAY_OK(check_cluster(config, out.policy));
  if (!config.vendor_roots.empty()) {
    ASSAY_TRY(out.vendor_roots, load_vendor_roots(config.vendor_roots));
  }
  for (const WebhookSettings& hook : config.webhooks) {
    ASSAY_TRY(const std::string text, read_secret_file(hook.secret_file));
    ASSAY_TRY(Bytes secret, parse_webhook_secret(text));
    WebhookConfig webhook{
        .name = hook.name, .url = hook.url, .secret = std::move(secret), .ca_file = hook.ca_file};
    ASSAY_OK(WebhookSink::create(webhook));
    out.webhooks.push_back(std::move(webhook));
  }
  return out;
}

SessionSettings session_settings(const VerifierConfig& config) {
  return {.interval = config.interval,
          .answer_timeout = config.interval,
          .max_log_bytes = config.max_log_bytes,
          .spool_folder = config.database.parent_path().string(),
          .max_streams = config.max_streams};
}

Result<std::vector<std::unique_ptr<NotificationSink>>> make_sinks(const Inputs& inputs,
                                                                  Metrics& metrics) {
  std::vector<std::unique_ptr<NotificationSink>> out;
  for (const WebhookConfig& config : inputs.webhooks) {
    metrics.add_sink(config.name);
    ASSAY_TRY(auto sink, WebhookSink::create(config));
    out.push_back(std::move(sink));
  }
  return out;
}

std::vector<Identities::Issuer> make_issuers(const VerifierConfig& config, const Inputs& inputs,
                                             const Clock& clock, Reporter& reporter) {
  std::vector<Identities::Issuer> out;
  for (const IdentitySettings& one : config.golden_identities) {
    const auto fixed = inputs.issuer_keys.find(one.trust.issuer);
    if (fixed != inputs.issuer_keys.end()) {
      out.push_back({one, std::make_unique<FixedKeys>(fixed->second)});
      continue;
    }
    const auto fetch = [issuer = key_issuer(one), &clock](const std::stop_token& stop) {
      return fetch_keys(issuer, clock, stop);
    };
    out.push_back({one, std::make_unique<FetchedKeys>(one.trust.issuer, fetch, clock, reporter)});
  }
  return out;
}

std::uint64_t random_seed() {
  std::array<std::uint8_t, sizeof(std::uint64_t)> bytes;
  fill_random(bytes);
  return std::bit_cast<std::uint64_t>(bytes);
}

// Takes what is superseded out of the index when its time has come; says when that is next.
Instant end_grace(Store& store, GoldenIndex& golden, Reporter& reporter, const Clock& clock) {
  constexpr std::chrono::seconds kLookAgain{60};
  const Instant now = clock.now();
  const auto due = golden.next_change();
  if (due && *due <= now) {
    const auto contents = golden.refresh(store, now);
    if (!contents) {
      reporter.not_stored(contents.error());
      return now + kLookAgain;
    }
    reporter.golden_changed(*contents);
  }
  const auto next = golden.next_change();
  return next ? std::min(*next, now + kLookAgain) : now + kLookAgain;
}

// Builds the verifier, runs it until a stop signal, and takes it down in reverse.
Status serve(const VerifierConfig& config, const Inputs& inputs, const sigset_t& stop) {
  const SystemClock clock;
  std::vector<std::string> sink_names;
  for (const WebhookConfig& webhook : inputs.webhooks) sink_names.push_back(webhook.name);
  ASSAY_TRY(Store store, Store::open(config.database, sink_names));
  Metrics metrics;
  Reporter reporter(metrics, store);
  Ledger ledger(store, {&reporter}, kDeadlineIntervals * config.interval);
  GoldenIndex golden(random_seed());
  ASSAY_OK(ledger.load(clock.now()));
  ASSAY_TRY(const GoldenIndex::Contents contents, golden.refresh(store, clock.now()));
  reporter.golden_changed(contents);

  ASSAY_TRY(auto sinks, make_sinks(inputs, metrics));
  OutboxDispatcher outbox({store, clock, reporter}, std::move(sinks));
  reporter.set_outbox_wake([&outbox] { outbox.wake(); });

  std::optional<PodWatch> pods;
  std::optional<Cluster> cluster;
  if (config.kubernetes) {
    metrics.set_cluster(Metrics::Reach::kDown);
    pods.emplace(*config.kubernetes, clock);
    cluster.emplace(ClusterWorld{*pods, clock, reporter,
                                 [&store](std::span<const PodPlacement> placed, Instant now) {
                                   return store.add_placements(placed, now);
                                 }});
  }
  const auto pods_now = [&cluster] { return cluster ? cluster->current() : nullptr; };
  const Enrolment enrolment(
      {ledger, inputs.policy.admission, inputs.vendor_roots, clock, fill_random});
  Sessions sessions(
      {ledger, enrolment, inputs.policy, golden, clock, reporter, fill_random, pods_now},
      session_settings(config));
  Scheduler scheduler(clock, [&sessions] { return sessions.tick(); });
  sessions.set_wake([&scheduler] { scheduler.wake(); });

  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(make_agent_service(sessions));
  services.push_back(
      make_operator_service({ledger, sessions, store, inputs.policy, clock, inputs.operators}));
  services.push_back(
      make_enrolment_service({ledger, sessions, store, inputs.policy, clock, inputs.operators}));
  Identities identities(make_issuers(config, inputs, clock, reporter));
  const Pushers pushers(store, clock, inputs.operators, identities, inputs.clients.all);
  Scheduler grace(clock, [&] { return end_grace(store, golden, reporter, clock); });
  const GoldenWorld golden_world{store,
                                 golden,
                                 reporter,
                                 clock,
                                 inputs.operators,
                                 pushers,
                                 inputs.pushes,
                                 [&grace] { grace.wake(); },
                                 pods_now};
  GoldenSets golden_sets(golden_world);
  const RestApi rest({golden_sets, store, inputs.operators, clock});
  ASSAY_TRY(const AdminHttp admin,
            AdminHttp::listen({.host = config.http_listen.host, .port = config.http_listen.port},
                              {metrics, [&reporter] { return reporter.store_status(); }, rest,
                               inputs.https, clock}));
  services.push_back(make_golden_service(golden_sets, golden_world));
  ASSAY_TRY(const GrpcServer server, GrpcServer::start(inputs.grpc, std::move(services)));
  spdlog::info("event=started version={} grpc_port={} http_port={}", ASSAY_VERSION, server.port(),
               admin.port());
  int signal = 0;
  sigwait(&stop, &signal);
  spdlog::info("event=stopping signal={}", signal);
  sessions.end_waiting();
  return {};
}

Status run(const VerifierOptions& options, const sigset_t& stop) {
  ASSAY_TRY(const VerifierConfig config, load_config(options.config));
  ASSAY_TRY(const Inputs inputs, load_inputs(config));
  if (options.task == VerifierOptions::Task::kCheckConfig) return {};
  return serve(config, inputs, stop);
}

int main(int argc, char** argv) {
  set_up_log();
  const sigset_t stop = block_stop_signals();
  const auto options = parse_options(argc, argv);
  if (const int* status = std::get_if<int>(&options)) return *status;
  const Status status = run(std::get<VerifierOptions>(options), stop);
  if (status) return 0;
  spdlog::error("event=failed reason=\"{}\"", format_fault(status.error()));
  return status.error().id == FaultId::kConfigInvalid ? kExitUsage : 1;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  return assay::main(argc, argv);
}
