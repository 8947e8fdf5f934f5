#include "atlsd/admin.hpp"

#include "atlsd/admin_documents.hpp"
#include "atlsd/http_listener.hpp"
#include "core/attempt.hpp"

#include <array>
#include <sys/stat.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http.hpp>
#include <spdlog/spdlog.h>

namespace atls {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using proxy::awaitable;
using proxy::resume_with;

using request = http_listener::request;
using response = http_listener::response;

constexpr auto max_silence = std::chrono::seconds(10);
constexpr const char* json_type = "application/json";
constexpr const char* text_type = "text/plain; charset=utf-8";
constexpr const char* metrics_type = "text/plain; version=0.0.4; charset=utf-8";

response answer(http::status status, const char* type, std::string body) {
  response out{status, 11};
  out.set(http::field::content_type, type);
  out.set(http::field::cache_control, "no-store");
  out.body() = std::move(body);
  return out;
}

response answer(const json& document) {
  return answer(http::status::ok, json_type, document.dump(2) + "\n");
}

response refusal(http::status status, const std::string& why) {
  return answer(status, json_type, json{{"error", why}}.dump() + "\n");
}

// A name that only this host means itself by. Any other may be a web page's own, pointed here
// afterwards (DNS rebinding).
bool is_for_this_host(const request& from) {
  if (from.count(http::field::host) != 1) {
    return false;
  }
  const std::string host(from[http::field::host]);
  auto named = proxy::address::parse_target(host);
  if (!named) {
    named = proxy::address::parse_target(host + ":80");
  }
  return named && named->kind == proxy::address::scheme::tcp && named->is_local();
}

}  // namespace

class admin::server {
 public:
  server(const config::admin_settings& from, proxy::listener::beside other) {
    const auto listen = [&](const char* name, const proxy::address& at, access to) {
      constexpr mode_t owner_only = S_IRUSR | S_IWUSR;
      auto& one = listeners_.emplace_back(
          std::make_unique<proxy::listener>(name, at, false, 1, other, owner_only));
      for (auto& opened : one->open(io_.get_executor(), 0)) {
        http_listeners_.push_back(std::make_shared<http_listener>(
            std::move(opened),
            [this, to](request asked) { return respond(std::move(asked), to); }));
      }
      one->start();
    };
    const bool is_unix = from.listen.kind == proxy::address::scheme::unix_socket;
    listen("admin.listen", from.listen, is_unix ? access::all : access::all_over_ip);
    if (from.metrics_listen) {
      listen("admin.metrics_listen", *from.metrics_listen, access::health);
    }
  }

  void start(const state& of, const readiness& ready, std::shared_ptr<prometheus::Registry> counted,
             admin_commands commands) {
    state_ = &of;
    ready_ = &ready;
    metrics_ = std::make_unique<metrics>(std::move(counted), of, ready);
    commands_ = std::move(commands);
    for (const auto& one : http_listeners_) {
      one->start();
    }
    thread_ = std::thread([this] {
      const auto work = asio::make_work_guard(io_);
      run_to_the_end(io_);
    });
  }

  ~server() {
    io_.stop();
    if (thread_.joinable()) {
      thread_.join();
    }
  }

 private:
  /// What a listener is for.
  enum class access { all, all_over_ip, health };

  struct route {
    const char* path;
    http::verb method;
    bool is_for_everybody;
    awaitable<response> (server::*run)(const request& from);
  };

  awaitable<response> respond(request from, access to) {
    static constexpr std::array routes = {
        route{"/livez", http::verb::get, true, &server::livez},
        route{"/readyz", http::verb::get, true, &server::readyz},
        route{"/metrics", http::verb::get, true, &server::metrics_text},
        route{"/status", http::verb::get, false, &server::status},
        route{"/config", http::verb::get, false, &server::configuration},
        route{"/attestation", http::verb::get, false, &server::attestation},
        route{"/reload", http::verb::post, false, &server::reload},
        route{"/drain", http::verb::post, false, &server::drain},
        route{"/quitquitquit", http::verb::post, false, &server::quit},
        route{"/log-level", http::verb::post, false, &server::log_level}};
    const std::string path(from.target().substr(0, from.target().find('?')));
    const auto* found =
        std::ranges::find_if(routes, [&](const route& one) { return path == one.path; });
    if (found == routes.end() || (to == access::health && !found->is_for_everybody)) {
      co_return refusal(http::status::not_found, "there is no " + path);
    }
    // A web page that somebody on this host looks at must neither command nor read.
    if (from.count(http::field::origin) != 0) {
      co_return refusal(http::status::forbidden, "requests of web pages are not answered");
    }
    if (to == access::all_over_ip && !is_for_this_host(from)) {
      co_return refusal(http::status::forbidden,
                        "found Host \"" + std::string(from[http::field::host]) +
                            "\", expected a loopback address or localhost");
    }
    if (from.method() != found->method) {
      auto out = refusal(http::status::method_not_allowed,
                         path + " is for " + std::string(http::to_string(found->method)));
      out.set(http::field::allow, http::to_string(found->method));
      co_return out;
    }
    response out;
    try {
      out = co_await (this->*found->run)(from);
    } catch (const std::exception& e) {
      out = refusal(http::status::internal_server_error, e.what());
    }
    co_return out;
  }

