#include "verifier/http/connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/openssl.h"

namespace assay {
namespace {

constexpr char kTlsHandshake = 0x16;  // RFC 8446, 5.1: the first byte of a ClientHello's record
constexpr std::uint32_t kLoopbackNet = 127;

openssl::Bio memory(const std::string& text) {
  return openssl::Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Whether a certificate is good is decided where it is used, with a fault that says why not.
int take_any_certificate(X509_STORE_CTX* /*chain*/, void* /*unused*/) {
  return 1;
}

void ask_for_certificates(SSL_CTX* context, const std::string& authorities) {
  const openssl::Bio bio = memory(authorities);
  for (;;) {
    const openssl::X509Certificate next(
        PEM_read_bio_X509(bio.get(), nullptr, openssl::no_passphrase, nullptr));
    if (next == nullptr) break;
    ASSAY_CHECK(SSL_CTX_add_client_CA(context, next.get()) == 1);
  }
  ERR_clear_error();
  SSL_CTX_set_cert_verify_callback(context, take_any_certificate, nullptr);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
}

}  // namespace

bool is_loopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof v4);
    return ntohl(v4.sin_addr.s_addr) >> 24 == kLoopbackNet;
  }
  if (address.ss_family != AF_INET6) return false;
  sockaddr_in6 v6;
  std::memcpy(&v6, &address, sizeof v6);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) return v6.sin6_addr.s6_addr[12] == kLoopbackNet;
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

struct TlsIdentity::Context {
  Handle<SSL_CTX, SSL_CTX_free> ssl;
};

struct Connection::Tls {
  Handle<SSL, SSL_free> ssl;
  bool broken = false;  // OpenSSL wants nothing more to be done with it
};

TlsIdentity::TlsIdentity(std::unique_ptr<Context> context) : context_(std::move(context)) {}
TlsIdentity::TlsIdentity(TlsIdentity&&) noexcept = default;
TlsIdentity::~TlsIdentity() = default;

Result<TlsIdentity> TlsIdentity::load(const std::string& certificate, const std::string& key,
                                      const std::string& client_authorities) {
  auto context = std::make_unique<Context>();
  context->ssl.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const ssl = context->ssl.get();
  ASSAY_CHECK(ssl != nullptr);
  ASSAY_CHECK(SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1);
  SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                               SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

  const openssl::Bio chain = memory(certificate);
  const openssl::X509Certificate leaf(
      PEM_read_bio_X509(chain.get(), nullptr, openssl::no_passphrase, nullptr));
  const openssl::EvpPkey private_key(
      PEM_read_bio_PrivateKey(memory(key).get(), nullptr, openssl::no_passphrase, nullptr));
  bool good = leaf != nullptr && private_key != nullptr &&
              SSL_CTX_use_certificate(ssl, leaf.get()) == 1 &&
              SSL_CTX_use_PrivateKey(ssl, private_key.get()) == 1;
  while (good) {
    openssl::X509Certificate next(
        PEM_read_bio_X509(chain.get(), nullptr, openssl::no_passphrase, nullptr));
    if (next == nullptr) break;
    good = SSL_CTX_add0_chain_cert(ssl, next.get()) == 1;
    if (good) static_cast<void>(next.release());
  }
  ERR_clear_error();
  if (!good) return fail(FaultId::kConfigInvalid, "tls.certificate and tls.key cannot serve HTTPS");
  if (!client_authorities.empty()) ask_for_certificates(ssl, client_authorities);
  return TlsIdentity(std::move(context));
}

Connection::Connection(int socket, const World& world)
    : socket_(socket),
      world_(world),
      until_(world.clock.monotonic() + world.limits.head),
      bytes_left_(world.limits.head_bytes) {
  const int flags = ::fcntl(socket_, F_GETFL);
  ASSAY_CHECK(flags >= 0 && ::fcntl(socket_, F_SETFL, flags | O_NONBLOCK) == 0);
}

Connection::~Connection() {
  hang_up();
  ::close(socket_);
}

bool Connection::open() {
  char first = 0;
  ssize_t got = -1;
  while ((got = ::recv(socket_, &first, 1, MSG_PEEK)) < 0) {
    if (errno != EAGAIN && errno != EINTR) return false;
    if (!wait(POLLIN)) return false;
  }
  if (got == 0) return false;
  if (first != kTlsHandshake) return true;
  tls_ = std::make_unique<Tls>();
  tls_->ssl.reset(SSL_new(world_.identity.context_->ssl.get()));
  if (tls_->ssl == nullptr || SSL_set_fd(tls_->ssl.get(), socket_) != 1) {
    tls_->broken = true;
    return false;
  }
  for (;;) {
    ERR_clear_error();
    const int result = SSL_accept(tls_->ssl.get());
    if (result == 1) return true;
    if (!wait_for_tls(result)) {
      tls_->broken = true;
      return false;
    }
  }
}

