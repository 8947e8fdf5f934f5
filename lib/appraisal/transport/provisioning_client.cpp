#include "appraisal/transport/provisioning_client.hpp"

#include "dialects/veraison/challenge_response.hpp"
#include "dialects/veraison/endorsement_provisioning.hpp"
#include "formats/json.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

namespace atls {

namespace asio = boost::asio;
namespace api = endorsement_provisioning;

namespace {

constexpr auto poll_interval = std::chrono::milliseconds(250);

// What a refusal says of itself: the detail of a problem document (RFC 7807).
std::string explanation(const http_reply& answer) {
  if (answer.content_type.starts_with(challenge_response::problem_type)) {
    const auto problem = parse_json(answer.body, errc::verifier_protocol);
    if (problem && problem->is_object()) {
      return ": " + string_member(*problem, "detail").value_or("");
    }
  }
  return "";
}

failure refused(const std::string& where, const http_reply& answer) {
  const auto why = where + ": status " + std::to_string(answer.status) + explanation(answer);
  if (answer.status >= 500) {
    return {errc::verifier_unavailable, why};
  }
  if (answer.status == 401 || answer.status == 403) {
    return {errc::provisioning_refused, why + "; is the Authorization that of a provisioner?"};
  }
  if (answer.status == 404 || answer.status == 405) {
    return {errc::provisioning_refused, why + "; is this the provisioning service?"};
  }
  if (answer.status == 415) {
    return {errc::provisioning_refused, why + "; is it of another release (--for)?"};
  }
  return {errc::provisioning_refused, why};
}

asio::awaitable<result<provisioning_outcome>> submit(http_client& http, std::string media_type,
                                                     bytes corim, steady_time deadline) {
  const auto where = http.where().origin();
  const auto target = http.where().prefix + std::string(api::submit_path);
  const std::string accept(api::session_type);
  http_request submission{"POST", target, accept, std::move(media_type), std::move(corim)};
  auto answer = co_await http.exchange(std::move(submission), deadline);
  std::string session_path;
  for (;;) {
    if (!answer) {
      co_return answer.error();
    }
    if (answer->status < 200 || answer->status > 202) {
      co_return refused(where, *answer);
    }
    const auto session = api::parse_session(answer->body);
    if (!session) {
      co_return session.error();
    }
    if (session->status == api::session_status::success) {
      co_return provisioning_outcome::accepted;
    }
    if (session->is_duplicate()) {
      co_return provisioning_outcome::duplicate;
    }
    if (session->status == api::session_status::failed) {
      co_return failure(errc::provisioning_refused, where + ": " + session->failure_reason);
    }
    if (session_path.empty() && answer->location.empty()) {
      co_return failure(errc::verifier_protocol, where + ": no Location of the session");
    }
    if (session_path.empty()) {
      auto named = http.where().resolve(target, answer->location);
      if (!named) {
        co_return named.error();
      }
      session_path = std::move(*named);
    }
    asio::steady_timer pause(co_await asio::this_coro::executor, poll_interval);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    if (std::chrono::steady_clock::now() >= deadline) {
      co_return failure(errc::verifier_timeout, where + ": still processing the endorsements");
    }
    http_request poll{"GET", session_path, accept, "", {}};
    answer = co_await http.exchange(std::move(poll), deadline);
  }
}

}  // namespace

result<provisioning_outcome> submit_endorsements(const http_options& to, std::string media_type,
                                                 bytes corim, std::chrono::milliseconds timeout) {
  asio::io_context io(1);
  http_client http(io, to);
  auto outcome = asio::co_spawn(io,
                                submit(http, std::move(media_type), std::move(corim),
                                       std::chrono::steady_clock::now() + timeout),
                                asio::use_future);
  io.run();
  return outcome.get();
}

}  // namespace atls
