#include "attester/passport_issuer.hpp"

#include "appraisal/passport_check.hpp"
#include "appraisal/result_of.hpp"
#include "core/requester.hpp"
#include "core/text.hpp"
#include "formats/cmw.hpp"

#include <openssl/rand.h>

namespace atls {

namespace asio = boost::asio;

namespace {

/// For Evidence of this machine's own, of which no handshake waits.
constexpr auto evidence_patience = std::chrono::seconds(10);
/// How often it is looked whether a passport has lapsed early, by the wall clock.
constexpr auto look_interval = std::chrono::seconds(5);
constexpr std::size_t nonce_size = 32;
constexpr std::size_t max_identity_size = 255;

steady_time now() {
  return std::chrono::steady_clock::now();
}

result<bytes> random_nonce() {
  bytes out(nonce_size);
  if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1) {
    throw error({errc::internal, "no random bytes"});
  }
  return out;
}

// -1 to 1. That the schedule is spread needs no secret: without random bytes it is not.
double chance() {
  std::int16_t drawn = 0;
  (void)RAND_bytes(reinterpret_cast<unsigned char*>(&drawn), sizeof drawn);
  return drawn / 32768.0;
}

}  // namespace

passport_issuer::passport_issuer(asio::io_context& io, shared_options options, verifier_options by)
    : io_(io), options_(std::move(options)), client_(io, std::move(by)) {
  const auto size = identity().size();
  if (size == 0 || size > max_identity_size) {
    throw error({errc::config_invalid, "the Verifier's identity has " + std::to_string(size) +
                                           " bytes, expected 1 to 255"});
  }
}

bool passport_issuer::has_valid() const {
  const std::lock_guard lock(mutex_);
  return passport_ && passport_->valid_until > options_->now();
}

result<bytes> passport_issuer::current() const {
  const std::lock_guard lock(mutex_);
  if (passport_ && passport_->valid_until > options_->now()) {
    return passport_->cmw;
  }
  const auto why = last_failure_ ? last_failure_->text() : "it is being asked";
  if (!passport_) {
    return failure(errc::passport_unavailable, identity() + ": " + why);
  }
  return failure(errc::passport_expired, identity() + ": it could be used until " +
                                             rfc3339(passport_->valid_until) + "; " + why);
}

json passport_issuer::describe() const {
  json out{{"verifier", identity()}, {"valid_until", nullptr}};
  if (options_->is_fresh) {
    out["fresh"] = true;
  }
  const std::lock_guard lock(mutex_);
  if (passport_) {
    out["valid_until"] = rfc3339(passport_->valid_until);
  }
  if (last_failure_) {
    out["last_failure"] = last_failure_->text();
  }
  return out;
}

result<passport_issuer::evidence_type> passport_issuer::type_for_it() const {
  const auto offered = options_->evidence->offers();
  for (const auto& one : offered) {
    const auto scheme = find_scheme(options_->schemes, one.name());
    if (scheme && client_.takes(*scheme)) {
      return evidence_type{one, scheme};
    }
  }
  return failure(errc::verifier_evidence_type,
                 client_.name() + ": this machine shows " + text_of(offered));
}

// Of a passport that is not fresh.
result<bytes> passport_issuer::nonce_for(const evidence_scheme& scheme) const {
  return scheme.shape().names_key ? random_nonce() : nonce_naming(options_->leaf_spki);
}

result<submission> passport_issuer::gather(bytes nonce, steady_time deadline) const {
  ATLS_TRY(const auto type, type_for_it());
  ATLS_TRY(const bytes cmw, options_->evidence->present(type.offered, nonce, deadline));
  ATLS_TRY(const auto record, parse_cmw_record(cmw));
  ATLS_TRY(auto content, type.scheme->check(record.value, {nonce, options_->leaf_spki}));
  return submission{.scheme = type.scheme,
                    .evidence = std::make_shared<const statement>(std::move(content)),
                    .nonce = std::move(nonce),
                    .source = requester::current()};
}

asio::awaitable<void> passport_issuer::keep_current(std::shared_ptr<passport_issuer> self,
                                                    std::shared_ptr<pending<bool>> tried) {
  asio::steady_timer pause(self->io_);
  for (;;) {
    co_await self->renew();
    tried->complete(true);
    while (!self->schedule_.is_due(now(), self->has_valid())) {
      pause.expires_at(std::min(self->schedule_.next_attempt(), now() + look_interval));
      co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    }
  }
}

asio::awaitable<result<bytes>> passport_issuer::issue_fresh(std::shared_ptr<passport_issuer> self,
                                                            submission evidence) {
  if (!self->client_.admits()) {
    co_return failure(errc::verifier_unavailable,
                      self->client_.name() + ": it rests after failures");
  }
  auto issued = co_await self->issue(std::move(evidence));
  if (!issued) {
    self->note(issued.error());
    co_return issued.error();
  }
  self->note(std::nullopt);
  co_return std::move(issued->cmw);
}

// Whatever happens, there is a next time.
asio::awaitable<void> passport_issuer::renew() {
  result<passport> outcome = failure(errc::internal);
  try {
    outcome = co_await obtain();
  } catch (const std::exception& e) {
    outcome = failure(errc::internal, e.what());
  }
  settle(std::move(outcome));
}

asio::awaitable<result<passport_issuer::passport>> passport_issuer::obtain() {
  const auto type = type_for_it();
  if (!type) {
    co_return type.error();
  }
  auto challenge = co_await client_.challenge(type->scheme, options_->leaf_spki);
  if (!challenge) {
    co_return challenge.error();
  }
  auto nonce = *challenge ? result<bytes>((*challenge)->nonce()) : nonce_for(*type->scheme);
  if (!nonce) {
    co_return nonce.error();
  }
  auto evidence = gather(std::move(*nonce), now() + evidence_patience);
  if (!evidence) {
    co_return evidence.error();
  }
  evidence->challenge = std::move(*challenge);
  co_return co_await issue(std::move(*evidence));
}

// Nothing is kept that peers would refuse.
asio::awaitable<result<passport_issuer::passport>> passport_issuer::issue(submission evidence) {
  auto binding = client_.dialect().binding(*evidence.scheme, *evidence.evidence, evidence.nonce,
                                           options_->leaf_spki);
  // Something must tie results to this machine's connections: the key, or a nonce that names it.
  if (!binding.nonce || evidence.scheme->shape().names_key) {
    binding.leaf_spki = options_->leaf_spki;
  }
  auto token = co_await client_.submit(std::move(evidence));
  if (!token) {
    co_return token.error();
  }
  const auto checked = co_await result_of(client_, std::move(*token), std::move(binding),
                                          options_->results, options_->now());
  if (!checked) {
    co_return checked.error();
  }
  const auto until = checked->valid_until();
  if (until <= options_->now()) {
    co_return failure(errc::passport_expired,
                      "it was issued to be used until " + rfc3339(until) + " only");
  }
  co_return passport{encode_passport(checked->token(), checked->claims().profile), until};
}

void passport_issuer::settle(result<passport> outcome) {
  if (!outcome) {
    schedule_.failed(now(), chance());
    note(std::move(outcome).error());
    return;
  }
  const auto life = outcome->valid_until - options_->now();
  schedule_.issued(now(), std::chrono::duration_cast<std::chrono::milliseconds>(life), chance());
  const std::lock_guard lock(mutex_);
  passport_ = std::move(*outcome);
  last_failure_.reset();
}

void passport_issuer::note(std::optional<failure> last_failure) {
  const std::lock_guard lock(mutex_);
  last_failure_ = std::move(last_failure);
}

}  // namespace atls
