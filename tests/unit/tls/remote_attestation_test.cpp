#include "tls/remote_attestation.hpp"

#include "formats/json.hpp"
#include "support/vectors.hpp"
#include "tls/alerts.hpp"
#include "tls/negotiation.hpp"

#include <openssl/ssl.h>

using namespace atls;
using namespace atls::test;
using namespace atls::tls;

namespace {

json described(const attestation_scheme& one) {
  if (one.model() == attestation_model::passport) {
    return {{"result", {{"verifier_identity", one.name()}}}};
  }
  constexpr std::string_view number = "content-format ";
  if (one.name().starts_with(number)) {
    return {{"evidence", {{"content_format", std::stoi(one.name().substr(number.size()))}}}};
  }
  return {{"evidence", {{"media_type", one.name()}}}};
}

json described(const attestation_schemes& list) {
  json out = json::array();
  for (const auto& one : list) {
    out.push_back(described(one));
  }
  return out;
}

attestation_schemes schemes_of(const json& hex) {
  attestation_schemes out;
  for (const auto& one : hex) {
    out.push_back(parse_choice(from_hex(one.get<std::string>()).value()).value());
  }
  return out;
}

// The draft's alert for a failure, "ok" for none.
std::string verdict(const result<void>& outcome) {
  if (outcome) {
    return "ok";
  }
  switch (alert_for(outcome.error().code)) {
    case SSL_AD_DECODE_ERROR:
      return "decode_error";
    case SSL_AD_ILLEGAL_PARAMETER:
      return "illegal_parameter";
    case SSL_AD_UNSUPPORTED_EXTENSION:
      return "unsupported_extension";
    case SSL_AD_HANDSHAKE_FAILURE:
      return "unsupported_attestation_schemes";
    default:
      return "other";
  }
}

result<void> without_value(const auto& outcome) {
  return outcome ? result<void>() : outcome.error();
}

// A client that has offered, to be given what a server chose.
negotiation client_of(const json& offered) {
  return negotiation({.presents = schemes_of(offered), .accepts = schemes_of(offered)});
}

result<void> take(const json& one, bytes_view body) {
  const auto where = one["in"].get<std::string>();
  if (where == "client_hello") {
    return without_value(parse_offer(body));
  }
  if (where == "encrypted_extensions") {
    return client_of(one["offered"]).server_presents(body);
  }
  if (where == "certificate_request") {
    return client_of(one["offered"]).server_demands(body);
  }
  auto client = client_of(json::array({"00000107"}));
  ATLS_CHECK(client.server_presents(from_hex("00000107").value()));
  ATLS_CHECK(client.expects_payload(one["entry"].get<std::size_t>()));
  return without_value(parse_payload(body));
}

}  // namespace

TEST_CASE("bodies of the extension, known answers", "[tls]") {
  const auto all =
      parse_json(read_vector("protocol/remote_attestation.json"), errc::internal).value();
  for (const auto& one : all["cases"]) {
    INFO(one["in"] << ": " << one["name"]);
    const bytes body = from_hex(one["body"].get<std::string>()).value();
    CHECK(json(verdict(take(one, body))) == one["verdict"]);
    if (one["in"] == "client_hello" && one["verdict"] == "ok") {
      const auto offer = parse_offer(body).value();
      CHECK(described(offer.server_attester) == one["server_attester_schemes"]);
      CHECK(described(offer.client_attester) == one["client_attester_schemes"]);
      CHECK(to_hex(encode_offer(offer)) == to_hex(body));
    }
    if (one.contains("cmw")) {
      CHECK(json(to_hex(parse_payload(body).value())) == one["cmw"]);
      CHECK(to_hex(encode_payload(parse_payload(body).value()).value()) == to_hex(body));
    }
  }
}

TEST_CASE("what has no room in an extension is not sent", "[tls]") {
  CHECK(encode_payload(bytes(65528)).has_value());
  CHECK(encode_payload(bytes(65529)).error().code == errc::internal);
}
