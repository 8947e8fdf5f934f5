// atls status, reload, drain: what a running atlsd is told through its admin endpoint.
#include "atls/commands.hpp"
#include "core/error.hpp"
#include "formats/json.hpp"
#include "proxy/address.hpp"

#include <chrono>
#include <iostream>
#include <sys/socket.h>
#include <thread>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace atls {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr std::string_view default_endpoint = "unix:/run/atlsd/admin.sock";

struct reply {
  http::status status;
  std::string body;
};

class endpoint {
 public:
  explicit endpoint(const std::string& where)
      : where_(where), address_(proxy::address::parse_target(where).value()) {}

  reply ask(http::verb method, const char* path) {
    asio::io_context io;
    asio::generic::stream_protocol::socket socket(io);
    error_code ec;
    connect(socket, io, ec);
    // A reload may wait for a TPM; nothing here takes longer.
    const timeval patience{.tv_sec = 60, .tv_usec = 0};
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    http::request<http::string_body> request{method, path, 11};
    request.set(http::field::host,
                address_.kind == proxy::address::scheme::tcp ? address_.text() : "localhost");
    request.prepare_payload();
    beast::flat_buffer buffer;
    http::response<http::string_body> response;
    if (!ec) {
      http::write(socket, request, ec);
    }
    if (!ec) {
      http::read(socket, buffer, response, ec);
    }
    if (ec) {
      throw error({errc::target_unreachable, "the admin endpoint " + where_ + ": " + ec.message()});
    }
    return {response.result(), response.body()};
  }

 private:
  void connect(asio::generic::stream_protocol::socket& socket, asio::io_context& io,
               error_code& ec) {
    if (const auto known = address_.numeric()) {
      socket.connect(*known, ec);
      return;
    }
    asio::ip::tcp::resolver resolver(io);
    for (const auto& one : resolver.resolve(address_.host, address_.port, ec)) {
      socket.close(ec);
      socket.connect(one.endpoint(), ec);
      if (!ec) {
        return;
      }
    }
  }

  const std::string where_;
  const proxy::address address_;
};

constexpr int yes = 0;
constexpr int no = 1;

// What was refused is said on standard error.
int exit_code_of(const reply& from) {
  if (http::to_status_class(from.status) == http::status_class::successful) {
    return yes;
  }
  const auto document = parse_json(from.body, errc::internal);
  std::cerr << "atls: "
            << (document && document->is_object()
                    ? string_member(*document, "error").value_or(from.body)
                    : from.body)
            << '\n';
  return no;
}

int show_status(endpoint at, bool only_readiness) {
  const auto ready = at.ask(http::verb::get, "/readyz");
  std::cout << (only_readiness ? ready.body : at.ask(http::verb::get, "/status").body);
  return ready.status == http::status::ok ? yes : no;
}

int drain(endpoint at, std::chrono::seconds patience) {
  if (exit_code_of(at.ask(http::verb::post, "/drain")) != yes) {
    return no;
  }
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const auto now = parse_json(at.ask(http::verb::get, "/status").body, errc::internal).value();
    const auto open = integral(now["open_connections"]).value_or(0);
    if (open == 0) {
      return yes;
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      std::cerr << "atls: " << open << " connections are still open\n";
      return no;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

struct added {
  CLI::App* command;
  std::shared_ptr<std::string> where = std::make_shared<std::string>(default_endpoint);
};

added add(CLI::App& app, const char* name, const char* what) {
  added out{app.add_subcommand(name, what)};
  out.command->add_option("--admin", *out.where, "atlsd's admin endpoint")->capture_default_str();
  return out;
}

}  // namespace

command add_status(CLI::App& app) {
  const auto made = add(app, "status", "what a running atlsd says of itself; exit code 0: ready");
  const auto only_readiness = std::make_shared<bool>(false);
  made.command->add_flag("--ready", *only_readiness, "only whether it is ready, for probes");
  return {made.command, [=] { return show_status(endpoint(*made.where), *only_readiness); }};
}

command add_reload(CLI::App& app) {
  const auto made = add(app, "reload", "have configuration, keys and certificates read again");
  return {made.command,
          [=] { return exit_code_of(endpoint(*made.where).ask(http::verb::post, "/reload")); }};
}

command add_drain(CLI::App& app) {
  const auto made =
      add(app, "drain", "have it accept no more, and wait for the connections to end");
  const auto patience = std::make_shared<unsigned>(25);
  made.command
      ->add_option("--wait", *patience, "seconds; exit code 1 if connections are left by then")
      ->capture_default_str();
  return {made.command,
          [=] { return drain(endpoint(*made.where), std::chrono::seconds(*patience)); }};
}

}  // namespace atls
