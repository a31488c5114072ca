#include "cli/client.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>

#include "cli/clock.h"
#include "cli/files.h"
#include "core/certificate/key_pair.h"
#include "core/text.h"
#include "golden/posix.h"

namespace assay {
namespace {

constexpr std::size_t kMaxTokenBytes = std::size_t{16} << 10;  // of an identity token
constexpr std::size_t kMaxCertificatesBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxKeyBytes = std::size_t{64} << 10;
constexpr int kMaxAnswerBytes = 16 << 20;
constexpr std::size_t kMaxMessageBytes = 300;

tl::unexpected<Fault> bad_file(const std::string& where, std::string_view why) {
  return fail(FaultId::kConfigInvalid, escape_bytes(where) + ": " + std::string(why));
}

// Header values are printable ASCII (RFC 9110, 5.5); gRPC ends the process for others.
Result<std::string> check_token(std::string_view token, const std::string& where) {
  const auto space = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!token.empty() && space(token.back())) token.remove_suffix(1);
  while (!token.empty() && space(token.front())) token.remove_prefix(1);
  if (token.empty()) return bad_file(where, "holds no token");
  if (token.size() > kMaxTokenBytes) return bad_file(where, "a token has at most 16 KiB");
  if (!std::ranges::all_of(token, [](char c) { return c > ' ' && c <= '~'; })) {
    return bad_file(where, "a token is one word of printable ASCII");
  }
  return std::string(token);
}

// `what` the file holds, which is for nobody else to read.
Result<Bytes> read_secret(const std::string& path, const std::string& what, std::size_t max_bytes) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
      (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return bad_file(path, "others may read this " + what + "; run: chmod 600 on it");
  }
  return read_file(path, {.max_bytes = max_bytes, .too_large = FaultId::kConfigInvalid});
}

Result<std::string> read_token(const std::string& path) {
  ASSAY_TRY(const Bytes content, read_secret(path, "token", kMaxTokenBytes));
  return check_token(as_text(content), path);
}

// CI systems give a job its token in a variable of the job's choice.
Result<std::string> token_of(const ServerOptions& options) {
  if (options.token_variable.empty()) {
    return options.token_file.empty() ? std::string() : read_token(options.token_file);
  }
  const char* value = std::getenv(options.token_variable.c_str());
  return check_token(value == nullptr ? "" : value, "$" + options.token_variable);
}

Result<std::string> read_certificates(const std::string& path) {
  ASSAY_TRY(const Bytes content, read_file(path, {.max_bytes = kMaxCertificatesBytes,
                                                  .too_large = FaultId::kConfigInvalid}));
  if (as_text(content).find("-----BEGIN CERTIFICATE-----") == std::string_view::npos) {
    return fail(FaultId::kConfigInvalid, escape_bytes(path) + ": no PEM certificate in it");
  }
  return std::string(as_text(content));
}

Status add_client_certificate(const ServerOptions& options, grpc::SslCredentialsOptions& tls) {
  ASSAY_TRY(tls.pem_cert_chain, read_certificates(options.client_certificate));
  ASSAY_TRY(const Bytes key, read_secret(options.client_key, "key", kMaxKeyBytes));
  tls.pem_private_key = as_text(key);
  const Status pair = check_key_pair(tls.pem_cert_chain, tls.pem_private_key);
  if (pair) return {};
  return bad_file(options.client_key, pair.error().detail);
}

void set_from_environment(const char* name, std::string& value) {
  if (const char* set = std::getenv(name); set != nullptr && *set != '\0') value = set;
}

}  // namespace

