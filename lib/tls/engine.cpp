#include "tls/engine.hpp"

#include <algorithm>
#include <cstring>

#include <openssl/async.h>
#include <openssl/err.h>

namespace atls::tls {
namespace {

engine& engine_of(BIO* bio) {
  return *static_cast<engine*>(BIO_get_data(bio));
}

int wake(void* on_resumable) noexcept {
  (*static_cast<std::function<void()>*>(on_resumable))();
  return 1;
}

}  // namespace

engine::engine(const context& source, receive_buffer& input, std::function<void()> on_resumable)
    : source_(source),
      input_(input),
      ssl_(source.new_ssl()),
      on_resumable_(std::move(on_resumable)),
      wait_context_(ASYNC_WAIT_CTX_new()) {
  BIO* bio = BIO_new(bio_method());
  if (bio == nullptr || wait_context_ == nullptr ||
      ASYNC_WAIT_CTX_set_callback(wait_context_, wake, &on_resumable_) != 1) {
    throw error({errc::internal, "TLS engine: " + openssl_errors()});
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  handshake_.attach(ssl_.get(), source.configured());
}

engine::~engine() {
  while (job_ != nullptr) {
    ASYNC_WAIT_CTX_set_status(wait_context_, ASYNC_STATUS_ERR);
    (void)advance();
  }
  ssl_.reset();
  ASYNC_WAIT_CTX_free(wait_context_);
}

const BIO_METHOD* engine::bio_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "atls engine");
    BIO_meth_set_read(m, bio_read);
    BIO_meth_set_write(m, bio_write);
    BIO_meth_set_ctrl(m, bio_control);
    return m;
  }();
  return method;
}

int engine::bio_read(BIO* bio, char* to, int size) noexcept {
  engine& self = engine_of(bio);
  BIO_clear_retry_flags(bio);
  const auto available = self.input_.filled();
  if (available.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const auto count = std::min(available.size(), static_cast<std::size_t>(size));
  std::memcpy(to, available.data(), count);
  self.input_.consume(count);
  return static_cast<int>(count);
}

int engine::bio_write(BIO* bio, const char* from, int size) noexcept {
  engine& self = engine_of(bio);
  BIO_clear_retry_flags(bio);
  try {
    append(self.output_,
           {reinterpret_cast<const std::uint8_t*>(from), static_cast<std::size_t>(size)});
    return size;
  } catch (const std::bad_alloc&) {
    return -1;
  }
}

long engine::bio_control(BIO*, int command, long, void*) noexcept {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int engine::run_handshake(void* argument) noexcept {
  // OpenSSL copies the argument: it is a pointer to the engine's pointer.
  return SSL_do_handshake((*static_cast<engine**>(argument))->ssl_.get());
}

engine::step engine::advance() {
  // Other connections of this thread may have left errors while this one was suspended.
  ERR_clear_error();
  engine* self = this;
  int outcome = 0;
  switch (ASYNC_start_job(&job_, wait_context_, &outcome, run_handshake, &self, sizeof self)) {
    case ASYNC_PAUSE:
      return step::suspended;
    case ASYNC_FINISH:
      job_ = nullptr;
      return finish_step(outcome);
    default:
      job_ = nullptr;
      failure_ = failure(errc::internal, "no job for the handshake: " + openssl_errors());
      return step::failed;
  }
}

engine::step engine::finish_step(int outcome) {
  if (outcome == 1) {
    const auto concluded = handshake_.conclude();
    failure_ = concluded ? failure() : concluded.error();
    return concluded ? step::done : step::failed;
  }
  if (SSL_get_error(ssl_.get(), outcome) == SSL_ERROR_WANT_READ) {
    return step::needs_input;
  }
  const auto code = ERR_peek_error();
  const bool no_certificate = ERR_GET_LIB(code) == ERR_LIB_SSL &&
                              ERR_GET_REASON(code) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
  const auto text = openssl_errors();
  if (handshake_.refusal()) {
    failure_ = *handshake_.refusal();
  } else if (no_certificate) {
    failure_ =
        failure(handshake_.demands_attestation() ? errc::peer_not_attested : errc::pki_untrusted,
                "the client sent no certificate");
  } else {
    failure_ = failure(errc::handshake_failed, text);
  }
  return step::failed;
}

record_layer engine::establish() const {
  record_layer out(source_.configured().role, SSL_get_current_cipher(ssl_.get()),
                   handshake_.client_traffic_secret(), handshake_.server_traffic_secret());
  out.skip_sealed(handshake_.tickets_sent());
  return out;
}

bool engine::awaits_ticket() const noexcept {
  const auto& ours = source_.configured();
  return ours.role == role::client && ours.resumption.count() != 0 && !handshake_.is_resumed();
}

void engine::take_ticket(bytes_view record) {
  BIO* bio = BIO_new_mem_buf(record.data(), static_cast<int>(record.size()));
  BIO_set_mem_eof_return(bio, -1);
  SSL_set0_rbio(ssl_.get(), bio);
  SSL_set_shutdown(ssl_.get(), 0);
  std::uint8_t data = 0;
  (void)SSL_read(ssl_.get(), &data, sizeof data);
  SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  ERR_clear_error();
}

}  // namespace atls::tls
