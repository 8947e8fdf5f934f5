#include "tls/attestation_extension.hpp"

#include "core/attempt.hpp"
#include "tls/alerts.hpp"

#include <algorithm>
#include <new>

namespace atls::tls {
namespace {

int ex_data_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace

void attestation_extension::install(SSL_CTX* context, std::uint16_t code) {
  constexpr unsigned where = SSL_EXT_CLIENT_HELLO | SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS |
                             SSL_EXT_TLS1_3_CERTIFICATE_REQUEST | SSL_EXT_TLS1_3_CERTIFICATE |
                             SSL_EXT_TLS1_3_ONLY;
  if (SSL_CTX_add_custom_ext(context, code, where, add, free_added, nullptr, parse, nullptr) != 1) {
    throw error(
        {errc::config_invalid, "tls.extension_code: " + std::to_string(code) +
                                   " is libssl's own; expected a number that it does not use"});
  }
}

void attestation_extension::attach(SSL* ssl, attestation_terms terms) {
  ssl_ = ssl;
  negotiation_ = negotiation(std::move(terms));
  if (SSL_set_ex_data(ssl, ex_data_index(), this) != 1) {
    throw std::bad_alloc();
  }
}

attestation_extension& attestation_extension::of(const SSL* ssl) {
  return *static_cast<attestation_extension*>(SSL_get_ex_data(ssl, ex_data_index()));
}

int attestation_extension::add(SSL* ssl, unsigned, unsigned context, const unsigned char** out,
                               std::size_t* out_size, X509* certificate, std::size_t index,
                               int* alert, void*) noexcept {
  constexpr int send = 1;
  constexpr int leave_out = 0;
  constexpr int fail = -1;
  attestation_extension& self = of(ssl);
  if (context == SSL_EXT_TLS1_3_CERTIFICATE && index != 0) {
    return leave_out;
  }
  const auto body = guarded([&] { return self.body_to_send(context, certificate); });
  if (!body) {
    *alert = alert_for(body.error().code);
    self.owner_.refuse(body.error());
    return fail;
  }
  if (!*body) {
    return leave_out;
  }
  auto* copy = static_cast<unsigned char*>(OPENSSL_malloc((*body)->size() + 1));
  if (copy == nullptr) {
    *alert = SSL_AD_INTERNAL_ERROR;
    return fail;
  }
  std::copy((*body)->begin(), (*body)->end(), copy);
  *out = copy;
  *out_size = (*body)->size();
  return send;
}

void attestation_extension::free_added(SSL*, unsigned, unsigned, const unsigned char* out,
                                       void*) noexcept {
  OPENSSL_free(const_cast<unsigned char*>(out));
}

int attestation_extension::parse(SSL* ssl, unsigned, unsigned context, const unsigned char* in,
                                 std::size_t size, X509*, std::size_t index, int* alert,
                                 void*) noexcept {
  attestation_extension& self = of(ssl);
  const auto accepted = guarded([&] { return self.body_received(context, {in, size}, index); });
  if (!accepted) {
    *alert = alert_for(accepted.error().code);
    self.owner_.refuse(accepted.error());
    return 0;
  }
  return 1;
}

result<std::optional<bytes>> attestation_extension::body_to_send(unsigned context,
                                                                 X509* certificate) {
  switch (context) {
    case SSL_EXT_CLIENT_HELLO:
      return negotiation_.offer();
    case SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS:
      return negotiation_.own_choice();
    case SSL_EXT_TLS1_3_CERTIFICATE_REQUEST:
      return negotiation_.demand();
    default:
      if (!negotiation_.own()) {
        return std::optional<bytes>();
      }
      ATLS_TRY(const bytes cmw, owner_.present(*negotiation_.own(), certificate));
      ATLS_TRY(bytes body, encode_payload(cmw));
      return std::optional(std::move(body));
  }
}

result<void> attestation_extension::body_received(unsigned context, bytes_view body,
                                                  std::size_t index) {
  switch (context) {
    case SSL_EXT_CLIENT_HELLO:
      return negotiation_.receive_offer(body, SSL_session_reused(ssl_) == 1);
    case SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS:
      return negotiation_.server_presents(body);
    case SSL_EXT_TLS1_3_CERTIFICATE_REQUEST:
      return negotiation_.server_demands(body);
    default:
      ATLS_CHECK(negotiation_.expects_payload(index));
      { ATLS_TRY(peer_cmw_, parse_payload(body)); }
      return {};
  }
}

}  // namespace atls::tls
