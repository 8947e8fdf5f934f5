#include "proxy/listener.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <spdlog/fmt/fmt.h>

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

stream_protocol::endpoint unix_endpoint(const std::string& path) {
  return *address{address::scheme::unix_socket, path, ""}.numeric();
}

std::uint64_t inode_of(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

// As the kernel lists them (proc_net_tcp(5)): addresses in its own byte order, state 0A.
std::uint32_t sockets_listening_at(const stream_protocol::endpoint& at) {
  const bool is_v6 = at.protocol().family() == AF_INET6;
  std::array<std::uint32_t, 4> words{};
  std::uint16_t port = 0;
  if (is_v6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(at.data());
    std::memcpy(words.data(), &v6->sin6_addr, sizeof v6->sin6_addr);
    port = ntohs(v6->sin6_port);
  } else {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(at.data());
    words[0] = v4->sin_addr.s_addr;
    port = ntohs(v4->sin_port);
  }
  std::string wanted;
  for (int i = 0; i < (is_v6 ? 4 : 1); ++i) {
    wanted += fmt::format("{:08X}", words[i]);
  }
  wanted += fmt::format(":{:04X}", port);
  std::ifstream table(is_v6 ? "/proc/net/tcp6" : "/proc/net/tcp");
  std::uint32_t count = 0;
  std::string number;
  std::string local;
  std::string remote;
  std::string state;
  for (std::string line; std::getline(table, line);) {
    std::istringstream(line) >> number >> local >> remote >> state;
    count += local == wanted && state == "0A" ? 1 : 0;
  }
  return count;
}

}  // namespace

listener::listener(std::string tunnel, const address& at, bool transparent, unsigned threads,
                   beside other)
    : tunnel_(std::move(tunnel)), at_(at), transparent_(transparent) {
  if (at.kind == address::scheme::activated) {
    sockets_ = activated_sockets();
    is_shared_ = true;
    return;
  }
  endpoint_ = resolve();
  if (other == beside::nobody) {
    check_unused();
  }
  if (at.kind == address::scheme::unix_socket) {
    is_shared_ = true;
    path_ = at.host.starts_with('/') ? at.host : "";
    check_replaceable();
    sockets_ = {bind_socket(path_.empty() ? *endpoint_ : unix_endpoint(new_path()))};
    return;
  }
  if (other == beside::predecessor) {
    predecessors_ = sockets_listening_at(*endpoint_);
  }
  while (sockets_.size() < threads) {
    sockets_.push_back(bind_socket(*endpoint_));
  }
}

listener::~listener() {
  std::ranges::for_each(sockets_, ::close);
  if (inode_ != 0 && inode_of(path_) == inode_) {
    ::unlink(path_.c_str());
  } else if (inode_ == 0 && !path_.empty()) {
    ::unlink(new_path().c_str());
  }
}

void listener::cannot_listen(const std::string& why) const {
  throw error({errc::config_invalid,
               "tunnel \"" + tunnel_ + "\" cannot listen on " + at_.text() + ": " + why});
}

stream_protocol::endpoint listener::resolve() const {
  if (const auto known = at_.numeric()) {
    return *known;
  }
  asio::io_context io;
  tcp::resolver resolver(io);
  error_code ec;
  const auto found = resolver.resolve(at_.host, at_.port, tcp::resolver::passive, ec);
  if (ec) {
    cannot_listen(ec.message());
  }
  return found.begin()->endpoint();
}

int listener::bind_socket(const stream_protocol::endpoint& at) const {
  const int family = at.protocol().family();
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    cannot_listen(last_error());
  }
  if (family != AF_UNIX) {
    set_flag(fd, SOL_SOCKET, SO_REUSEADDR);
    set_flag(fd, SOL_SOCKET, SO_REUSEPORT);
  } else if (!path_.empty()) {
    ::unlink(new_path().c_str());
  }
  if (transparent_) {
    const int on = 1;
    const bool is_v6 = family == AF_INET6;
    if (::setsockopt(fd, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP,
                     is_v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on, sizeof on) != 0) {
      const auto why = last_error();
      ::close(fd);
      cannot_listen("\"transparent\" needs CAP_NET_ADMIN: " + why);
    }
  }
  if (::bind(fd, static_cast<const sockaddr*>(at.data()), static_cast<socklen_t>(at.size())) != 0) {
    const auto why = last_error();
    ::close(fd);
    cannot_listen(why);
  }
  return fd;
}

void listener::start() {
  for (const int fd : sockets_) {
    if (::listen(fd, SOMAXCONN) != 0) {
      cannot_listen(last_error());
    }
  }
  if (!path_.empty()) {
    // At once in the place of a predecessor's.
    if (::rename(new_path().c_str(), path_.c_str()) != 0) {
      cannot_listen(last_error());
    }
    inode_ = inode_of(path_);
  }
  if (predecessors_ != 0) {
    divert_new_connections();
  }
  std::ranges::for_each(std::exchange(sockets_, {}), ::close);
}

std::vector<acceptor> listener::open(const executor& where, unsigned thread) const {
  std::vector<acceptor> out;
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    if (is_shared_ || i == thread) {
      const int fd = ::fcntl(sockets_[i], F_DUPFD_CLOEXEC, 0);
      if (fd < 0) {
        cannot_listen(last_error());
      }
      out.emplace_back(where).assign(protocol_of(fd), fd);
    }
  }
  return out;
}

void listener::check_replaceable() const {
  struct stat found {};
  if (!path_.empty() && ::stat(path_.c_str(), &found) == 0 && !S_ISSOCK(found.st_mode)) {
    cannot_listen("there is a file that is not a socket");
  }
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
  } else {
    set_flag(probe, SOL_SOCKET, SO_REUSEADDR);
    is_used = ::bind(probe, at, size) != 0 && errno == EADDRINUSE;
  }
  ::close(probe);
  if (is_used) {
    cannot_listen("another program listens there already");
  }
}

// The kernel spreads new connections over all sockets of an address (SO_REUSEPORT), and what waits
// at one that is closed is lost. So our sockets, the last of the group, are chosen by a program
// (socket(7), SO_ATTACH_REUSEPORT_CBPF), and the predecessor can serve its queues to their ends.
// When its sockets have left the group the program points behind the end, and the kernel spreads
// over those that are left.
void listener::divert_new_connections() const {
  const auto ours = static_cast<std::uint32_t>(sockets_.size());
  sock_filter program[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM)},
      {BPF_ALU | BPF_MOD | BPF_K, 0, 0, ours},
      {BPF_ALU | BPF_ADD | BPF_K, 0, 0, predecessors_},
      {BPF_RET | BPF_A, 0, 0, 0}};
  const sock_fprog attached{static_cast<unsigned short>(std::size(program)), program};
  if (::setsockopt(sockets_.front(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &attached,
                   sizeof attached) != 0) {
    cannot_listen("new connections cannot be taken over: " + last_error());
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
    if (names[i] == at_.host) {
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
