#include "verifier/grpc_server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "core/openssl.h"

namespace assay {
namespace {

using X509Handle = Handle<X509, X509_free>;

constexpr int kMaxMessageBytes = (1 << 20) + (64 << 10);  // the largest piece, and its frame
constexpr int kMaxMetadataBytes = 24 << 10;               // the largest identity token, and more
constexpr int kKeepaliveMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kSmallestPingGapMs = 10'000;
const gpr_timespec kShutdownGrace = gpr_time_from_seconds(2, GPR_TIMESPAN);

std::shared_ptr<grpc::ServerCredentials> credentials(const GrpcSettings& settings) {
  grpc::SslServerCredentialsOptions options(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
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

// gRPC reports bad key material as a port that cannot be bound: say it before gRPC has to.
Status check_key_pair(const GrpcSettings& settings) {
  const openssl::Bio cert_bio(
      BIO_new_mem_buf(settings.certificate.data(), static_cast<int>(settings.certificate.size())));
  const openssl::Bio key_bio(
      BIO_new_mem_buf(settings.key.data(), static_cast<int>(settings.key.size())));
  const X509Handle certificate(PEM_read_bio_X509(cert_bio.get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr)
    return fail(FaultId::kConfigInvalid, "tls.certificate is not a PEM certificate");
  // The empty pass phrase keeps OpenSSL from asking a terminal for one.
  const openssl::EvpPkey key(
      PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, const_cast<char*>("")));
  if (key == nullptr)
    return fail(FaultId::kConfigInvalid, "tls.key is not an unencrypted PEM private key");
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return fail(FaultId::kConfigInvalid, "tls.key is not the key of tls.certificate");
  }
  return {};
}

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
  ASSAY_OK(check_key_pair(settings));
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
