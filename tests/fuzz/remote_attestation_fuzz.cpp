// The bodies of the extension remoteAttestation, and a server's choice from what was offered.
#include "fuzz.hpp"
#include "tls/negotiation.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atls;
  using namespace atls::tls;
  const bytes_view body(data, size);
  if (const auto offer = parse_offer(body)) {
    must(equal(encode_offer(*offer), body));
  }
  if (const auto choice = parse_choice(body)) {
    must(equal(choice->encoded(), body));
    (void)choice->text();
  }
  if (const auto cmw = parse_payload(body)) {
    must(equal(encode_payload(*cmw).value(), body));
  }
  const auto known = attestation_scheme::evidence("application/x");
  negotiation server({.presents = {known}, .accepts = {known}, .demands = true});
  if (server.receive_offer(body, false)) {
    must(server.peer() == known && (!server.own() || server.own() == known));
  }
  return 0;
}
