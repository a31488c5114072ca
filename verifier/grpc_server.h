// The gRPC port: TLS, limits, and the services behind it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/result.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace assay {

struct GrpcSettings {
  std::string listen;       // HOST:PORT; port 0 takes a free one
  std::string certificate;  // PEM chain
  std::string key;          // PEM, and the certificate's: check_key_pair()
  // PEM: whose certificates clients are asked for. None has to have one, and each is judged where it calls
  // for something. Empty: nobody is asked.
  std::string client_authorities{};
};

// A server that runs. Destruction ends every stream and waits for the calls that go on.
class GrpcServer {
 public:
  // Takes over `services`. Fails with kUnavailable when the port cannot be had.
  static Result<GrpcServer> start(const GrpcSettings& settings,
                                  std::vector<std::unique_ptr<grpc::Service>> services);
  ~GrpcServer();
  GrpcServer(GrpcServer&&) noexcept;
  GrpcServer& operator=(GrpcServer&&) noexcept;

  int port() const { return port_; }

 private:
  GrpcServer(std::vector<std::unique_ptr<grpc::Service>> services,
             std::unique_ptr<grpc::Server> server, int port);

  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace assay
