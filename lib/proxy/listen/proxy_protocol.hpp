// The PROXY protocol, versions 1 and 2 (HAProxy, doc/proxy-protocol.txt): who a connection is from,
// said before its first byte. Pure, but for reading one from a socket.
#pragma once

#include "proxy/async.hpp"
#include "proxy/session/admitted_peer.hpp"

namespace atls::proxy {

/// Of a connection as its client sees it. Unspecified family: unknown.
struct connection_addresses {
  connection_addresses(stream_protocol::endpoint from, stream_protocol::endpoint to)
      : source(std::move(from)), destination(std::move(to)) {}

  stream_protocol::endpoint source;
  stream_protocol::endpoint destination;
};

namespace proxy_protocol {

enum class version { none, v1, v2 };

/// Types of the values of ours, in the range for applications (section 2.2.7).
inline constexpr std::uint8_t tlv_verdict = 0xe0;  // "affirming" or "unattested"
inline constexpr std::uint8_t tlv_kid = 0xe1;      // the peer's attestation key, bytes

/// A header. Version 2 carries what is known of the peer: PP2_TYPE_SSL with version and, of a
/// certificate that was judged, the name; the verdict and the kid of an attested peer.
bytes header(version v, const connection_addresses& addresses, const admitted_peer& peer);

/// How long a header is in all, as far as its beginning tells.
struct extent {
  std::size_t bytes = 0;
  bool is_complete = false;
};
/// proxy_header_malformed if `begun` begins none.
result<extent> extent_of(bytes_view begun);
/// The addresses in a complete header and nothing else: what it claims of identities is the hop's
/// word. `real` if it carries none (UNKNOWN, LOCAL, unix sockets).
result<connection_addresses> parse(bytes_view whole, const connection_addresses& real);

/// Takes the header, and no byte behind it, from a socket.
awaitable<result<connection_addresses>> receive(stream_socket& from, connection_addresses real,
                                                steady_time deadline);

}  // namespace proxy_protocol
}  // namespace atls::proxy
