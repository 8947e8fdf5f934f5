#include "tls/resumption.hpp"

#include <algorithm>

namespace atls::tls {
namespace {

using clock = std::chrono::system_clock;

// A session that expires while it is being resumed is refused: none is offered that might.
constexpr auto time_to_resume = std::chrono::seconds(1);

struct attachment {
  std::shared_ptr<const judged_peer> peer;
  clock::time_point until;
};

void free_attachment(void*, void* attached, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<attachment*>(attached);
}

int copy_attachment(CRYPTO_EX_DATA*, const CRYPTO_EX_DATA*, void** attached, int, long, void*) {
  if (*attached != nullptr) {
    *attached = new attachment(*static_cast<attachment*>(*attached));
  }
  return 1;
}

int attachment_index() {
  static const int index =
      SSL_SESSION_get_ex_new_index(0, nullptr, nullptr, copy_attachment, free_attachment);
  return index;
}

}  // namespace

clock::time_point judged_peer::resumable_until(std::chrono::seconds lifetime) const {
  const auto limit = std::min(clock::now() + lifetime, expires);
  return attested ? std::min(limit, attested->result().valid_until()) : limit;
}

namespace resumption {

bool attach(SSL_SESSION* session, std::shared_ptr<const judged_peer> peer,
            std::chrono::seconds lifetime) {
  const auto until = peer->resumable_until(lifetime);
  // libssl counts in whole seconds of the clock: its session, begun in one second, is fresh all
  // through the second it expires in.
  const auto left = std::chrono::floor<std::chrono::seconds>(until - clock::now()).count() - 1;
  if (left < 1) {
    return false;
  }
  auto attached = std::make_unique<attachment>(attachment{std::move(peer), until});
  if (SSL_SESSION_set_ex_data(session, attachment_index(), attached.get()) != 1) {
    return false;
  }
  attached.release();
  SSL_SESSION_set_timeout(session, left);
  return true;
}

std::shared_ptr<const judged_peer> peer_of(const SSL_SESSION* session, clock::time_point at) {
  const auto* attached =
      static_cast<const attachment*>(SSL_SESSION_get_ex_data(session, attachment_index()));
  return attached != nullptr && at < attached->until ? attached->peer : nullptr;
}

void slot::put(session_ptr session) {
  const std::lock_guard lock(mutex_);
  session_ = std::move(session);
}

session_ptr slot::get() const {
  const std::lock_guard lock(mutex_);
  // A copy: a client's libssl voids a session by resuming it.
  return session_ && peer_of(session_.get(), clock::now() + time_to_resume)
             ? session_ptr(SSL_SESSION_dup(session_.get()))
             : nullptr;
}

}  // namespace resumption
}  // namespace atls::tls
