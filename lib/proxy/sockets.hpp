// What sessions do with sockets beside opening them.
#pragma once

#include "core/buffers.hpp"
#include "proxy/async.hpp"

namespace atls::proxy {

/// Waits for bytes and takes all there are, up to a buffer's room.
awaitable<> receive(stream_socket& from, receive_buffer& to, boost::system::error_code& ec);

/// As much as the kernel takes now: how many bytes. Mostly all of it, and without a coroutine.
std::size_t send_some(stream_socket& to, bytes_view piece, boost::system::error_code& ec);

/// Returns when all of it is with the kernel: how many bytes.
awaitable<std::size_t> send_all(stream_socket& to, bytes_view piece, boost::system::error_code& ec);
awaitable<std::size_t> send_all(stream_socket& to, std::span<const bytes_view> pieces,
                                boost::system::error_code& ec);

struct tcp_options {
  /// First probe of a silent connection; 0: none.
  std::chrono::milliseconds keepalive{60'000};
  /// How long sent bytes may stay unacknowledged (tcp(7), TCP_USER_TIMEOUT); 0: the kernel's.
  std::chrono::milliseconds user_timeout{0};
};

/// Non-blocking, no Nagle, and for TCP the options.
void prepare(stream_socket& socket, const tcp_options& options);

/// Closes with a TCP reset, so that the other end cannot take this for a proper end.
void reset(stream_socket& socket);

}  // namespace atls::proxy
