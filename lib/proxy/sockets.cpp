#include "proxy/sockets.hpp"

#include <netinet/tcp.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

namespace atls::proxy {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// One sendmsg(2); Asio passes on no more than 64 pieces.
class some_pieces {
 public:
  explicit some_pieces(std::span<const bytes_view> pieces) {
    for (const auto& piece : pieces.first(std::min(pieces.size(), std::size(buffers_)))) {
      buffers_[count_++] = asio::buffer(piece.data(), piece.size());
    }
  }
  const asio::const_buffer* begin() const noexcept { return buffers_; }
  const asio::const_buffer* end() const noexcept { return buffers_ + count_; }

 private:
  asio::const_buffer buffers_[64];
  std::size_t count_ = 0;
};

template <int Level, int Name>
using integer_option = asio::detail::socket_option::integer<Level, Name>;

int seconds_of(std::chrono::milliseconds time) {
  return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(time).count());
}

}  // namespace

// A read that may wait long has a small buffer. What fills it is followed by more, for which a
// large one is borrowed.
awaitable<> receive(stream_socket& from, receive_buffer& to, error_code& ec) {
  if (to.expects_more()) {
    const auto large = to.room_to_drain();
    error_code none_or_next_time;
    const auto count = from.read_some(asio::buffer(large.data(), large.size()), none_or_next_time);
    to.add(count);
    to.drained(count);
    if (count != 0) {
      co_return;
    }
  }
  const auto small = to.room_to_wait();
  const auto count =
      co_await from.async_read_some(asio::buffer(small.data(), small.size()), resume_with(ec));
  to.add(count);
  if (!ec && count == small.size()) {
    const auto large = to.room_to_drain();
    error_code none_or_next_time;
    const auto more = from.read_some(asio::buffer(large.data(), large.size()), none_or_next_time);
    to.add(more);
    to.drained(more);
  }
}

std::size_t send_some(stream_socket& to, bytes_view piece, error_code& ec) {
  const auto count = to.write_some(asio::buffer(piece.data(), piece.size()), ec);
  if (ec == asio::error::would_block) {
    ec.clear();
  }
  return count;
}

awaitable<std::size_t> send_all(stream_socket& to, bytes_view piece, error_code& ec) {
  auto total = send_some(to, piece, ec);
  if (!ec && total < piece.size()) {
    const auto rest = piece.subspan(total);
    total +=
        co_await asio::async_write(to, asio::buffer(rest.data(), rest.size()), resume_with(ec));
  }
  co_return total;
}

awaitable<std::size_t> send_all(stream_socket& to, std::span<const bytes_view> pieces,
                                error_code& ec) {
  std::size_t total = 0;
  while (!pieces.empty() && !ec) {
    std::size_t count = 0;
    if (pieces.size() > 1) {
      count = to.write_some(some_pieces(pieces), ec);
      if (ec == asio::error::would_block) {
        ec.clear();
      }
      total += count;
      while (count >= pieces.front().size()) {
        count -= pieces.front().size();
        pieces = pieces.subspan(1);
        if (pieces.empty()) {
          co_return total;
        }
      }
    }
    // One alone, or one that went in part.
    if (!ec) {
      total += co_await send_all(to, pieces.front().subspan(count), ec);
      pieces = pieces.subspan(1);
    }
  }
  co_return total;
}

void prepare(stream_socket& socket, const tcp_options& options) {
  error_code ignored;
  socket.non_blocking(true, ignored);
  if (const auto family = socket.local_endpoint(ignored).protocol().family();
      family != AF_INET && family != AF_INET6) {
    return;
  }
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  if (options.keepalive.count() > 0) {
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    const int seconds = seconds_of(options.keepalive);
    socket.set_option(integer_option<IPPROTO_TCP, TCP_KEEPIDLE>(seconds), ignored);
    socket.set_option(integer_option<IPPROTO_TCP, TCP_KEEPINTVL>(std::max(1, seconds / 4)),
                      ignored);
  }
  if (options.user_timeout.count() > 0) {
    socket.set_option(integer_option<IPPROTO_TCP, TCP_USER_TIMEOUT>(
                          static_cast<int>(options.user_timeout.count())),
                      ignored);
  }
}

void reset(stream_socket& socket) {
  error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

}  // namespace atls::proxy