bool Connection::is_private() const {
  if (tls_ != nullptr) return true;
  sockaddr_storage peer = {};
  socklen_t size = sizeof peer;
  return ::getpeername(socket_, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
         is_loopback(peer);
}

std::string Connection::client_chain() const {
  X509* const leaf = tls_ == nullptr ? nullptr : SSL_get0_peer_certificate(tls_->ssl.get());
  if (leaf == nullptr) return {};
  const openssl::Bio out(BIO_new(BIO_s_mem()));
  ASSAY_CHECK(out != nullptr);
  bool good = PEM_write_bio_X509(out.get(), leaf) == 1;
  // Of a server's peer it is without the leaf: SSL_get_peer_cert_chain(3).
  const STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(tls_->ssl.get());
  for (int i = 0; good && i < sk_X509_num(chain); ++i) {
    good = PEM_write_bio_X509(out.get(), sk_X509_value(chain, i)) == 1;
  }
  ERR_clear_error();
  if (!good) return {};  // a client's doing: it has shown nothing
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

void Connection::allow_body(std::size_t bytes, std::chrono::nanoseconds until) {
  bytes_left_ = bytes;
  until_ = until;
  answering_ = false;  // what was written so far asked for the body
}

ssize_t Connection::read(char* out, std::size_t size) {
  if (bytes_left_ == 0) {
    too_much_ = true;
    return -1;
  }
  size = std::min(size, bytes_left_);
  for (;;) {
    ERR_clear_error();
    const ssize_t got = tls_ == nullptr ? ::recv(socket_, out, size, 0)
                                        : SSL_read(tls_->ssl.get(), out, static_cast<int>(size));
    if (got > 0) {
      bytes_left_ -= static_cast<std::size_t>(got);
      // Also what comes without a pause ends in time.
      if (world_.clock.monotonic() <= until_) return got;
      late_ = true;
      return -1;
    }
    if (tls_ != nullptr ? !wait_for_tls(static_cast<int>(got))
                        : got == 0 || (errno != EAGAIN && errno != EINTR) || !wait(POLLIN)) {
      return got == 0 ? 0 : -1;
    }
  }
}

ssize_t Connection::write(const char* data, std::size_t size) {
  if (!answering_) {
    answering_ = true;
    until_ = world_.clock.monotonic() + world_.limits.answer;
  }
  for (;;) {
    ERR_clear_error();
    const ssize_t sent = tls_ == nullptr ? ::send(socket_, data, size, MSG_NOSIGNAL)
                                         : SSL_write(tls_->ssl.get(), data, static_cast<int>(size));
    if (sent > 0) return sent;
    if (tls_ != nullptr ? !wait_for_tls(static_cast<int>(sent))
                        : (errno != EAGAIN && errno != EINTR) || !wait(POLLOUT)) {
      return -1;
    }
  }
}

// Whether the socket is ready before the peer's time is over, and before everything ends.
bool Connection::wait(short events) {
  using std::chrono::milliseconds;
  const auto left = std::chrono::ceil<milliseconds>(until_ - world_.clock.monotonic());
  if (left <= milliseconds(0)) {
    late_ = true;
    return false;
  }
  pollfd watched[] = {{.fd = socket_, .events = events, .revents = 0},
                      {.fd = world_.stop, .events = POLLIN, .revents = 0}};
  const int ready =
      ::poll(watched, 2, static_cast<int>(std::min(left, world_.limits.pause).count()));
  if (ready < 0) return errno == EINTR;
  if (ready == 0) late_ = true;
  return ready > 0 && watched[1].revents == 0;
}

// The same for what OpenSSL has not finished. False at an error or at the end.
bool Connection::wait_for_tls(int result) {
  switch (SSL_get_error(tls_->ssl.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return wait(POLLIN);
    case SSL_ERROR_WANT_WRITE:
      return wait(POLLOUT);
    case SSL_ERROR_ZERO_RETURN:
      return false;
    default:
      tls_->broken = true;
      return false;
  }
}

// A peer that still sends would lose its answer to a reset: what it sends is passed over for a moment.
void Connection::hang_up() {
  ERR_clear_error();
  if (tls_ != nullptr && !tls_->broken) SSL_shutdown(tls_->ssl.get());
  ERR_clear_error();
  ::shutdown(socket_, SHUT_WR);
  if (!answering_) return;
  until_ = world_.clock.monotonic() + world_.limits.goodbye;
  char passed_over[4096];
  for (;;) {
    const ssize_t got = ::recv(socket_, passed_over, sizeof passed_over, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return;
    if (got < 0 && !wait(POLLIN)) return;
    if (world_.clock.monotonic() > until_) return;
  }
}

}  // namespace assay