  awaitable<response> livez(const request&) {
    const auto silence = commands_.silence();
    if (silence > max_silence) {
      co_return answer(
          http::status::service_unavailable, text_type,
          "an I/O thread has been silent for " + std::to_string(silence.count()) + " ms\n");
    }
    co_return answer(http::status::ok, text_type, "ok\n");
  }

  awaitable<response> readyz(const request&) {
    const auto why_not = ready_->why_not();
    co_return why_not.empty()
        ? answer(http::status::ok, text_type, "ok\n")
        : answer(http::status::service_unavailable, text_type, why_not + "\n");
  }

  awaitable<response> metrics_text(const request&) {
    co_return answer(http::status::ok, metrics_type, metrics_->collect(commands_.half_open()));
  }

  awaitable<response> status(const request&) {
    co_return answer(
        status_document(state_->get(), ready_->why_not(), commands_.open_connections()));
  }

  awaitable<response> configuration(const request&) {
    co_return answer(configuration_document(state_->get()));
  }

  awaitable<response> attestation(const request&) {
    co_return answer(attestation_document(state_->get()));
  }

  awaitable<response> reload(const request&) {
    struct waiting {
      proxy::timer until_done;
      result<void> outcome;
    };
    const auto shared = std::make_shared<waiting>(
        waiting{proxy::timer(io_.get_executor(), steady_time::max()), result<void>()});
    commands_.reload([this, shared](result<void> outcome) {
      asio::post(io_, [shared, outcome = std::move(outcome)] {
        shared->outcome = outcome;
        shared->until_done.expires_at(steady_time::min());
      });
    });
    error_code ignored;
    co_await shared->until_done.async_wait(resume_with(ignored));
    if (!shared->outcome) {
      co_return refusal(http::status::conflict, shared->outcome.error().text());
    }
    co_return answer(json{{"reloaded", true}});
  }

  awaitable<response> drain(const request&) {
    commands_.drain();
    co_return answer(http::status::accepted, json_type, "{\"draining\": true}\n");
  }

  awaitable<response> quit(const request&) {
    commands_.quit();
    co_return answer(http::status::accepted, json_type, "{\"quitting\": true}\n");
  }

  awaitable<response> log_level(const request& from) {
    const auto& wanted = from.body();
    const auto level = spdlog::level::from_str(wanted);
    if (level == spdlog::level::off) {
      co_return refusal(http::status::bad_request,
                        "found \"" + wanted + "\", expected debug, info, warn or error");
    }
    spdlog::set_level(level);
    co_return answer(json{{"log_level", wanted}});
  }

  asio::io_context io_{1};
  std::vector<std::unique_ptr<proxy::listener>> listeners_;
  std::vector<std::shared_ptr<http_listener>> http_listeners_;
  const state* state_ = nullptr;
  const readiness* ready_ = nullptr;
  std::unique_ptr<metrics> metrics_;
  admin_commands commands_;
  std::thread thread_;
};

admin::admin(const config::admin_settings& from, proxy::listener::beside other) {
  if (!from.enabled) {
    return;
  }
  try {
    server_ = std::make_unique<server>(from, other);
  } catch (const error&) {
    if (!from.is_default) {
      throw;
    }
  }
}

admin::~admin() = default;

bool admin::is_listening() const noexcept {
  return server_ != nullptr;
}

void admin::start(const state& of, const readiness& ready,
                  std::shared_ptr<prometheus::Registry> counted, admin_commands commands) {
  if (server_) {
    server_->start(of, ready, std::move(counted), std::move(commands));
  }
}

}  // namespace atls
