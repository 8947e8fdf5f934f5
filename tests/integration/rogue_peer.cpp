// A TLS peer that lies about attestation. It shares no code with atlsd.
//
//   rogue-peer echo    CONNECT          client: sends the server its own Evidence back, under our
//   key rogue-peer reflect CONNECT          client: the same under the server's own certificate
//   rogue-peer divert  LISTEN CONNECT   server: shows the Evidence of a live handshake with CONNECT
//   rogue-peer mute    LISTEN           server: agrees to send Evidence, and does not
//
// CONNECT and LISTEN are ports on 127.0.0.1. It handles one connection; the exit code is 0 if the
// peer let our bytes through, 1 if it did not.
#include <arpa/inet.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace {

const unsigned char type[] = "application/vnd.parallaxsecond.key-attestation.tpm";
constexpr std::size_t type_size = sizeof type - 1;

enum class lie { echo, reflect, divert, mute };

lie chosen;
int genuine_port = 0;
std::vector<unsigned char> seen_attestation;  // the body as it came

// AttestationScheme: Evidence, a media type.
std::vector<unsigned char> scheme() {
  std::vector<unsigned char> out(4 + type_size);
  out[1] = 1;
  out[3] = type_size;
  std::memcpy(out.data() + 4, type, type_size);
  return out;
}

// The same in both lists of a ClientHello.
std::vector<unsigned char> offer() {
  const auto one = scheme();
  const std::size_t list_size = 2 + one.size();
  std::vector<unsigned char> out(2 * list_size);
  for (const std::size_t at : {std::size_t{0}, list_size}) {
    out[at + 1] = static_cast<unsigned char>(one.size());
    std::memcpy(out.data() + at + 2, one.data(), one.size());
  }
  return out;
}

int give(const std::vector<unsigned char>& body, const unsigned char** out, std::size_t* size) {
  auto* copy = static_cast<unsigned char*>(std::malloc(body.size() + 1));
  std::copy(body.begin(), body.end(), copy);
  *out = copy;
  *size = body.size();
  return 1;
}

int add(SSL*, unsigned, unsigned context, const unsigned char** out, std::size_t* size, X509*,
        std::size_t index, int*, void*) {
  if (context == SSL_EXT_CLIENT_HELLO) {
    return give(offer(), out, size);
  }
  if (context == SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS) {
    return give(scheme(), out, size);
  }
  if (context == SSL_EXT_TLS1_3_CERTIFICATE && index == 0 && chosen != lie::mute) {
    return give(seen_attestation, out, size);
  }
  return 0;
}

void release(SSL*, unsigned, unsigned, const unsigned char* out, void*) {
  std::free(const_cast<unsigned char*>(out));
}

int parse(SSL*, unsigned, unsigned context, const unsigned char* in, std::size_t size, X509*,
          std::size_t, int*, void*) {
  if (context == SSL_EXT_TLS1_3_CERTIFICATE) {
    seen_attestation.assign(in, in + size);
  }
  return 1;
}

// A certificate's public key posing as the private one: enough to send the certificate.
EVP_PKEY* public_half(X509* certificate) {
  return X509_get_pubkey(certificate);
}

void use_own_identity(SSL* ssl) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* x = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(x), -60);
  X509_gmtime_adj(X509_getm_notAfter(x), 3600);
  X509_set_pubkey(x, key);
  X509_sign(x, key, EVP_sha256());
  SSL_use_certificate(ssl, x);
  SSL_use_PrivateKey(ssl, key);
  X509_free(x);
  EVP_PKEY_free(key);
}

int connect_to(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    std::perror("connect");
    std::exit(2);
  }
  return fd;
}

int accept_on(int port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    std::perror("bind");
    std::exit(2);
  }
  ::listen(listener, 1);
  std::puts("listening");
  std::fflush(stdout);
  return ::accept(listener, nullptr, nullptr);
}

SSL_CTX* make_context(const SSL_METHOD* method) {
  SSL_CTX* ctx = SSL_CTX_new(method);
  SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
  SSL_CTX_set_num_tickets(ctx, 0);
  SSL_CTX_add_custom_ext(ctx, 0xff15,
                         SSL_EXT_CLIENT_HELLO | SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS |
                             SSL_EXT_TLS1_3_CERTIFICATE_REQUEST | SSL_EXT_TLS1_3_CERTIFICATE,
                         add, release, nullptr, parse, nullptr);
  return ctx;
}

// Called when the certificate is about to be chosen: on a client after the server's whole flight.
int choose_certificate(SSL* ssl, void*) {
  if (chosen == lie::echo || chosen == lie::mute) {
    use_own_identity(ssl);
    return 1;
  }
  X509* theirs = nullptr;
  if (chosen == lie::reflect) {
    theirs = SSL_get1_peer_certificate(ssl);
  } else {
    // A live handshake with the genuine server; it fails on our side of it, but its Evidence came.
    const lie mine = chosen;
    chosen = lie::mute;
    SSL* other = SSL_new(make_context(TLS_client_method()));
    SSL_set_fd(other, connect_to(genuine_port));
    SSL_connect(other);
    theirs = SSL_get1_peer_certificate(other);
    chosen = mine;
  }
  if (theirs == nullptr || seen_attestation.empty()) {
    std::puts("the genuine peer showed no Evidence");
    std::exit(3);
  }
  SSL_use_certificate(ssl, theirs);
  SSL_use_PrivateKey(ssl, public_half(theirs));
  return 1;
}

// Until the peer has judged us: one that sees us leave need not.
void stay_until_closed(int fd) {
  char ignored[1024];
  while (::read(fd, ignored, sizeof ignored) > 0) {
  }
}

// Whether an application byte of ours came back.
bool bytes_pass(SSL* ssl) {
  char answer = 0;
  return SSL_write(ssl, "GET / HTTP/1.0\r\n\r\n", 18) == 18 && SSL_read(ssl, &answer, 1) == 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  const bool is_server = mode == "divert" || mode == "mute";
  if (argc < 3 || (mode == "divert" && argc < 4)) {
    std::fputs("usage: rogue-peer echo|reflect PORT, divert LISTEN PORT, mute LISTEN\n", stderr);
    return 2;
  }
  chosen = mode == "echo"      ? lie::echo
           : mode == "reflect" ? lie::reflect
           : mode == "divert"  ? lie::divert
                               : lie::mute;
  genuine_port = mode == "divert" ? std::atoi(argv[3]) : 0;

  SSL_CTX* ctx = make_context(is_server ? TLS_server_method() : TLS_client_method());
  SSL_CTX_set_cert_cb(ctx, choose_certificate, nullptr);
  SSL* ssl = SSL_new(ctx);
  const int port = std::atoi(argv[2]);
  SSL_set_fd(ssl, is_server ? accept_on(port) : connect_to(port));
  const bool shook = (is_server ? SSL_accept(ssl) : SSL_connect(ssl)) == 1;
  if (!shook) {
    stay_until_closed(SSL_get_fd(ssl));
  }
  const bool passed = shook && bytes_pass(ssl);
  std::printf("handshake %s, bytes %s\n", shook ? "done" : "failed", passed ? "pass" : "refused");
  ERR_print_errors_fp(stdout);
  return passed ? 0 : 1;
}
