#include "appraisal/transport/verifier_client.hpp"

#include <algorithm>
#include <limits>

namespace atls {

namespace asio = boost::asio;

namespace {

constexpr auto default_discovery_age = std::chrono::seconds(60);
constexpr auto min_discovery_age = std::chrono::seconds(10);
constexpr auto max_discovery_age = std::chrono::hours(1);
constexpr auto discovery_retry = std::chrono::seconds(1);

steady_time now() {
  return std::chrono::steady_clock::now();
}

http_options to_http(const verifier_options& from) {
  http_options out{url::parse(from.url).value(), from.ca_file, from.certificate_file, from.key_file,
                   from.authorization};
  if (from.pinned_keys.empty() && !out.where.is_https) {
    throw error({errc::config_invalid, "verifier.url " + from.url +
                                           ": without \"result_key\" the key comes from the "
                                           "Verifier's discovery, which needs https"});
  }
  return out;
}

// The type of the Evidence and what it says are the peer's choice. What a Verifier answers to them
// is not held against the Verifier, or a peer could open the circuit for all others.
bool is_of_the_peer(const failure& why, const appraisal_exchange& exchange) {
  return exchange.has_sent_evidence() || why.code == errc::verifier_evidence_type;
}

}  // namespace

verifier_client::verifier_client(asio::io_context& io, verifier_options options)
    : io_(io),
      options_(std::move(options)),
      http_(io, to_http(options_)),
      check_http_(io, http_),
      dialect_(make_dialect(options_.type, http_.where(), options_.dialect)),
      turns_(io, options_.max_concurrent, options_.max_waiting),
      keys_(options_.retired_key_grace),
      discovering_(io, 1, std::numeric_limits<std::size_t>::max()) {}

bool verifier_client::takes(const evidence_scheme& scheme) const {
  const auto& listed = options_.evidence_types;
  return scheme.is_for(options_.type) &&
         (listed.empty() || std::ranges::find(listed, scheme.media_type()) != listed.end());
}

std::string verifier_client::identity() const {
  return options_.identity.empty() ? http_.where().host : options_.identity;
}

failure verifier_client::named(failure why) const {
  return {why.code, name() + ": " + why.detail};
}

// A request that waited long for its turn says nothing of a Verifier that was not done with it in
// the time that was left.
failure verifier_client::blame(failure why, const time_left& time) {
  if (why.code == errc::verifier_timeout && !time.is_fair) {
    return {errc::verifier_overloaded, why.detail + ": most of its time went by in the queue"};
  }
  breaker_.failed(now());
  return why;
}

asio::awaitable<result<std::shared_ptr<const verifier_challenge>>> verifier_client::challenge(
    std::shared_ptr<const evidence_scheme> scheme, bytes leaf_spki) {
  const time_left time{now() + options_.timeout, true};
  auto made = dialect_->challenge(*scheme, leaf_spki);
  if (!made) {
    co_return named(made.error());
  }
  const std::shared_ptr<verifier_challenge> challenge = std::move(*made);
  if (!challenge) {
    co_return challenge;
  }
  auto received = co_await http_.exchange(challenge->begin(), time.deadline);
  if (!received) {
    co_return blame(received.error(), time);
  }
  const auto step = challenge->resume(received->reply);
  if (!step) {
    co_return blame(named(step.error()), time);
  }
  http_.keep(std::move(received->connection));
  co_return challenge;
}

asio::awaitable<result<std::string>> verifier_client::submit(submission what) {
  auto token = co_await submit_in_turn(std::move(what));
  ++submissions_[token ? errc::ok : token.error().code];
  co_return token;
}

asio::awaitable<result<std::string>> verifier_client::submit_in_turn(submission what) {
  const auto deadline = now() + options_.timeout;
  const auto place = co_await turns_.enter(what.source, deadline, what.is_abandoned);
  if (!place) {
    co_return named(place.error());
  }
  const time_left time{deadline, deadline - now() >= options_.timeout / 2};
  if (!has_pinned_keys()) {
    // Discovery may name what the dialect needs as well.
    const auto known = co_await keys(deadline);
    if (!known) {
      co_return blame(known.error(), time);
    }
  }
  auto exchange = what.challenge ? what.challenge->open(*what.scheme, *what.evidence)
                                 : dialect_->open(*what.scheme, *what.evidence, what.nonce);
  if (!exchange) {
    co_return named(exchange.error());
  }
  co_return co_await run(std::move(*exchange), time);
}

asio::awaitable<result<std::string>> verifier_client::run(
    std::unique_ptr<appraisal_exchange> exchange, time_left time) {
  next_request next{exchange->begin()};
  for (;;) {
    if (next.after.count() > 0) {
      asio::steady_timer pause(io_, std::min(now() + next.after, time.deadline));
      co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    if (now() >= time.deadline) {
      co_return blame({errc::verifier_timeout, name() + ": still appraising"}, time);
    }
    auto received = co_await http_.exchange(std::move(next.request), time.deadline);
    if (!received) {
      co_return blame(received.error(), time);
    }
    auto step = exchange->resume(received->reply);
    if (!step) {
      const auto why = named(step.error());
      if (is_of_the_peer(why, *exchange)) {
        co_return why;
      }
      co_return blame(why, time);
    }
    http_.keep(std::move(received->connection));
    if (auto* const token = std::get_if<std::string>(&*step)) {
      breaker_.succeeded();
      co_return std::move(*token);
    }
    next = std::get<next_request>(std::move(*step));
  }
}

asio::awaitable<result<result_keys::list>> verifier_client::keys(steady_time deadline) {
  if (has_pinned_keys()) {
    co_return options_.pinned_keys;
  }
  if (now() >= discovered_until_) {
    const auto discovered = co_await discover(deadline);
    // A Verifier that does not answer this once has the keys it had, retired or not.
    if (!discovered && keys_.usable(now()).empty()) {
      co_return discovered.error();
    }
  }
  co_return keys_.usable(now());
}

asio::awaitable<result<result_keys::list>> verifier_client::newer_keys(steady_time deadline) {
  if (has_pinned_keys()) {
    co_return options_.pinned_keys;
  }
  if (now() >= last_discovery_ + discovery_retry) {
    const auto discovered = co_await discover(deadline);
    if (!discovered) {
      co_return discovered.error();
    }
  }
  co_return keys_.usable(now());
}

asio::awaitable<result<void>> verifier_client::discover(steady_time deadline) {
  const auto began = now();
  const std::function<bool()> never = [] { return false; };
  const auto place = co_await discovering_.enter("", deadline, never);
  if (!place) {
    co_return failure(errc::verifier_timeout, name() + ": discovery");
  }
  if (last_discovery_ >= began) {
    // Another one's, while this one waited.
    co_return keys_.usable(now()).empty()
        ? result<void>(failure(errc::verifier_unavailable, name() + ": discovery failed"))
        : result<void>();
  }
  auto outcome = co_await discover_once(deadline);
  last_discovery_ = now();
  co_return outcome;
}

asio::awaitable<result<verifier_discovery>> verifier_client::get_discovery(http_client& over,
                                                                           verifier_dialect& of,
                                                                           steady_time deadline) {
  auto request = of.discovery();
  auto received = co_await over.exchange(std::move(request), deadline);
  if (!received) {
    co_return received.error();
  }
  auto found = of.discovered(received->reply);
  if (!found) {
    co_return named(found.error());
  }
  over.keep(std::move(received->connection));
  co_return found;
}

// With a dialect of its own: what appraisals know comes from their own discovery, or from nothing
// where keys are configured.
asio::awaitable<result<void>> verifier_client::check(steady_time deadline) {
  const auto dialect = make_dialect(options_.type, http_.where(), options_.dialect);
  const auto found = co_await get_discovery(check_http_, *dialect, deadline);
  if (!found) {
    co_return found.error();
  }
  if (!found->readiness) {
    co_return named(found->readiness.error());
  }
  if (!has_pinned_keys() && !found->keys) {
    co_return named(found->keys.error());
  }
  co_return result<void>();
}

asio::awaitable<result<void>> verifier_client::discover_once(steady_time deadline) {
  auto found = co_await get_discovery(http_, *dialect_, deadline);
  if (!found) {
    co_return found.error();
  }
  if (!found->keys) {
    co_return named(found->keys.error());
  }
  keys_.set_current(std::move(*found->keys), now());
  const auto age = found->max_age.value_or(default_discovery_age);
  discovered_until_ =
      now() + std::clamp<std::chrono::seconds>(age, min_discovery_age, max_discovery_age);
  co_return result<void>();
}

}  // namespace atls
