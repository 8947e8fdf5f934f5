#include "verifier/verifier_client.hpp"

#include "evidence/challenge_response.hpp"
#include "evidence/json.hpp"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

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
  if (!from.result_key && !out.where.is_https) {
    throw error({errc::config_invalid, "verifier.url " + from.url +
                                           ": without \"result_key\" the key comes from the "
                                           "Verifier's discovery, which needs https"});
  }
  return out;
}

}  // namespace

verifier_client::verifier_client(asio::io_context& io, verifier_options options)
    : io_(io),
      http_(io, to_http(options)),
      has_configured_key_(options.result_key != nullptr),
      keys_(options.retired_key_grace),
      new_session_path_(http_.where().prefix + std::string(api::new_session_path)),
      discovered_(io) {
  if (has_configured_key_) {
    keys_.set_current(std::move(options.result_key), now());
  }
}

failure verifier_client::rejected(const http_reply& answer, const std::string& doing) const {
  return {errc::verifier_rejected, name() + ": " + doing + ": status " +
                                       std::to_string(answer.status) + " " +
                                       problem_detail(answer.content_type, answer.body)};
}

// Evidence is the peer's: what the Verifier makes of it, short of not answering, says nothing of
// the Verifier, or a peer could open the circuit for all others.
void verifier_client::note_outcome(const result<std::string>& outcome) {
  ++submissions_[outcome ? errc::ok : outcome.error().code];
  if (outcome) {
    breaker_.succeeded();
  } else if (outcome.error().code == errc::verifier_unavailable ||
             outcome.error().code == errc::verifier_timeout) {
    breaker_.failed(now());
  }
}

asio::awaitable<result<std::string>> verifier_client::submit(bytes nonce, std::string media_type,
                                                             bytes evidence, steady_time deadline) {
  auto session = co_await new_session(std::move(nonce), deadline);
  if (!session) {
    breaker_.failed(now());
    ++submissions_[session.error().code];
    co_return session.error();
  }
  if (std::ranges::find(session->accept, media_type) == session->accept.end()) {
    co_return failure(errc::verifier_evidence_type, name() + ": " + media_type);
  }
  auto token = co_await appraise(std::move(session->path), std::move(media_type),
                                 std::move(evidence), deadline);
  note_outcome(token);
  co_return token;
}

asio::awaitable<result<verifier_client::open_session>> verifier_client::new_session(
    bytes nonce, steady_time deadline) {
  if (!has_configured_key_) {
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
  auto path = api::resolve_location(created->location, target, name());
  if (!path) {
    co_return path.error();
  }
  co_return open_session{std::move(*path), std::move(session->accept)};
}

asio::awaitable<result<std::string>> verifier_client::appraise(std::string path,
                                                               std::string media_type,
                                                               bytes evidence,
                                                               steady_time deadline) {
  const std::string accept(api::session_type);
  http_request submission{"POST", path, accept, std::move(media_type), std::move(evidence)};
  auto answer = co_await http_.exchange(std::move(submission), deadline);
  for (;;) {
    if (!answer) {
      co_return answer.error();
    }
    if (answer->status != 200 && answer->status != 202) {
      co_return rejected(*answer, "Evidence");
    }
    auto session = api::parse_session(answer->body);
    if (!session) {
      co_return session.error();
    }
    if (session->status == api::session_status::complete) {
      co_return std::move(session->result);
    }
    if (session->status == api::session_status::failed) {
      co_return rejected(*answer, "the session failed");
    }
    asio::steady_timer pause(io_, poll_interval);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    if (now() >= deadline) {
      co_return failure(errc::verifier_timeout, name() + ": still appraising");
    }
    http_request poll{"GET", path, accept, "", {}};
    answer = co_await http_.exchange(std::move(poll), deadline);
  }
}

asio::awaitable<result<result_keys::list>> verifier_client::keys(steady_time deadline) {
  if (!has_configured_key_ && now() >= discovered_until_) {
    const auto discovered = co_await discover(deadline);
    // A Verifier that does not answer this once has the keys it had, retired or not.
    if (!discovered && keys_.usable(now()).empty()) {
      co_return discovered.error();
    }
  }
  co_return keys_.usable(now());
}

asio::awaitable<result<result_keys::list>> verifier_client::newer_keys(steady_time deadline) {
  if (!has_configured_key_ && now() >= last_discovery_ + discovery_retry) {
    const auto discovered = co_await discover(deadline);
    if (!discovered) {
      co_return discovered.error();
    }
  }
  co_return keys_.usable(now());
}

asio::awaitable<result<void>> verifier_client::discover(steady_time deadline) {
  if (is_discovering_) {
    co_await discovered_.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return keys_.usable(now()).empty()
        ? result<void>(failure(errc::verifier_unavailable, name() + ": discovery failed"))
        : result<void>();
  }
  is_discovering_ = true;
  discovered_.expires_at(steady_time::max());
  auto outcome = co_await discover_once(deadline);
  is_discovering_ = false;
  last_discovery_ = now();
  discovered_.cancel();
  co_return outcome;
}

asio::awaitable<result<http_reply>> verifier_client::get_discovery(steady_time deadline) {
  http_request request{"GET",
                       http_.where().prefix + std::string(api::discovery_path),
                       std::string(api::discovery_type),
                       "",
                       {}};
  co_return co_await http_.exchange(std::move(request), deadline);
}

asio::awaitable<result<void>> verifier_client::reach(steady_time deadline) {
  const auto answer = co_await get_discovery(deadline);
  co_return answer ? result<void>() : result<void>(answer.error());
}

asio::awaitable<result<void>> verifier_client::discover_once(steady_time deadline) {
  auto answer = co_await get_discovery(deadline);
  if (!answer) {
    co_return answer.error();
  }
  if (answer->status != 200) {
    co_return rejected(*answer, "discovery");
  }
  auto found = api::parse_discovery(answer->body);
  if (!found) {
    co_return found.error();
  }
  keys_.set_current(std::make_shared<const jws_key>(std::move(found->result_key)), now());
  if (!found->new_session_path.empty()) {
    new_session_path_ = http_.where().prefix + found->new_session_path;
  }
  const auto age = std::chrono::seconds(api::max_age(answer->cache_control).value_or(60));
  discovered_until_ =
      now() + std::clamp<std::chrono::seconds>(age, min_discovery_age, max_discovery_age);
  co_return result<void>();
}

}  // namespace atls