void add_server_options(CLI::App& command, ServerOptions& options) {
  // Defaults, rather than CLI11's envname(): that one also reads the variable for verbs that were not
  // chosen, and so lets it win over an option that was given.
  set_from_environment("ASSAY_SERVER", options.server);
  set_from_environment("ASSAY_CA", options.ca_file);
  set_from_environment("ASSAY_TOKEN_FILE", options.token_file);
  command
      .add_option("--server", options.server,
                  "the verifier's gRPC address, HOST:PORT (ASSAY_SERVER)")
      ->capture_default_str();
  command.add_option("--ca", options.ca_file,
                     "certificate authority of the verifier, PEM (ASSAY_CA)");
  auto* file = command.add_option("--token-file", options.token_file,
                                  "file with the operator's token (ASSAY_TOKEN_FILE)");
  command
      .add_option("--token-env", options.token_variable,
                  "environment variable that holds the token, instead of a file")
      ->excludes(file);
  command.add_option("--server-name", options.server_name,
                     "name that the verifier's certificate has to hold, instead of HOST");
  command.add_option("--timeout", options.timeout_seconds, "seconds to wait for each answer")
      ->check(CLI::Range(1U, 3600U))
      ->capture_default_str();
}

void add_client_certificate_options(CLI::App& command, ServerOptions& options) {
  CLI::Option* certificate =
      command.add_option("--client-certificate", options.client_certificate,
                         "certificate chain to show instead of a token, PEM");
  CLI::Option* key = command.add_option("--client-key", options.client_key, "its key, PEM");
  certificate->needs(key);
  key->needs(certificate);
  for (const char* token : {"--token-file", "--token-env"}) {
    certificate->excludes(command.get_option(token));
  }
}

Result<Client> Client::open(const ServerOptions& options) {
  grpc::SslCredentialsOptions tls;
  std::string token;
  if (options.client_certificate.empty()) {
    ASSAY_TRY(token, token_of(options));
  } else {
    ASSAY_OK(add_client_certificate(options, tls));
  }
  if (!options.ca_file.empty()) {
    ASSAY_TRY(tls.pem_root_certs, read_certificates(options.ca_file));
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  if (!options.server_name.empty()) arguments.SetSslTargetNameOverride(options.server_name);
  auto channel = grpc::CreateCustomChannel(options.server, grpc::SslCredentials(tls), arguments);
  return Client(options, std::move(token), std::move(channel));
}

void Client::prepare(grpc::ClientContext& context, std::chrono::seconds more) const {
  context.set_deadline(deadline_after(std::chrono::seconds(options_.timeout_seconds) + more));
  if (!token_.empty()) context.AddMetadata("authorization", "Bearer " + token_);
}

Fault Client::explain(const grpc::Status& status) const {
  const std::string said = shorten(escape_bytes(status.error_message()), kMaxMessageBytes);
  // A channel is ready once the TLS handshake is done: then it was the verifier that answered.
  const bool reached = channel_->GetState(false) == GRPC_CHANNEL_READY;
  if (!reached && (status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                   status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)) {
    return {.id = FaultId::kUnavailable,
            .detail = "cannot reach the verifier at " + escape_bytes(options_.server) +
                      ": check that it runs, --server and --ca (" + said + ")"};
  }
  switch (status.error_code()) {
    case grpc::StatusCode::UNAUTHENTICATED:
      return {.id = FaultId::kUnauthenticated,
              .detail = "the verifier refuses the caller: check " +
                        std::string(options_.client_certificate.empty() ? "--token-file"
                                                                        : "--client-certificate") +
                        " (" + said + ")"};
    case grpc::StatusCode::NOT_FOUND:
      return {.id = FaultId::kNotFound, .detail = said};
    case grpc::StatusCode::ALREADY_EXISTS:
      return {.id = FaultId::kAlreadyExists, .detail = said};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {.id = FaultId::kEvidenceNone,
              .detail = "no answer in time: --timeout waits longer (" + said + ")"};
    case grpc::StatusCode::UNAVAILABLE:
      return {.id = FaultId::kEvidenceNone, .detail = said};
    default:
      return {.id = FaultId::kRequestInvalid, .detail = "the verifier refuses: " + said};
  }
}

}  // namespace assay
