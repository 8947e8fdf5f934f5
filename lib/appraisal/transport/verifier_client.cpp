#include "appraisal/transport/verifier_client.hpp"

#include "dialects/veraison/challenge_response.hpp"
#include "formats/json.hpp"

#include <algorithm>
#include <limits>

namespace atls {

namespace asio = boost::asio;
namespace api = challenge_response;

namespace {

constexpr auto poll_interval = std::chrono::milliseconds(250);
constexpr auto min_discovery_age = std::chrono::seconds(10);
constexpr auto max_discovery_age = std::chrono::hours(1);
constexpr auto discovery_retry = std::chrono::seconds(1);

steady_time now() {
  return std::chrono::steady_clock::now();
}

// What a refusal says of itself: the detail of a problem document (RFC 7807), nothing otherwise.
std::string problem_detail(std::string_view content_type, std::string_view body) {
  if (!content_type.starts_with(api::problem_type)) {
    return {};
  }
  const auto problem = parse_json(body, errc::verifier_protocol);
  return problem && problem->is_object() ? string_member(*problem, "detail").value_or("") : "";
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

}  // namespace

verifier_client::verifier_client(asio::io_context& io, verifier_options options)
    : io_(io),
      options_(std::move(options)),
      http_(io, to_http(options_)),
      check_http_(io, http_),
      turns_(io, options_.max_concurrent, options_.max_waiting),
      keys_(options_.retired_key_grace),
      new_session_path_(http_.where().prefix + std::string(api::new_session_path)),
      discovering_(io, 1, std::numeric_limits<std::size_t>::max()) {}

// An error of the Verifier's own (5xx) is no answer: another Verifier may have one.
failure verifier_client::rejected(const http_reply& answer, const std::string& doing) const {
  const auto code = answer.status >= 500 ? errc::verifier_unavailable : errc::verifier_rejected;
  return {code, name() + ": " + doing + ": status " + std::to_string(answer.status) + " " +
                    problem_detail(answer.content_type, answer.body)};
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

asio::awaitable<result<std::string>> verifier_client::submit(submission what) {
  auto token = co_await submit_in_turn(std::move(what));
  ++submissions_[token ? errc::ok : token.error().code];
  co_return token;
}

asio::awaitable<result<std::string>> verifier_client::submit_in_turn(submission what) {
  const auto deadline = now() + options_.timeout;
  const auto place = co_await turns_.enter(what.source, deadline, what.is_abandoned);
  if (!place) {
    co_return failure(place.error().code, name() + ": " + place.error().detail);
  }
  const time_left time{deadline, deadline - now() >= options_.timeout / 2};
  auto session = co_await new_session(what.nonce, deadline);
  if (!session) {
    co_return blame(session.error(), time);
  }
  if (std::ranges::find(session->accept, what.media_type) == session->accept.end()) {
    co_return failure(errc::verifier_evidence_type, name() + ": " + what.media_type);
  }
  co_return co_await appraise(std::move(*session), std::move(what), time);
}

asio::awaitable<result<verifier_client::open_session>> verifier_client::new_session(
    bytes nonce, steady_time deadline) {
  if (!has_pinned_keys()) {
    // Discovery names the path as well.
    auto known = co_await keys(deadline);
    if (!known) {
      co_return known.error();
    }
  }
  const std::string target = api::new_session_target(new_session_path_, nonce);
  http_request request{"POST", target, std::string(api::session_type), "", {}};
  auto created = co_await http_.exchange(std::move(request), deadline);
  if (!created) {
    co_return created.error();
  }
  if (created->status != 201) {
    co_return rejected(*created, "new session");
  }
  auto session = api::parse_session(created->body);
  if (!session) {
    co_return session.error();
  }
  if (session->nonce != nonce) {
    co_return failure(errc::verifier_nonce, "the new session is for " + to_hex(session->nonce) +
                                                ", expected " + to_hex(nonce));
  }
  if (created->location.empty()) {
    co_return failure(errc::verifier_protocol, name() + ": the new session has no Location");
  }
  auto path = http_.where().resolve(target, created->location);
  if (!path) {
    co_return failure(path.error().code, "the new session's Location: " + path.error().detail);
  }
  http_.keep(std::move(created->connection));
  co_return open_session{std::move(nonce), std::move(*path), std::move(session->accept)};
}

// Evidence is the peer's: what the Verifier answers to it says nothing of the Verifier, or a peer
// could open the circuit for all others. That it does not answer does.
asio::awaitable<result<std::string>> verifier_client::appraise(open_session opened, submission what,
                                                               time_left time) {
  const std::string accept(api::session_type);
  http_request request{"POST", opened.path, accept, std::move(what.media_type),
                       std::move(what.evidence)};
  for (;;) {
    auto answer = co_await http_.exchange(std::move(request), time.deadline);
    if (!answer) {
      co_return blame(answer.error(), time);
    }
    if (answer->status != 200 && answer->status != 202) {
      co_return rejected(*answer, "Evidence");
    }
    auto session = api::parse_session(answer->body);
    if (!session) {
      co_return session.error();
    }
    if (session->nonce != opened.nonce) {
      co_return failure(errc::verifier_nonce, "the answer is for " + to_hex(session->nonce) +
                                                  ", expected " + to_hex(opened.nonce));
    }
    http_.keep(std::move(answer->connection));
    if (session->status == api::session_status::complete) {
      breaker_.succeeded();
      co_return std::move(session->result);
    }
    if (session->status == api::session_status::failed) {
      co_return rejected(*answer, "the session failed");
    }
    asio::steady_timer pause(io_, poll_interval);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    if (now() >= time.deadline) {
      co_return blame({errc::verifier_timeout, name() + ": still appraising"}, time);
    }
    request = {"GET", opened.path, accept, "", {}};
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

asio::awaitable<result<http_reply>> verifier_client::get_discovery(http_client& over,
                                                                   steady_time deadline) {
  http_request request{"GET",
                       http_.where().prefix + std::string(api::discovery_path),
                       std::string(api::discovery_type),
                       "",
                       {}};
  auto answer = co_await over.exchange(std::move(request), deadline);
  if (answer && answer->status != 200) {
    co_return rejected(*answer, "discovery");
  }
  co_return answer;
}

asio::awaitable<result<void>> verifier_client::check(steady_time deadline) {
  auto answer = co_await get_discovery(check_http_, deadline);
  if (!answer) {
    co_return answer.error();
  }
  const auto found = api::parse_discovery(answer->body);
  if (!found) {
    co_return failure(found.error().code, name() + ": " + found.error().detail);
  }
  check_http_.keep(std::move(answer->connection));
  if (found->service_state != api::ready_state) {
    co_return failure(errc::verifier_unavailable, name() + ": its service-state is \"" +
                                                      found->service_state + "\", expected \"" +
                                                      std::string(api::ready_state) + "\"");
  }
  if (!has_pinned_keys() && !found->result_key) {
    co_return failure(errc::verifier_protocol, name() + ": " + found->result_key.error().detail);
  }
  co_return result<void>();
}

asio::awaitable<result<void>> verifier_client::discover_once(steady_time deadline) {
  auto answer = co_await get_discovery(http_, deadline);
  if (!answer) {
    co_return answer.error();
  }
  auto found = api::parse_discovery(answer->body);
  if (!found) {
    co_return found.error();
  }
  http_.keep(std::move(answer->connection));
  if (!found->result_key) {
    co_return failure(errc::verifier_protocol, name() + ": " + found->result_key.error().detail);
  }
  keys_.set_current(std::make_shared<const jws_key>(std::move(*found->result_key)), now());
  if (!found->new_session_path.empty()) {
    new_session_path_ = http_.where().prefix + found->new_session_path;
  }
  const auto age = std::chrono::seconds(api::max_age(answer->cache_control).value_or(60));
  discovered_until_ =
      now() + std::clamp<std::chrono::seconds>(age, min_discovery_age, max_discovery_age);
  co_return result<void>();
}

}  // namespace atls
