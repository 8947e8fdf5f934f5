// The sockets that tunnels listen on.
#pragma once

#include "proxy/tunnel.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>

namespace atls::proxy {

using acceptor = boost::asio::basic_socket_acceptor<stream_protocol, executor>;

/// Opens a tunnel's listen address once for all threads. TCP: each thread has its own socket
/// (SO_REUSEPORT). Unix sockets and those that the service manager passed are shared.
class listener {
 public:
  /// Throws atls::error naming the tunnel and what is wrong with its address.
  explicit listener(std::shared_ptr<const tunnel> through);
  /// Removes the file of a unix socket.
  ~listener();
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;

  const std::shared_ptr<const tunnel>& through() const noexcept { return through_; }
  /// For one thread; throws as the constructor does.
  std::vector<acceptor> open(const executor& where) const;

 private:
  [[noreturn]] void cannot_listen(const std::string& why) const;
  stream_protocol::endpoint resolve() const;
  int open_socket(bool shared_with_threads) const;
  void check_unused() const;
  std::vector<int> activated_sockets() const;

  std::shared_ptr<const tunnel> through_;
  std::optional<stream_protocol::endpoint> endpoint_;
  std::vector<int> shared_;
  /// The file to remove.
  std::string path_;
};

}  // namespace atls::proxy
