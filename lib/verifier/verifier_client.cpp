#include "verifier/verifier_client.hpp"

#include "evidence/challenge_response.hpp"
#include "evidence/json.hpp"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

namespace atls {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr std::size_t max_idle_connections = 64;
constexpr std::size_t max_body_bytes = 256 * 1024;
constexpr std::uint32_t max_header_bytes = 16 * 1024;
constexpr auto idle_lifetime = std::chrono::seconds(20);
constexpr auto poll_interval = std::chrono::milliseconds(250);

failure transport_failure(const std::string& where, const std::string& doing, error_code ec) {
  if (ec == beast::error::timeout) {
    return {errc::verifier_timeout, where + ": " + doing};
  }
  const bool is_protocol =
      ec.category() == http::make_error_code(http::error::bad_version).category() &&
      ec != http::error::end_of_stream && ec != http::error::partial_message;
  return {is_protocol ? errc::verifier_protocol : errc::verifier_unavailable,
          where + ": " + doing + ": " + ec.message()};
}

// What a refusal says of itself: the detail of a problem document (RFC 7807), nothing otherwise.
std::string problem_detail(std::string_view content_type, std::string_view body) {
  if (!content_type.starts_with(challenge_response::problem_type)) {
    return {};
  }
  const auto problem = parse_json(body, errc::verifier_protocol);
  return problem && problem->is_object() ? string_member(*problem, "detail").value_or("") : "";
}

}  // namespace

struct verifier_client::reply {
  unsigned status = 0;
  std::string content_type;
  std::string location;
  std::string body;
};

// One HTTP/1.1 connection, plain or TLS.
class verifier_client::connection {
 public:
  connection(asio::io_context& io, asio::ssl::context& tls, bool is_https)
      : stream_(io, tls), is_https_(is_https) {}

  asio::awaitable<error_code> open(tcp::resolver::results_type addresses, std::string host,
                                   steady_time deadline) {
    error_code ec;
    lowest().expires_at(deadline);
    co_await lowest().async_connect(addresses, asio::redirect_error(asio::use_awaitable, ec));
    if (ec) {
      co_return ec;
    }
    lowest().socket().set_option(tcp::no_delay(true), ec);
    if (!is_https_) {
      co_return error_code();
    }
    error_code not_an_address;
    asio::ip::make_address(host, not_an_address);
    if (not_an_address) {
      SSL_set_tlsext_host_name(stream_.native_handle(), host.c_str());
    }
    stream_.set_verify_callback(asio::ssl::host_name_verification(host));
    co_await stream_.async_handshake(asio::ssl::stream_base::client,
                                     asio::redirect_error(asio::use_awaitable, ec));
    co_return ec;
  }

  asio::awaitable<error_code> exchange(const http::request<http::string_body>& request,
                                       http::response_parser<http::string_body>& parser,
                                       steady_time deadline) {
    lowest().expires_at(deadline);
    error_code ec;
    if (is_https_) {
      co_await http::async_write(stream_, request, asio::redirect_error(asio::use_awaitable, ec));
      if (!ec) {
        co_await http::async_read(stream_, buffer_, parser,
                                  asio::redirect_error(asio::use_awaitable, ec));
      }
    } else {
      co_await http::async_write(lowest(), request, asio::redirect_error(asio::use_awaitable, ec));
      if (!ec) {
        co_await http::async_read(lowest(), buffer_, parser,
                                  asio::redirect_error(asio::use_awaitable, ec));
      }
    }
    was_used_ = true;
    last_used_ = std::chrono::steady_clock::now();
    co_return ec;
  }

  bool was_used() const noexcept { return was_used_; }
  bool is_fresh() const noexcept {
    return std::chrono::steady_clock::now() - last_used_ < idle_lifetime;
  }

 private:
  beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream_); }

  beast::ssl_stream<beast::tcp_stream> stream_;
  beast::flat_buffer buffer_;
  bool is_https_;
  bool was_used_ = false;
  steady_time last_used_;
};

verifier_client::verifier_client(asio::io_context& io, url where, const std::string& ca_file)
    : io_(io), where_(std::move(where)), tls_(asio::ssl::context::tls_client) {
  error_code ec;
  SSL_CTX_set_min_proto_version(tls_.native_handle(), TLS1_2_VERSION);
  tls_.set_verify_mode(asio::ssl::verify_peer);
  if (ca_file.empty()) {
    tls_.set_default_verify_paths(ec);
  } else {
    tls_.load_verify_file(ca_file, ec);
  }
  if (ec) {
    throw error({errc::config_invalid, "verifier.ca \"" + ca_file + "\": " + ec.message() +
                                           "; expected a PEM file of certificates"});
  }
}

verifier_client::~verifier_client() = default;

void verifier_client::keep(std::unique_ptr<connection> used) {
  if (used && idle_.size() < max_idle_connections) {
    idle_.push_back(std::move(used));
  }
}

