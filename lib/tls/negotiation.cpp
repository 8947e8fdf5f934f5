#include "tls/negotiation.hpp"

#include <algorithm>

namespace atls::tls {
namespace {

bool contains(const attestation_schemes& list, const attestation_scheme& one) {
  return std::ranges::find(list, one) != list.end();
}

// Section 6: a server replies with what it prefers.
std::optional<attestation_scheme> first_common(const attestation_schemes& preferred,
                                               const attestation_schemes& offered) {
  const auto found =
      std::ranges::find_if(preferred, [&](const auto& one) { return contains(offered, one); });
  return found == preferred.end() ? std::nullopt : std::optional(*found);
}

failure not_offered(const attestation_scheme& chosen, const attestation_schemes& offered) {
  return {errc::extension_illegal,
          "the server chose " + chosen.text() + "; offered was " + text_of(offered)};
}

bool miss(const attestation_schemes& wanted, const attestation_schemes& offered) {
  return !wanted.empty() && !offered.empty();
}

}  // namespace

void negotiation::begin() {
  offer_ = {};
  has_offer_ = false;
  own_.reset();
  peer_.reset();
}

std::optional<bytes> negotiation::offer() const {
  if (terms_.are_empty()) {
    return std::nullopt;
  }
  return encode_offer({.server_attester = terms_.accepts, .client_attester = terms_.presents});
}

result<void> negotiation::server_presents(bytes_view body) {
  ATLS_TRY(auto chosen, parse_choice(body));
  if (!contains(terms_.accepts, chosen)) {
    return not_offered(chosen, terms_.accepts);
  }
  peer_ = std::move(chosen);
  return {};
}

result<void> negotiation::server_demands(bytes_view body) {
  if (terms_.are_empty()) {
    return failure(errc::unsolicited_attestation, "in a CertificateRequest");
  }
  ATLS_TRY(auto chosen, parse_choice(body));
  if (!contains(terms_.presents, chosen)) {
    return not_offered(chosen, terms_.presents);
  }
  own_ = std::move(chosen);
  return {};
}

failure negotiation::nothing_in_common() const {
  return {errc::no_common_attestation_scheme,
          "the client accepts " + text_of(offer_.server_attester) + " and presents " +
              text_of(offer_.client_attester) + "; this side presents " + text_of(terms_.presents) +
              " and accepts " + text_of(terms_.accepts)};
}

result<void> negotiation::receive_offer(bytes_view body, bool is_resumed) {
  if (terms_.are_empty()) {
    return {};
  }
  ATLS_TRY(offer_, parse_offer(body));
  has_offer_ = true;
  if (is_resumed) {
    return {};
  }
  if (terms_.demands && offer_.client_attester.empty()) {
    return failure(errc::peer_not_attested, "the client presents nothing");
  }
  own_ = first_common(terms_.presents, offer_.server_attester);
  peer_ = first_common(terms_.accepts, offer_.client_attester);
  const bool is_empty = offer_.server_attester.empty() && offer_.client_attester.empty();
  const bool misses =
      miss(terms_.presents, offer_.server_attester) || miss(terms_.accepts, offer_.client_attester);
  if (is_empty || (terms_.demands && !peer_) || (!own_ && !peer_ && misses)) {
    return nothing_in_common();
  }
  return {};
}

std::optional<bytes> negotiation::own_choice() const {
  return own_ ? std::optional(to_bytes(own_->encoded())) : std::nullopt;
}

result<std::optional<bytes>> negotiation::demand() const {
  if (terms_.demands && !has_offer_) {
    return failure(errc::peer_not_attested, "the client offers no attestation");
  }
  return peer_ ? std::optional(to_bytes(peer_->encoded())) : std::nullopt;
}

std::string negotiation::why_not_attested() const {
  return peer_ ? "it agreed to " + peer_->text() + " and sent nothing"
               : "it agreed to none of what this side accepts: " + text_of(terms_.accepts);
}

result<void> negotiation::expects_payload(std::size_t index) const {
  if (index != 0) {
    return failure(errc::extension_illegal, "in CertificateEntry " + std::to_string(index));
  }
  if (!peer_) {
    return failure(errc::unsolicited_attestation, "in a Certificate");
  }
  return {};
}

}  // namespace atls::tls
