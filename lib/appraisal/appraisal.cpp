#include "appraisal/appraisal.hpp"

#include "appraisal/passport_check.hpp"
#include "appraisal/policy/facts.hpp"
#include "appraisal/result_of.hpp"
#include "formats/cmw.hpp"
#include "schemes/certificate_evidence.hpp"

#include <algorithm>

namespace atls {

namespace asio = boost::asio;

struct appraisal::answer {
  std::string token;
  verifier_client* from;
};

namespace {

// The Evidence inside its CMW, which must be of the type that was agreed upon.
result<bytes> unwrap(bytes_view cmw, std::string_view agreed) {
  ATLS_TRY(auto record, parse_cmw_record(cmw));
  const auto* media_type = std::get_if<std::string>(&record.type);
  if (media_type == nullptr || *media_type != agreed) {
    return failure(errc::evidence_type_unexpected,
                   "found " + (media_type != nullptr ? *media_type : "a content-format") +
                       ", negotiated " + std::string(agreed));
  }
  if (record.indicator != 0 && record.indicator != cmw_record::evidence) {
    return failure(errc::cmw_malformed, "its indicator does not say Evidence");
  }
  return std::move(record.value);
}

failure not_taken(std::string_view media_type) {
  return {errc::evidence_type_unexpected, "this tunnel does not take " + std::string(media_type)};
}

// Evidence without what it came in.
struct found_evidence {
  std::string media_type;
  bytes content;
  // What it must be bound to.
  bytes binding;
};

result<found_evidence> find_evidence(const appraisal_request& request,
                                     const appraisal_policy& policy) {
  if (request.scheme) {
    auto agreed = request.scheme->name();
    ATLS_TRY(auto evidence, unwrap(request.cmw, agreed));
    return found_evidence{std::move(agreed), std::move(evidence), request.binder};
  }
  if (!policy.takes_certificates) {
    return failure(errc::evidence_type_unexpected,
                   "this tunnel does not take Evidence in certificates");
  }
  ATLS_TRY(auto carried, read_certificate_evidence(request.certificate, request.leaf_spki));
  return found_evidence{std::string(carried.media_type), std::move(carried.evidence),
                        std::move(carried.binding)};
}

// As "accepts" of a tunnel names it.
std::string_view kind_of(const std::optional<statement>& evidence) {
  return !evidence ? "passport" : evidence->is_fresh ? "evidence" : "ra-tls";
}

bool accepts(const appraisal_policy& policy, const std::optional<statement>& evidence) {
  if (evidence && !evidence->is_fresh) {
    return policy.takes_certificates;
  }
  const auto model = evidence ? attestation_model::background_check : attestation_model::passport;
  return std::ranges::find(policy.accepts, model) != policy.accepts.end();
}

result<void> check_instance(const bytes& instance, const std::vector<bytes>& allowed) {
  if (!allowed.empty() && std::ranges::find(allowed, instance) == allowed.end()) {
    return failure(errc::kid_not_allowed, "found " + to_hex(instance));
  }
  return {};
}

result<void> judge_rules(const appraisal_policy& policy, const json& evidence, const ear& claims,
                         const std::string& pki_name) {
  if (policy.rules.empty()) {
    return {};
  }
  return judge(
      policy.rules,
      appraisal_facts(evidence, ear_facts(claims, std::chrono::system_clock::now()), pki_name));
}

// What a Verifier does not affirm is the platform more often than not.
failure explained(failure why, const evidence_scheme& scheme, const statement& evidence) {
  const auto findings =
      why.code == errc::ear_not_affirming ? scheme.findings(evidence) : std::string();
  why.detail += findings.empty() ? "" : "; " + findings;
  return why;
}

}  // namespace

asio::awaitable<result<attested_peer>> appraisal::of_evidence(
    const verifiers& ask, appraisal_request request, std::shared_ptr<const appraisal_policy> policy,
    std::string source, std::function<bool()> is_abandoned) {
  // Steps 1 to 4: what needs no Verifier.
  const auto evidence = check(request, *policy);
  if (!evidence) {
    co_return evidence.error();
  }

  // Step 5: the Verifier.
  const auto started = std::chrono::steady_clock::now();
  submission what{.scheme = evidence->scheme,
                  .evidence = evidence->content,
                  .nonce = evidence->nonce,
                  .source = std::move(source),
                  .is_abandoned = std::move(is_abandoned)};
  auto answered = co_await submit(ask, std::move(what));
  if (!answered) {
    co_return answered.error();
  }
  const auto verifier_time = std::chrono::steady_clock::now() - started;
  if (request.trace) {
    *request.trace = {answered->from->name(), answered->token, verifier_time};
  }

  // Steps 6 and 7: what it said, under the local policy.
  // Whatever a result is refused for, no other Verifier is asked: verdicts are not shopped for.
  auto binding = answered->from->dialect().binding(*evidence->scheme, *evidence->content,
                                                   evidence->nonce, request.leaf_spki);
  auto ear = co_await result_of(*answered->from, std::move(answered->token), std::move(binding),
                                policy->results);
  if (!ear) {
    co_return explained(ear.error(), *evidence->scheme, *evidence->content);
  }
  const auto judged =
      judge_rules(*policy, evidence->content->facts, ear->claims(), request.pki_name);
  if (!judged && !policy->dry_run) {
    co_return judged.error();
  }
  co_return attested_peer(*evidence->content, std::move(*ear),
                          judged ? std::nullopt : std::optional(judged.error()), verifier_time);
}

result<appraisal::checked_evidence> appraisal::check(const appraisal_request& request,
                                                     const appraisal_policy& policy) {
  ATLS_TRY(auto found, find_evidence(request, policy));
  const auto scheme = find_scheme(policy.schemes, found.media_type);
  if (!scheme) {
    return not_taken(found.media_type);
  }
  ATLS_TRY(auto content, scheme->check(found.content, {found.binding, request.leaf_spki}));
  content.is_fresh = request.scheme.has_value();
  ATLS_CHECK(check_instance(content.instance, policy.allowed_instances));
  return checked_evidence{scheme, std::make_shared<const statement>(std::move(content)),
                          std::move(found.binding)};
}

// The first Verifier for this Evidence that answers; each has its own time.
asio::awaitable<result<appraisal::answer>> appraisal::submit(const verifiers& ask,
                                                             submission what) {
  failure why(errc::verifier_evidence_type,
              "no Verifier is configured for " + what.evidence->media_type);
  for (const auto& one : ask) {
    if (what.is_abandoned()) {
      co_return failure(errc::cancelled);
    }
    if (!one->judges(*what.scheme)) {
      continue;
    }
    if (!one->admits()) {
      if (why.code == errc::verifier_evidence_type) {
        why = failure(errc::verifier_unavailable, "all are resting after failures");
      }
      continue;
    }
    auto token = co_await one->submit(what);
    if (token) {
      co_return answer{std::move(*token), one.get()};
    }
    why = token.error();
  }
  co_return why;
}

result<attested_peer> appraisal::of_passport(const appraisal_request& request, const jws_keys& keys,
                                             const appraisal_policy& policy) {
  ATLS_TRY(auto ear, check_passport(request.cmw, {.keys = keys,
                                                  .leaf_spki = request.leaf_spki,
                                                  .binder = request.binder,
                                                  .is_fresh = policy.passports.is_fresh,
                                                  .max_age = policy.passports.max_age,
                                                  .schemes = policy.schemes,
                                                  .results = policy.results}));
  if (request.trace) {
    *request.trace = {request.scheme->name(), ear.token(), {}};
  }
  const auto judged = judge_rules(policy, json(), ear.claims(), request.pki_name);
  if (!judged && !policy.dry_run) {
    return judged.error();
  }
  return attested_peer(std::nullopt, std::move(ear),
                       judged ? std::nullopt : std::optional(judged.error()), {});
}

result<void> appraisal::again(const attested_peer& peer, const appraisal_policy& policy,
                              const std::string& pki_name) {
  const auto& evidence = peer.evidence();
  if (!accepts(policy, evidence)) {
    return failure(errc::evidence_type_unexpected, "\"accepts\" of this tunnel does not list \"" +
                                                       std::string(kind_of(evidence)) +
                                                       "\", which the peer presented");
  }
  if (evidence) {
    const auto scheme = find_scheme(policy.schemes, evidence->media_type);
    if (!scheme) {
      return not_taken(evidence->media_type);
    }
    ATLS_CHECK(check_instance(evidence->instance, policy.allowed_instances));
    ATLS_CHECK(scheme->recheck(*evidence));
  }
  const auto& claims = peer.result().claims();
  ATLS_CHECK(policy.results.check_origin(claims));
  const auto judged = judge_rules(policy, evidence ? evidence->facts : json(), claims, pki_name);
  return policy.dry_run ? result<void>() : judged;
}

}  // namespace atls
