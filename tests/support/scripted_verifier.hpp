// A Verifier that answers as a test says, byte for byte.
#pragma once

#include "core/wait.hpp"
#include "formats/json.hpp"
#include "schemes/parsec_tpm/evidence.hpp"

#include <atomic>
#include <functional>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

namespace atls::test {

/// Serves on 127.0.0.1, on the thread of its io_context.
class scripted_verifier {
 public:
  struct answer {
    std::string bytes;
    std::chrono::milliseconds after{0};
  };
  /// Of the request's target.
  using script = std::function<answer(const std::string& target)>;

  scripted_verifier(boost::asio::io_context& io, script says)
      : io_(io),
        listening_(io, {boost::asio::ip::address_v4::loopback(), 0}),
        says_(std::move(says)) {
    boost::asio::co_spawn(io, accept(), boost::asio::detached);
  }

  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(listening_.local_endpoint().port());
  }
  int connections() const noexcept { return connections_; }

  static std::string http(const std::string& status, const std::string& body = "",
                          const std::string& headers = "") {
    return "HTTP/1.1 " + status + "\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  /// What an honest one says: every nonce gets its session, and all Evidence the result "a.b.c".
  static answer honest(const std::string& target) {
    if (const auto query = target.find("?nonce="); query != target.npos) {
      const auto nonce = target.substr(query + 7);
      return {
          http("201 Created", session(nonce, "waiting"), "Location: session/" + nonce + "\r\n")};
    }
    if (target.starts_with("/.well-known/")) {
      return {http("200 OK", R"({"service-state":"READY"})")};
    }
    return {http("200 OK", session(target.substr(target.rfind('/') + 1), "complete"))};
  }

  static std::string session(std::string nonce, const std::string& status) {
    while (nonce.ends_with("%3D")) {
      nonce.resize(nonce.size() - 3);
    }
    json out{{"status", status},
             {"nonce", nonce},
             {"accept", {"application/x", parsec_tpm_evidence::media_type}}};
    if (status == "complete") {
      out["result"] = "a.b.c";
    }
    return out.dump();
  }

 private:
  using tcp = boost::asio::ip::tcp;

  boost::asio::awaitable<void> accept() {
    for (;;) {
      tcp::socket peer = co_await listening_.async_accept(boost::asio::use_awaitable);
      ++connections_;
      boost::asio::co_spawn(io_, serve(std::move(peer)), boost::asio::detached);
    }
  }

  boost::asio::awaitable<void> serve(tcp::socket peer) {
    namespace http = boost::beast::http;
    boost::beast::flat_buffer buffer;
    for (;;) {
      http::request<http::string_body> asked;
      co_await http::async_read(peer, buffer, asked, boost::asio::use_awaitable);
      const auto say = says_(std::string(asked.target()));
      boost::asio::steady_timer pause(io_, say.after);
      co_await pause.async_wait(boost::asio::use_awaitable);
      co_await boost::asio::async_write(peer, boost::asio::buffer(say.bytes),
                                        boost::asio::use_awaitable);
    }
  }

  boost::asio::io_context& io_;
  tcp::acceptor listening_;
  script says_;
  std::atomic<int> connections_ = 0;
};

}  // namespace atls::test
