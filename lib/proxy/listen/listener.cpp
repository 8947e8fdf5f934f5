#include "proxy/listen/listener.hpp"

#include "proxy/listen/activation.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <linux/filter.h>
#include <netinet/in.h>
#include <random>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <spdlog/fmt/fmt.h>

namespace atls::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

std::string last_error() {
  return std::strerror(errno);
}

void set_flag(int fd, int level, int name) {
  const int on = 1;
  ::setsockopt(fd, level, name, &on, sizeof on);
}

stream_protocol::endpoint local_endpoint(int fd) {
  stream_protocol::endpoint out;
  auto size = static_cast<socklen_t>(out.capacity());
  if (::getsockname(fd, static_cast<sockaddr*>(out.data()), &size) == 0) {
    out.resize(size);
  }
  return out;
}

stream_protocol protocol_of(int fd) {
  const int family = local_endpoint(fd).protocol().family();
  return {family, family == AF_UNIX ? 0 : IPPROTO_TCP};
}

stream_protocol::endpoint unix_endpoint(const std::string& path) {
  return *address{address::scheme::unix_socket, path, ""}.numeric();
}

// lstat(2): a symbolic link is not the socket it points to.
std::uint64_t inode_of(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

// A name beside `path` that nobody has.
std::string unused_beside(const std::string& path) {
  return fmt::format("{}.{:08x}", path, std::random_device()());
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

result<std::vector<stream_protocol::endpoint>> resolve_listen(const address& at) {
  std::vector<stream_protocol::endpoint> out;
  if (at.kind == address::scheme::activated) {
    ATLS_TRY(const auto sockets, activated_sockets(at.host));
    std::ranges::transform(sockets, std::back_inserter(out), local_endpoint);
    return out;
  }
  if (const auto known = at.numeric()) {
    return std::vector{*known};
  }
  asio::io_context io;
  tcp::resolver resolver(io);
  error_code ec;
  const auto found = resolver.resolve(at.host, at.port, tcp::resolver::passive, ec);
  if (ec) {
    return failure(errc::listen_failed, ec.message());
  }
  for (const auto& one : found) {
    out.emplace_back(one.endpoint());
  }
  return out;
}

listener::listener(std::string tunnel, const address& at, bool transparent, unsigned threads,
                   beside other, mode_t unix_mode)
    : tunnel_(std::move(tunnel)), at_(at), transparent_(transparent) {
  const auto found = resolve_listen(at);
  if (!found) {
    cannot_listen(found.error().detail);
  }
  if (at.kind == address::scheme::activated) {
    activated_ = activated_sockets(at.host).value();
    return;
  }
  endpoint_ = found->front();
  if (other == beside::nobody) {
    check_unused();
  }
  if (at.kind == address::scheme::unix_socket) {
    if (at.host.starts_with('/')) {
      path_ = at.host;
      bind_file(unix_mode);
    } else {
      sockets_.push_back(bind_socket(*endpoint_));
    }
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
  const auto& file = inode_ == 0 ? new_path_ : path_;
  if (!file.empty() && (inode_ == 0 || inode_of(path_) == inode_)) {
    ::unlink(file.c_str());
  }
}

void listener::cannot_listen(const std::string& why) const {
  throw error({errc::listen_failed,
               "tunnel \"" + tunnel_ + "\" cannot listen on " + at_.text() + ": " + why});
}

descriptor listener::bind_socket(const stream_protocol::endpoint& at, mode_t mode) const {
  const int family = at.protocol().family();
  descriptor made(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made) {
    cannot_listen(last_error());
  }
  if (family != AF_UNIX) {
    set_flag(made.get(), SOL_SOCKET, SO_REUSEADDR);
    set_flag(made.get(), SOL_SOCKET, SO_REUSEPORT);
  } else if (mode != all_may && ::fchmod(made.get(), mode) != 0) {
    // Before bind(2) it is the mode of the file to come (unix(7)).
    cannot_listen(last_error());
  }
  if (transparent_) {
    const int on = 1;
    const bool is_v6 = family == AF_INET6;
    if (::setsockopt(made.get(), is_v6 ? IPPROTO_IPV6 : IPPROTO_IP,
                     is_v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on, sizeof on) != 0) {
      cannot_listen("\"transparent\" needs CAP_NET_ADMIN: " + last_error());
    }
  }
  if (::bind(made.get(), static_cast<const sockaddr*>(at.data()),
             static_cast<socklen_t>(at.size())) != 0) {
    cannot_listen(last_error());
  }
  return made;
}

// Under a name of its own until start(), so that it takes a predecessor's place at once.
void listener::bind_file(mode_t mode) {
  check_replaceable();
  new_path_ = unused_beside(path_);
  if (new_path_.size() >= sizeof(sockaddr_un::sun_path)) {
    cannot_listen(
        "the path is too long, expected at most " +
        std::to_string(sizeof(sockaddr_un::sun_path) - 1 - new_path_.size() + path_.size()) +
        " bytes");
  }
  sockets_.push_back(bind_socket(unix_endpoint(new_path_), mode));
}

void listener::start() {
  for (const auto& one : sockets_) {
    if (::listen(one.get(), SOMAXCONN) != 0) {
      cannot_listen(last_error());
    }
  }
  if (!path_.empty()) {
    if (::rename(new_path_.c_str(), path_.c_str()) != 0) {
      cannot_listen(last_error());
    }
    inode_ = inode_of(path_);
  }
  if (predecessors_ != 0) {
    divert_new_connections();
  }
  sockets_.clear();
}

std::vector<acceptor> listener::open(const executor& where, unsigned thread) const {
  auto wanted = activated_;
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    if (at_.kind != address::scheme::tcp || i == thread) {
      wanted.push_back(sockets_[i].get());
    }
  }
  std::vector<acceptor> out;
  for (const int fd : wanted) {
    descriptor copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!copy) {
      cannot_listen(last_error());
    }
    out.emplace_back(where).assign(protocol_of(fd), copy.get());
    copy.release();
  }
  return out;
}

void listener::check_replaceable() const {
  struct stat found {};
  if (::lstat(path_.c_str(), &found) == 0 && !S_ISSOCK(found.st_mode)) {
    cannot_listen("there is a file that is not a socket");
  }
}

// SO_REUSEPORT would let another of our processes share the address unseen, and a unix socket's
// file outlives its owner: look first whether anybody is there.
void listener::check_unused() const {
  const int family = endpoint_->protocol().family();
  const descriptor probe(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* const at = static_cast<const sockaddr*>(endpoint_->data());
  const auto size = static_cast<socklen_t>(endpoint_->size());
  bool is_used = false;
  if (family == AF_UNIX) {
    is_used = ::connect(probe.get(), at, size) == 0;
  } else {
    set_flag(probe.get(), SOL_SOCKET, SO_REUSEADDR);
    is_used = ::bind(probe.get(), at, size) != 0 && errno == EADDRINUSE;
  }
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
  if (::setsockopt(sockets_.front().get(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &attached,
                   sizeof attached) != 0) {
    cannot_listen("new connections cannot be taken over: " + last_error());
  }
}

}  // namespace atls::proxy
