// PROXY protocol headers, as any client can send them.
#include "fuzz.hpp"
#include "proxy/listen/proxy_protocol.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atls::proxy;
  const atls::bytes_view input(data, size);
  const connection_addresses real{{}, {}};
  const auto found = proxy_protocol::extent_of(input);
  // Otherwise a reader would never get on.
  must(!found || found->is_complete || found->bytes > size);
  if (found && found->is_complete) {
    (void)proxy_protocol::parse(input.first(found->bytes), real);
  }
  (void)proxy_protocol::parse(input, real);
  return 0;
}
