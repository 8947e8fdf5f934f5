#include "tls/negotiation.hpp"

#include "formats/json.hpp"
#include "support/vectors.hpp"

using namespace atls;
using namespace atls::test;
using namespace atls::tls;

namespace {

const auto one = attestation_scheme::evidence("application/one");
const auto two = attestation_scheme::evidence("application/two");
const auto passport = attestation_scheme::result_of("verifier.example");

bytes offer_of(attestation_schemes server, attestation_schemes client) {
  return encode_offer({std::move(server), std::move(client)});
}

attestation_schemes schemes_of(const json& hex) {
  attestation_schemes out;
  for (const auto& text : hex) {
    out.push_back(parse_choice(from_hex(text.get<std::string>()).value()).value());
  }
  return out;
}

json hex_or_null(const std::optional<bytes>& body) {
  return body ? json(to_hex(*body)) : json();
}

}  // namespace

TEST_CASE("what a server answers to an offer, known answers", "[tls]") {
  const auto all = parse_json(read_vector("protocol/negotiation.json"), errc::internal).value();
  for (const auto& known : all["cases"]) {
    INFO(known["name"]);
    negotiation server({.presents = schemes_of(known["server_can_produce"]),
                        .accepts = schemes_of(known["server_can_appraise"]),
                        .demands = known["server_requires_client"].get<bool>()});
    const auto received =
        server.receive_offer(from_hex(known["client_hello"].get<std::string>()).value(), false);
    if (known["expect"].contains("alert")) {
      CHECK(received.error().code == errc::no_common_attestation_scheme);
      continue;
    }
    REQUIRE(received.has_value());
    CHECK(hex_or_null(server.own_choice()) == known["expect"]["encrypted_extensions"]);
    CHECK(hex_or_null(server.demand().value()) == known["expect"]["certificate_request"]);
  }
}

TEST_CASE("both sides prefer in their own order; the server's counts", "[tls]") {
  negotiation server({.presents = {passport, one}, .accepts = {two, one}, .demands = true});
  REQUIRE(server.receive_offer(offer_of({one, passport}, {one, two}), false).has_value());
  CHECK(server.own() == passport);
  CHECK(server.peer() == two);
}

TEST_CASE("a server that only attests leaves a client alone that only attests", "[tls]") {
  negotiation server({.presents = {one}});
  CHECK(server.receive_offer(offer_of({}, {one}), false).has_value());
  CHECK_FALSE(server.own_choice());
  CHECK_FALSE(server.demand().value());
}

TEST_CASE("without terms the extension is as if unknown", "[tls]") {
  negotiation nobody;
  CHECK_FALSE(nobody.offer());
  CHECK(nobody.receive_offer(bytes{1, 2, 3}, false).has_value());
  CHECK_FALSE(nobody.demand().value());
  CHECK(nobody.server_demands(one.encoded()).error().code == errc::unsolicited_attestation);
}

TEST_CASE("a server that demands refuses a client that offers nothing", "[tls]") {
  const negotiation server({.accepts = {one}, .demands = true});
  CHECK(server.demand().error().code == errc::peer_not_attested);
  negotiation another = server;
  CHECK(another.receive_offer(offer_of({one}, {}), false).error().code == errc::peer_not_attested);
}

TEST_CASE("a second hello negotiates anew", "[tls]") {
  negotiation server({.presents = {one}, .accepts = {one}, .demands = true});
  REQUIRE(server.receive_offer(offer_of({one}, {one}), false).has_value());
  server.begin();
  CHECK_FALSE(server.own_choice());
  CHECK(server.demand().error().code == errc::peer_not_attested);
}

TEST_CASE("a resumed session presents nothing, whatever was offered", "[tls]") {
  negotiation server({.presents = {one}, .accepts = {one}, .demands = true});
  CHECK(server.receive_offer(offer_of({two}, {two}), true).has_value());
  CHECK_FALSE(server.own_choice());
}

TEST_CASE("a client takes what it offered, and nothing else", "[tls]") {
  negotiation client({.presents = {one}, .accepts = {two}});
  CHECK(client.server_presents(one.encoded()).error().code == errc::extension_illegal);
  CHECK(client.server_demands(two.encoded()).error().code == errc::extension_illegal);
  CHECK(client.expects_payload(0).error().code == errc::unsolicited_attestation);
  REQUIRE(client.server_presents(two.encoded()).has_value());
  REQUIRE(client.server_demands(one.encoded()).has_value());
  CHECK(client.expects_payload(0).has_value());
  CHECK(client.expects_payload(1).error().code == errc::extension_illegal);
  negotiation attests_only({.presents = {one}});
  CHECK(attests_only.server_presents(one.encoded()).error().code == errc::extension_illegal);
}

TEST_CASE("a refusal tells what both sides have", "[tls]") {
  negotiation server({.presents = {one}, .accepts = {passport}, .demands = true});
  CHECK(server.receive_offer(offer_of({one}, {two}), false).error().detail ==
        "the client accepts application/one and presents application/two; this side presents "
        "application/one and accepts result of verifier.example");
}
