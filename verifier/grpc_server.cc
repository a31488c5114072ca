#include "verifier/grpc_server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

namespace assay {
namespace {

constexpr int kMaxMessageBytes = (1 << 20) + (64 << 10);  // the largest piece, and its frame
constexpr int kMaxMetadataBytes = 24 << 10;               // the largest identity token, and more
constexpr int kKeepaliveMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kSmallestPingGapMs = 10'000;
const gpr_timespec kShutdownGrace = gpr_time_from_seconds(2, GPR_TIMESPAN);

std::shared_ptr<grpc::ServerCredentials> credentials(const GrpcSettings& settings) {
  // TLS proves that a client has its certificate's key. Were gRPC to verify the certificate too, one that
  // is not trusted would end the connection without a word of why, also for calls that ask for none.
  grpc::SslServerCredentialsOptions options(
      settings.client_authorities.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                          : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_BUT_DONT_VERIFY);
  options.pem_root_certs = settings.client_authorities;
  options.pem_key_cert_pairs.push_back({settings.key, settings.certificate});
  return grpc::SslServerCredentials(options);
}

void limit(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a taken port is an error, not a share
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kSmallestPingGapMs);
}

}  // namespace

GrpcServer::GrpcServer(std::vector<std::unique_ptr<grpc::Service>> services,
                       std::unique_ptr<grpc::Server> server, int port)
    : services_(std::move(services)), server_(std::move(server)), port_(port) {}

GrpcServer::GrpcServer(GrpcServer&&) noexcept = default;
GrpcServer& GrpcServer::operator=(GrpcServer&&) noexcept = default;

GrpcServer::~GrpcServer() {
  if (server_ == nullptr) return;
  server_->Shutdown(gpr_time_add(gpr_now(GPR_CLOCK_REALTIME), kShutdownGrace));
  server_->Wait();
}

Result<GrpcServer> GrpcServer::start(const GrpcSettings& settings,
                                     std::vector<std::unique_ptr<grpc::Service>> services) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(settings.listen, credentials(settings), &port);
  limit(builder);
  for (const auto& service : services) builder.RegisterService(service.get());
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return fail(FaultId::kUnavailable,
                "cannot listen on " + settings.listen +
                    " (grpc_listen): the port is taken or the address is not this machine's; end "
                    "the other program or choose another");
  }
  return GrpcServer(std::move(services), std::move(server), port);
}

}  // namespace assay
