#include "atlsd/config/readers.hpp"

#include <algorithm>

namespace atls {
namespace {

using settings = config::tunnel_settings;

bool is_ingress(const settings& t) {
  return t.role == tls::role::server;
}

void check_ends(object_reader& in, const settings& t) {
  using scheme = proxy::address::scheme;
  if (is_ingress(t) && (t.transparent || t.target.kind == scheme::original_destination)) {
    in.problem(t.transparent ? "transparent" : "target",
               "an ingress tunnel has no original destination; name its application");
  }
  if (t.transparent && t.listen.kind != scheme::tcp) {
    in.problem("transparent", "is for a \"listen\" of the form \"host:port\"");
  }
  const char* const plaintext_side = is_ingress(t) ? "target" : "listen";
  const auto& plaintext = is_ingress(t) ? t.target : t.listen;
  if (!plaintext.host.empty() && !plaintext.is_local() && !t.unsafe_plaintext) {
    in.problem(plaintext_side,
               "is the plaintext side, expected a loopback address or a unix socket; "
               "\"unsafe_plaintext\": true allows others");
  }
}

void check_own_attestation(object_reader& in, const config& whole, const settings& t) {
  if (t.attest && !whole.identity.attests()) {
    in.problem("attest", "needs an identity.attester, and there is none");
  }
  if (t.presents_passport && whole.verifiers.empty()) {
    in.problem("attest", "is \"passport\", but there is no \"verifier\" that could issue it");
  }
  if (t.presents_passport && t.passport.fresh &&
      std::ranges::any_of(whole.verifiers, chooses_nonce, &config::verifier_settings::type)) {
    in.problem(
        "passport.fresh",
        "is true, but a \"verifier\" is of type \"kbs\", which takes no nonce of a handshake");
  }
  if (is_ingress(t) && !whole.identity.has_key()) {
    in.problem("role",
               "an ingress tunnel needs a key: identity.attester \"tpm\", \"tsm\" or \"azure\", or "
               "identity.certificate and identity.key");
  }
}

void check_demands(object_reader& in, const config& whole, const settings& t) {
  if (t.require_attestation) {
    if (whole.verifiers.empty()) {
      in.problem("require_attestation", "is true, but there is no \"verifier\"");
    } else if (t.asks_verifier() && std::ranges::all_of(whole.verifiers, chooses_nonce,
                                                        &config::verifier_settings::type)) {
      in.problem("accepts",
                 std::string("holds \"") +
                     (t.does_accept(attestation_model::background_check) ? "evidence" : "ra-tls") +
                     "\", but each \"verifier\" is of type \"kbs\", which issues passports only");
    }
    return;
  }
  const auto pointless = [&](const char* name, bool is_given, const char* verb) {
    if (is_given) {
      in.problem(name, std::string(verb) + " given, but \"require_attestation\" is not true");
    }
  };
  pointless("accepts", in.has("accepts"), "is");
  pointless("policy.rules", t.policy.rules.size() > whole.policy.rules.size(), "are");
  pointless("max_result_age", t.limits.result_age.count() != 0, "is");
  pointless("peer.kid", !t.peer.kids.empty(), "is");
}

void check_freshness(object_reader& in, const settings& t) {
  if (t.accepts_certificates && !t.unsafe_no_freshness) {
    in.problem(
        "accepts",
        "holds \"ra-tls\": Evidence in a certificate is bound to no handshake and may be old; "
        "\"unsafe_no_freshness\": true allows it");
  }
  if (t.unsafe_no_freshness && !t.accepts_certificates) {
    in.problem("unsafe_no_freshness", "is true, but \"accepts\" does not hold \"ra-tls\"");
  }
}

// The facts of a passport are those of its Attestation Result.
void check_rules_on_passports(object_reader& in, const settings& t) {
  for (const auto& rule : t.policy.rules) {
    if (!rule.condition.is_object()) {
      continue;
    }
    for (const auto& [fact, ignored] : rule.condition.items()) {
      if (fact.starts_with("evidence.")) {
        in.problem("accepts", "holds \"passport\", which shows no Evidence, but " + rule.place +
                                  " is about \"" + fact + "\"");
      }
    }
  }
}

void check_passports(object_reader& in, const config& whole, const settings& t) {
  const bool is_named =
      std::ranges::find(t.accepts, attestation_model::passport) != t.accepts.end();
  if (in.has("passport") && !t.presents_passport && !is_named) {
    in.problem("passport",
               "is given, but \"attest\" is not \"passport\" and \"accepts\" does not hold it");
  }
  if (!t.does_accept(attestation_model::passport)) {
    return;
  }
  const auto has_key = [](const config::verifier_settings& one) {
    return !one.result_keys.empty();
  };
  if (!whole.verifiers.empty() && std::ranges::none_of(whole.verifiers, has_key)) {
    in.problem("accepts",
               "holds \"passport\", but no \"verifier\" has the \"result_key\" that passports "
               "are checked with");
  }
  if (!t.peer.kids.empty()) {
    in.problem("peer.kid",
               "is given, but \"accepts\" holds \"passport\", which does not name its machine");
  }
  check_rules_on_passports(in, t);
}

void check_times(object_reader& in, const settings& t) {
  const auto& limits = t.limits;
  if (t.resumption.count() != 0 && t.resumption < std::chrono::seconds(1)) {
    in.problem("resumption", "is less than a second");
  }
  const bool is_out_of_order =
      limits.hard_result_age < limits.result_age || limits.result_age.count() == 0;
  if (limits.hard_result_age.count() != 0 && is_out_of_order) {
    in.problem("hard_result_age", "expected no less than a \"max_result_age\"");
  }
}

void check_peer(object_reader& in, const settings& t) {
  const auto& peer = t.peer;
  if (!peer.names.empty() && peer.ca.empty()) {
    in.problem("peer.names", "are given without \"ca\": nobody vouches for a name");
  }
  if (!peer.crls.empty() && peer.ca.empty()) {
    in.problem("peer.crl", "is given without \"ca\": no certificate would be looked up in it");
  }
  if (!is_ingress(t) && !peer.ca.empty() && peer.names.empty()) {
    in.problem("peer.names", "are missing: with \"ca\" alone any certificate of it would do");
  }
  const bool is_authenticated = t.require_attestation || !peer.ca.empty();
  if (is_authenticated && peer.unsafe_unauthenticated) {
    in.problem("peer.unsafe_unauthenticated", "contradicts \"require_attestation\" or \"ca\"");
  }
  if (!is_authenticated && !peer.unsafe_unauthenticated) {
    in.problem("peer",
               "nothing authenticates the peer; expected \"require_attestation\": true, "
               "\"ca\", or \"unsafe_unauthenticated\": true");
  }
}

}  // namespace

void check_tunnel(object_reader& in, const config& whole, const settings& t) {
  check_ends(in, t);
  check_own_attestation(in, whole, t);
  check_demands(in, whole, t);
  check_freshness(in, t);
  check_passports(in, whole, t);
  check_times(in, t);
  check_peer(in, t);
}

}  // namespace atls
