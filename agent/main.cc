#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

#include "agent/ak_file.h"
#include "agent/config.h"
#include "agent/options.h"
#include "agent/session.h"
#include "core/ak_public.h"

namespace assay::agent {
namespace {

void set_up_log() {
  auto log = std::make_unique<spdlog::logger>("assay-agent",
                                              std::make_shared<spdlog::sinks::stderr_sink_st>());
  log->set_pattern("time=%Y-%m-%dT%H:%M:%S.%eZ level=%l %v", spdlog::pattern_time_type::utc);
  spdlog::set_default_logger(std::move(log));
  // These print every failure in words of their own; ours say it once, in one line. An operator who
  // sets them gets the libraries' lines too. No other thread exists yet that could read them.
  ::setenv("TSS2_LOG", "all+none", 0);
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
}

Status serve(const AgentConfig& config, const Tpm& tpm, Fd stop) {
  ASSAY_TRY(const Measurements measurements, Measurements::open(config.ima_log, config.ima_count));
  ASSAY_TRY(const Bytes command_line, read_command_line(config.command_line));
  ASSAY_TRY(Wakeup wakeup, Wakeup::make(std::move(stop)));
  ASSAY_TRY(const AkPublic ak, parse_ak_public(tpm.ak_public()));
  spdlog::info("event=started version={} node={} verifier={} ak={} join_token={}", ASSAY_VERSION,
               config.node_name, config.verifier, format_digest(ak.fingerprint()),
               config.join_token.empty() ? "no" : "yes");
  Session session({.endpoint = {.verifier = config.verifier,
                                .ca_pem = config.ca_pem,
                                .server_name = config.server_name},
                   .node_name = config.node_name,
                   .join_token = config.join_token,
                   .log_form = log_form(config.ima_log, as_text(command_line)),
                   .boot = {.log = config.boot_log, .command_line = config.command_line},
                   .kubelet_pods = config.kubelet_pods,
                   .poll_interval = config.poll_interval},
                  tpm, measurements, wakeup);
  session.run();
  spdlog::info("event=stopped");
  return {};
}

Status run(const Options& options, Fd stop) {
  ASSAY_TRY(const AgentConfig config, load_config(options.config));
  if (options.task == Options::Task::kCheckConfig) return {};
  ASSAY_TRY(const Tpm tpm, Tpm::open(config.tpm));
  if (options.task == Options::Task::kPrintAk) return write_ak(options.ak_file, tpm.ak_public());
  return serve(config, tpm, std::move(stop));
}

int main(int argc, char** argv) {
  set_up_log();
  Result<Fd> stop = stop_signals();
  auto options = parse_options(argc, argv);
  if (const int* status = std::get_if<int>(&options)) return *status;
  const Status status =
      stop ? run(std::get<Options>(options), *std::move(stop)) : tl::unexpected(stop.error());
  if (status) return 0;
  spdlog::error("event=failed reason=\"{}\"", format_fault(status.error()));
  return status.error().id == FaultId::kConfigInvalid ? kExitUsage : 1;
}

}  // namespace
}  // namespace assay::agent

int main(int argc, char** argv) {
  return assay::agent::main(argc, argv);
}
