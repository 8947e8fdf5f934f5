#include "proxy/listener.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>

namespace atls::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

// sd_listen_fds(3).
constexpr int first_activated = 3;

std::string last_error() {
  return std::strerror(errno);
}

void set_flag(int fd, int level, int name) {
  const int on = 1;
  ::setsockopt(fd, level, name, &on, sizeof on);
}

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

stream_protocol protocol_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  const int family = address.ss_family;
  return {family, family == AF_UNIX ? 0 : IPPROTO_TCP};
}

}  // namespace

listener::listener(std::shared_ptr<const tunnel> through) : through_(std::move(through)) {
  const auto& at = through_->listen;
  if (at.kind == address::scheme::activated) {
    shared_ = activated_sockets();
    return;
  }
  endpoint_ = resolve();
  check_unused();
  if (at.kind == address::scheme::unix_socket) {
    shared_ = {open_socket(false)};
    path_ = at.host.starts_with('/') ? at.host : "";
  }
}

listener::~listener() {
  std::ranges::for_each(shared_, ::close);
  if (!path_.empty()) {
    ::unlink(path_.c_str());
  }
}

void listener::cannot_listen(const std::string& why) const {
  throw error({errc::config_invalid, "tunnel \"" + through_->name + "\" cannot listen on " +
                                         through_->listen.text() + ": " + why});
}

stream_protocol::endpoint listener::resolve() const {
  if (const auto known = through_->listen.numeric()) {
    return *known;
  }
  asio::io_context io;
  tcp::resolver resolver(io);
  error_code ec;
  const auto found =
      resolver.resolve(through_->listen.host, through_->listen.port, tcp::resolver::passive, ec);
  if (ec) {
    cannot_listen(ec.message());
  }
  return found.begin()->endpoint();
}

std::vector<acceptor> listener::open(const executor& where) const {
  std::vector<int> sockets;
  for (const int shared : shared_) {
    sockets.push_back(::fcntl(shared, F_DUPFD_CLOEXEC, 0));
  }
  if (shared_.empty()) {
    sockets.push_back(open_socket(true));
  }
  std::vector<acceptor> out;
  for (const int fd : sockets) {
    if (fd < 0) {
      cannot_listen(last_error());
    }
    out.emplace_back(where).assign(protocol_of(fd), fd);
  }
  return out;
}

int listener::open_socket(bool shared_with_threads) const {
  const int family = endpoint_->protocol().family();
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    cannot_listen(last_error());
  }
  if (family != AF_UNIX) {
    set_flag(fd, SOL_SOCKET, SO_REUSEADDR);
  }
  if (shared_with_threads) {
    set_flag(fd, SOL_SOCKET, SO_REUSEPORT);
  }
  if (through_->transparent) {
    const int on = 1;
    const bool is_v6 = family == AF_INET6;
    if (::setsockopt(fd, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP,
                     is_v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on, sizeof on) != 0) {
      const auto why = last_error();
      ::close(fd);
      cannot_listen("\"transparent\" needs CAP_NET_ADMIN: " + why);
    }
  }
  if (::bind(fd, static_cast<const sockaddr*>(endpoint_->data()),
             static_cast<socklen_t>(endpoint_->size())) != 0 ||
      ::listen(fd, SOMAXCONN) != 0) {
    const auto why = last_error();
    ::close(fd);
    cannot_listen(why);
  }
  return fd;
}

// SO_REUSEPORT would let another of our processes share the address unseen, and a unix socket's
// file outlives its owner: look first whether anybody is there.
void listener::check_unused() const {
  const int family = endpoint_->protocol().family();
  const int probe = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto* const at = static_cast<const sockaddr*>(endpoint_->data());
  const auto size = static_cast<socklen_t>(endpoint_->size());
  bool is_used = false;
  if (family == AF_UNIX) {
    is_used = ::connect(probe, at, size) == 0;
    const auto& path = through_->listen.host;
    std::error_code ignored;
    if (!is_used && std::filesystem::is_socket(path, ignored)) {
      std::filesystem::remove(path, ignored);
    }
  } else {
    set_flag(probe, SOL_SOCKET, SO_REUSEADDR);
    is_used = ::bind(probe, at, size) != 0 && errno == EADDRINUSE;
  }
  ::close(probe);
  if (is_used) {
    cannot_listen("another program listens there already");
  }
}

std::vector<int> listener::activated_sockets() const {
  const auto is_for_us = environment("LISTEN_PID") == std::to_string(::getpid());
  const auto count = parse_number(environment("LISTEN_FDS"), 1024);
  if (!is_for_us || !count) {
    cannot_listen("the service manager passed no sockets (sd_listen_fds(3))");
  }
  const std::string all = environment("LISTEN_FDNAMES");
  const auto names = split(all, ':');
  std::vector<int> out;
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), *count); ++i) {
    if (names[i] == through_->listen.host) {
      const int fd = first_activated + static_cast<int>(i);
      ::fcntl(fd, F_SETFD, FD_CLOEXEC);
      ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
      out.push_back(fd);
    }
  }
  if (out.empty()) {
    cannot_listen("the service manager passed \"" + all + "\"; FileDescriptorName= names them");
  }
  return out;
}

}  // namespace atls::proxy
