#include "appraisal/appraisal.hpp"

#include "appraisal/passport_check.hpp"
#include "appraisal/policy/facts.hpp"
#include "appraisal/result_of.hpp"
#include "formats/cmw.hpp"

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
                  .nonce = request.binder,
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
                                                   request.binder, request.leaf_spki);
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
  const auto agreed = request.scheme.name();
  const auto scheme = find_scheme(policy.schemes, agreed);
  if (!scheme) {
    return failure(errc::evidence_type_unexpected, "this tunnel does not take " + agreed);
  }
  ATLS_TRY(const bytes evidence, unwrap(request.cmw, agreed));
  ATLS_TRY(auto content, scheme->check(evidence, {request.binder, request.leaf_spki}));
  ATLS_CHECK(check_instance(content.instance, policy.allowed_instances));
  return checked_evidence{scheme, std::make_shared<const statement>(std::move(content))};
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
    *request.trace = {request.scheme.name(), ear.token(), {}};
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
  const auto model = evidence ? attestation_model::background_check : attestation_model::passport;
  if (std::ranges::find(policy.accepts, model) == policy.accepts.end()) {
    return failure(errc::evidence_type_unexpected,
                   std::string("\"accepts\" of this tunnel does not list \"") +
                       (evidence ? "evidence" : "passport") + "\", which the peer presented");
  }
  if (evidence) {
    const auto scheme = find_scheme(policy.schemes, evidence->media_type);
    if (!scheme) {
      return failure(errc::evidence_type_unexpected,
                     "this tunnel does not take " + evidence->media_type);
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