asio::awaitable<result<std::unique_ptr<verifier_client::connection>>> verifier_client::connect(
    steady_time deadline) {
  using namespace asio::experimental::awaitable_operators;
  tcp::resolver resolver(io_);
  asio::steady_timer timer(io_, deadline);
  auto resolved = co_await (
      resolver.async_resolve(where_.host, where_.port, asio::as_tuple(asio::use_awaitable)) ||
      timer.async_wait(asio::as_tuple(asio::use_awaitable)));
  if (resolved.index() == 1) {
    co_return failure(errc::verifier_timeout, "resolving " + where_.host);
  }
  auto& [resolve_error, addresses] = std::get<0>(resolved);
  if (resolve_error) {
    co_return failure(errc::verifier_unavailable,
                      "cannot resolve " + where_.host + ": " + resolve_error.message());
  }
  auto out = std::make_unique<connection>(io_, tls_, where_.is_https);
  const error_code ec = co_await out->open(addresses, where_.host, deadline);
  if (ec) {
    co_return transport_failure(where_.origin(), "connecting", ec);
  }
  co_return out;
}

asio::awaitable<result<verifier_client::reply>> verifier_client::request(
    std::unique_ptr<connection>& on, std::string method, std::string target,
    std::string content_type, bytes body, steady_time deadline) {
  http::request<http::string_body> message;
  message.method_string(method);
  message.target(target);
  message.version(11);
  message.set(http::field::host, where_.authority());
  message.set(http::field::user_agent, "atlsd");
  message.set(http::field::accept, std::string(challenge_response::session_type));
  if (!content_type.empty()) {
    message.set(http::field::content_type, content_type);
  }
  message.body() = as_text(body);
  message.prepare_payload();

  for (;;) {
    if (!on) {
      auto opened = co_await connect(deadline);
      if (!opened) {
        co_return opened.error();
      }
      on = std::move(*opened);
    }
    // The Verifier may have closed an idle connection just now; that is no failure of its own.
    const bool may_be_stale = on->was_used();
    http::response_parser<http::string_body> parser;
    parser.body_limit(max_body_bytes);
    parser.header_limit(max_header_bytes);
    ++requests_;
    const error_code ec = co_await on->exchange(message, parser, deadline);
    if (ec) {
      on.reset();
      if (may_be_stale && ec != beast::error::timeout && !parser.got_some()) {
        continue;
      }
      co_return transport_failure(where_.origin(), method + " " + target, ec);
    }
    const auto& answer = parser.get();
    reply out{answer.result_int(), std::string(answer[http::field::content_type]),
              std::string(answer[http::field::location]), answer.body()};
    if (!answer.keep_alive()) {
      on.reset();
    }
    co_return out;
  }
}

asio::awaitable<result<std::string>> verifier_client::submit(bytes nonce, std::string media_type,
                                                             bytes evidence, steady_time deadline) {
  namespace api = challenge_response;
  std::unique_ptr<connection> on;
  while (!on && !idle_.empty()) {
    on = std::move(idle_.back());
    idle_.pop_back();
    if (!on->is_fresh()) {
      on.reset();
    }
  }

  const std::string target = api::new_session_target(where_.prefix, nonce);
  auto created = co_await request(on, "POST", target, "", {}, deadline);
  if (!created) {
    co_return created.error();
  }
  const auto rejected = [this](const reply& answer, const std::string& doing) {
    return failure(errc::verifier_rejected, where_.origin() + ": " + doing + ": status " +
                                                std::to_string(answer.status) + " " +
                                                problem_detail(answer.content_type, answer.body));
  };
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
  if (std::ranges::find(session->accept, media_type) == session->accept.end()) {
    co_return failure(errc::verifier_evidence_type, media_type);
  }
  auto path = api::resolve_location(created->location, target, where_.origin());
  if (!path) {
    co_return path.error();
  }

  auto answer = co_await request(on, "POST", *path, media_type, std::move(evidence), deadline);
  for (;;) {
    if (!answer) {
      co_return answer.error();
    }
    if (answer->status != 200 && answer->status != 202) {
      co_return rejected(*answer, "Evidence");
    }
    session = api::parse_session(answer->body);
    if (!session) {
      co_return session.error();
    }
    if (session->status == api::session_status::complete) {
      break;
    }
    if (session->status == api::session_status::failed) {
      co_return rejected(*answer, "the session failed");
    }
    asio::steady_timer pause(io_, poll_interval);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    if (std::chrono::steady_clock::now() >= deadline) {
      co_return failure(errc::verifier_timeout, where_.origin() + ": still appraising");
    }
    answer = co_await request(on, "GET", *path, "", {}, deadline);
  }
  keep(std::move(on));
  co_return std::move(session->result);
}

}  // namespace atls
