// The sockets that tunnels listen on.
#pragma once

#include "core/descriptors.hpp"
#include "proxy/tunnel.hpp"

#include <sys/types.h>

#include <boost/asio/basic_socket_acceptor.hpp>

namespace atls::proxy {

using acceptor = boost::asio::basic_socket_acceptor<stream_protocol, executor>;

/// Every endpoint that an address stands for on this machine now: a name's IP addresses, the local
/// addresses of the service manager's sockets. listen_failed.
result<std::vector<stream_protocol::endpoint>> resolve_listen(const address& at);

/// One tunnel's listen address for all threads. TCP: each thread has its own socket (SO_REUSEPORT).
/// Unix sockets and those that the service manager passed are shared.
class listener {
 public:
  static constexpr mode_t all_may = 0777;

  enum class beside {
    /// An address that another program listens on is an error.
    nobody,
    /// Another atlsd may listen there: from start() on new connections come here, and that one
    /// serves what it has accepted. TCP and unix sockets in the file system.
    predecessor
  };

  /// Binds. Throws atls::error, listen_failed naming the tunnel and what is wrong with its address.
  /// `unix_mode` as open(2), less the process's umask: of a unix socket's file, before anybody can
  /// reach it.
  listener(std::string tunnel, const address& at, bool transparent, unsigned threads,
           beside other = beside::nobody, mode_t unix_mode = all_may);
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
  descriptor bind_socket(const stream_protocol::endpoint& at, mode_t mode = all_may) const;
  void bind_file(mode_t mode);
  void check_unused() const;
  void check_replaceable() const;
  void divert_new_connections() const;

  const std::string tunnel_;
  const address at_;
  const bool transparent_;
  std::optional<stream_protocol::endpoint> endpoint_;
  /// One for each thread, or one for all; closed when all threads have theirs.
  std::vector<descriptor> sockets_;
  /// Sockets of the service manager, for all; they stay open.
  std::vector<int> activated_;
  /// The file of a unix socket in the file system, the name it has until start(), and its number.
  std::string path_;
  std::string new_path_;
  std::uint64_t inode_ = 0;
  /// Sockets of another atlsd on the address.
  std::uint32_t predecessors_ = 0;
};

}  // namespace atls::proxy
