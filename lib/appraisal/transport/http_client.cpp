#include "appraisal/transport/http_client.hpp"

#include "core/certificate_names.hpp"

#include <optional>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

namespace atls {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

namespace {

constexpr std::size_t max_idle_connections = 64;
constexpr std::size_t max_body_bytes = 256 * 1024;
constexpr std::uint32_t max_header_bytes = 16 * 1024;
constexpr int max_interim_answers = 16;
constexpr auto idle_lifetime = std::chrono::seconds(20);

using request_message = http::request<http::string_body>;
using answer_parser = http::response_parser<http::string_body>;

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

request_message to_message(const http_request& from, const http_options& options) {
  request_message out;
  out.method_string(from.method);
  out.target(from.target);
  out.version(11);
  out.set(http::field::host, options.where.authority());
  out.set(http::field::user_agent, "atlsd");
  out.set(http::field::accept, from.accept);
  if (!options.authorization.empty()) {
    out.set(http::field::authorization, options.authorization);
  }
  if (!from.content_type.empty()) {
    out.set(http::field::content_type, from.content_type);
  }
  if (!from.cookie.empty()) {
    out.set(http::field::cookie, from.cookie);
  }
  for (const auto& [name, value] : from.fields) {
    out.set(name, value);
  }
  out.body() = as_text(from.body);
  out.prepare_payload();
  return out;
}

// Asio's own host_name_verification would be content with a subject of that name.
auto is_leaf_for(std::string host) {
  return [host = std::move(host)](bool is_trusted, asio::ssl::verify_context& context) {
    auto* const store = context.native_handle();
    const bool is_leaf = X509_STORE_CTX_get_error_depth(store) == 0;
    return is_trusted &&
           (!is_leaf || is_certificate_for(X509_STORE_CTX_get_current_cert(store), host));
  };
}

// RFC 9110 section 15.2; 101 is none: the connection would speak another protocol.
bool is_interim(unsigned status) {
  return status / 100 == 1 && status != 101;
}

}  // namespace

// One HTTP/1.1 connection, plain or TLS.
class http_connection {
 public:
  http_connection(asio::io_context& io, asio::ssl::context& tls, bool is_https)
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
    stream_.set_verify_callback(is_leaf_for(host));
    co_await stream_.async_handshake(asio::ssl::stream_base::client,
                                     asio::redirect_error(asio::use_awaitable, ec));
    co_return ec;
  }

  // Leaves the final answer in `answer`.
  asio::awaitable<error_code> exchange(const request_message& request,
                                       std::optional<answer_parser>& answer, steady_time deadline) {
    lowest().expires_at(deadline);
    has_answered_ = false;
    error_code ec;
    if (is_https_) {
      ec = co_await exchange_on(stream_, request, answer);
    } else {
      ec = co_await exchange_on(lowest(), request, answer);
    }
    was_used_ = true;
    last_used_ = std::chrono::steady_clock::now();
    co_return ec;
  }

  bool was_used() const noexcept { return was_used_; }
  // With anything at all, since the request was sent.
  bool has_answered() const noexcept { return has_answered_; }

  // Whether all that has come was asked for, as far as it is known here.
  bool is_drained() const noexcept { return buffer_.size() == 0; }

  // Whether it still waits for a request: nothing has come since, an end included. What TLS says
  // of its own accord (session tickets) is taken in.
  bool is_quiet() {
    char unasked = 0;
    error_code ec;
    lowest().socket().non_blocking(true, ec);
    if (is_https_) {
      stream_.read_some(asio::buffer(&unasked, 1), ec);
    } else {
      lowest().read_some(asio::buffer(&unasked, 1), ec);
    }
    const bool is_fresh = std::chrono::steady_clock::now() - last_used_ < idle_lifetime;
    return ec == asio::error::would_block && is_fresh;
  }

 private:
  template <class Stream>
  asio::awaitable<error_code> exchange_on(Stream& stream, const request_message& request,
                                          std::optional<answer_parser>& answer) {
    error_code ec;
    co_await http::async_write(stream, request, asio::redirect_error(asio::use_awaitable, ec));
    for (int answers = 0; !ec && answers <= max_interim_answers; ++answers) {
      answer.emplace();
      answer->body_limit(max_body_bytes);
      answer->header_limit(max_header_bytes);
      co_await http::async_read(stream, buffer_, *answer,
                                asio::redirect_error(asio::use_awaitable, ec));
      has_answered_ = has_answered_ || answer->got_some();
      if (ec || !is_interim(answer->get().result_int())) {
        co_return ec;
      }
    }
    co_return ec ? ec : http::make_error_code(http::error::bad_status);
  }

  beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream_); }

  beast::ssl_stream<beast::tcp_stream> stream_;
  beast::flat_buffer buffer_;
  bool is_https_;
  bool was_used_ = false;
  bool has_answered_ = false;
  steady_time last_used_;
};

http_client::http_client(asio::io_context& io, http_options options)
    : io_(io),
      options_(std::move(options)),
      tls_(std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client)) {
  const auto use = [](const char* what, const std::string& file, error_code ec) {
    if (ec) {
      throw error({errc::config_invalid, std::string("verifier.") + what + " \"" + file +
                                             "\": " + ec.message() + "; expected a PEM file"});
    }
  };
  if (!options_.where.is_https) {
    return;
  }
  error_code ec;
  SSL_CTX_set_min_proto_version(tls_->native_handle(), TLS1_2_VERSION);
  tls_->set_verify_mode(asio::ssl::verify_peer);
  if (options_.ca_file.empty()) {
    tls_->set_default_verify_paths(ec);
  } else {
    tls_->load_verify_file(options_.ca_file, ec);
  }
  use("ca", options_.ca_file, ec);
  if (!options_.certificate_file.empty()) {
    tls_->use_certificate_chain_file(options_.certificate_file, ec);
    use("certificate", options_.certificate_file, ec);
    tls_->use_private_key_file(options_.key_file, asio::ssl::context::pem, ec);
    use("key", options_.key_file, ec);
  }
}

http_client::http_client(asio::io_context& io, const http_client& like)
    : io_(io), options_(like.options_), tls_(like.tls_) {}

http_client::~http_client() = default;

std::shared_ptr<http_connection> http_client::take_idle() {
  while (!idle_.empty()) {
    auto out = std::move(idle_.back());
    idle_.pop_back();
    if (out->is_quiet()) {
      return out;
    }
  }
  return nullptr;
}

void http_client::keep(std::shared_ptr<http_connection> connection) {
  if (connection && idle_.size() < max_idle_connections) {
    idle_.push_back(std::move(connection));
  }
}

asio::awaitable<result<std::shared_ptr<http_connection>>> http_client::connect(
    steady_time deadline) {
  using namespace asio::experimental::awaitable_operators;
  tcp::resolver resolver(io_);
  asio::steady_timer timer(io_, deadline);
  auto resolved = co_await (resolver.async_resolve(options_.where.host, options_.where.port,
                                                   asio::as_tuple(asio::use_awaitable)) ||
                            timer.async_wait(asio::as_tuple(asio::use_awaitable)));
  if (resolved.index() == 1) {
    co_return failure(errc::verifier_timeout, "resolving " + options_.where.host);
  }
  auto& [resolve_error, addresses] = std::get<0>(resolved);
  if (resolve_error) {
    co_return failure(errc::verifier_unavailable,
                      "cannot resolve " + options_.where.host + ": " + resolve_error.message());
  }
  auto out = std::make_shared<http_connection>(io_, *tls_, options_.where.is_https);
  const error_code ec = co_await out->open(addresses, options_.where.host, deadline);
  if (ec) {
    co_return transport_failure(options_.where.origin(), "connecting", ec);
  }
  co_return out;
}

asio::awaitable<result<received_reply>> http_client::exchange(http_request request,
                                                              steady_time deadline) {
  const auto message = to_message(request, options_);
  auto on = take_idle();
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
    std::optional<answer_parser> parser;
    ++requests_;
    const error_code ec = co_await on->exchange(message, parser, deadline);
    if (ec) {
      if (may_be_stale && ec != beast::error::timeout && !on->has_answered()) {
        on.reset();
        continue;
      }
      co_return transport_failure(options_.where.origin(), request.method + " " + request.target,
                                  ec);
    }
    auto& answer = parser->get();
    received_reply out;
    out.reply = {answer.result_int(),
                 std::string(answer[http::field::content_type]),
                 std::string(answer[http::field::location]),
                 std::string(answer[http::field::cache_control]),
                 std::move(answer.body()),
                 std::string(answer[http::field::set_cookie])};
    if (answer.keep_alive() && on->is_drained()) {
      out.connection = std::move(on);
    }
    co_return out;
  }
}

}  // namespace atls
