// The Verifier's documents: sessions (of both its APIs), discovery, Locations.
#include "formats/url.hpp"
#include "dialects/veraison/challenge_response.hpp"
#include "dialects/veraison/endorsement_provisioning.hpp"
#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace api = atls::challenge_response;
  const auto text = atls::as_text({data, size});
  (void)api::parse_session(text);
  (void)atls::endorsement_provisioning::parse_session(text);
  (void)api::parse_discovery(text);
  (void)api::max_age(text);
  static const auto verifier = atls::url::parse("http://verifier:1").value();
  const auto path = verifier.resolve("/a/newSession?nonce=x", text);
  must(!path || path->find('\n') == std::string::npos);
  must(!path || path->starts_with('/'));
  return 0;
}
