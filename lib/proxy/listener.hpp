// The sockets that tunnels listen on.
#pragma once

#include "proxy/tunnel.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>

namespace atls::proxy {

using acceptor = boost::asio::basic_socket_acceptor<stream_protocol, executor>;

/// One tunnel's listen address for all threads. TCP: each thread has its own socket (SO_REUSEPORT).
/// Unix sockets and those that the service manager passed are shared.
class listener {
 public:
  enum class beside {
    /// An address that another program listens on is an error.
    nobody,
    /// Another atlsd may listen there: from start() on new connections come here, and that one
    /// serves what it has accepted. TCP and unix sockets in the file system.
    predecessor
  };

  /// Binds. Throws atls::error naming the tunnel and what is wrong with its address.
  listener(std::string tunnel, const address& at, bool transparent, unsigned threads,
           beside other = beside::nobody);
  /// Removes the file of a unix socket, if it is still ours.
  ~listener();
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;

  /// For one thread, its number below `threads`. Throws as the constructor does.
  std::vector<acceptor> open(const executor& where, unsigned thread) const;
  /// Once all threads have theirs: the kernel takes clients from here on. Throws likewise.
  void start();

 private:
  [[noreturn]] void cannot_listen(const std::string& why) const;
  stream_protocol::endpoint resolve() const;
  std::string new_path() const { return path_ + ".new"; }
  int bind_socket(const stream_protocol::endpoint& at) const;
  void check_unused() const;
  void check_replaceable() const;
  void divert_new_connections() const;
  std::vector<int> activated_sockets() const;

  const std::string tunnel_;
  const address at_;
  const bool transparent_;
  std::optional<stream_protocol::endpoint> endpoint_;
  /// One for each thread, or some for all.
  std::vector<int> sockets_;
  bool is_shared_ = false;
  /// The file of a unix socket in the file system, and the file's number there.
  std::string path_;
  std::uint64_t inode_ = 0;
  /// Sockets of another atlsd on the address.
  std::uint32_t predecessors_ = 0;
};

}  // namespace atls::proxy
