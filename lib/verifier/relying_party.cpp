#include "verifier/relying_party.hpp"

#include "evidence/parsec_tpm.hpp"
#include "verifier/facts.hpp"
#include "verifier/pcr_findings.hpp"
#include "verifier/turnstile.hpp"
#include "verifier/verifier_client.hpp"

#include <atomic>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace atls {

namespace asio = boost::asio;

namespace {

result<void> judge_rules(const appraisal_policy& policy, bytes_view evidence, const ear& claims,
                         const std::string& pki_name) {
  if (policy.rules.empty()) {
    return {};
  }
  ATLS_TRY(auto of_evidence, evidence_facts(evidence));
  ATLS_TRY(auto of_ear, ear_facts(claims, std::chrono::system_clock::now()));
  return judge(policy.rules, appraisal_facts(std::move(of_evidence), std::move(of_ear), pki_name));
}

// What a Verifier does not affirm are PCRs more often than not.
failure explained(failure why, const checked_evidence& evidence,
                  const parsec_tpm_endorsements& known) {
  if (why.code == errc::ear_not_affirming) {
    why.detail += "; " + describe_pcrs(evidence.pcrs, evidence.pcr_digest, evidence.kid, known);
  }
  return why;
}

}  // namespace

// One appraisal, from the request to the answer.
class appraisal {
 public:
  using verifiers = std::vector<std::unique_ptr<verifier_client>>;

  static asio::awaitable<result<attested_peer>> run(const verifiers& ask, appraisal_request request,
                                                    std::shared_ptr<const appraisal_policy> policy,
                                                    steady_time deadline) {
    // Steps 1 to 4: what needs no Verifier.
    auto evidence =
        check_evidence(request.cmw, {request.media_type, request.binder, request.leaf_spki,
                                     policy->required_pcrs, policy->allowed_kids});
    if (!evidence) {
      co_return evidence.error();
    }

    // Step 5: the Verifier.
    const auto started = std::chrono::steady_clock::now();
    auto answered = co_await submit(ask, request.binder, *evidence, deadline);
    if (!answered) {
      co_return answered.error();
    }
    const auto verifier_time = std::chrono::steady_clock::now() - started;
    if (request.trace) {
      *request.trace = {answered->from->name(), answered->token, verifier_time};
    }

    // Steps 6 and 7: what it said, under the local policy.
    auto ear = co_await check(std::move(*answered), request, *policy, deadline);
    if (!ear) {
      co_return explained(ear.error(), *evidence, policy->known);
    }
    const auto judged = judge_rules(*policy, evidence->evidence, ear->claims(), request.pki_name);
    if (!judged && !policy->dry_run) {
      co_return judged.error();
    }
    co_return attested_peer(*evidence, std::move(*ear),
                            judged ? std::nullopt : std::optional(judged.error()), verifier_time);
  }

 private:
  struct answer {
    std::string token;
    verifier_client* from;
  };

  // The first Verifier that answers. One that does not leaves the others their share of the time.
  static asio::awaitable<result<answer>> submit(const verifiers& ask, const bytes& nonce,
                                                const checked_evidence& evidence,
                                                steady_time deadline) {
    failure why(errc::verifier_unavailable, "all are resting after failures");
    for (std::size_t i = 0; i < ask.size(); ++i) {
      if (!ask[i]->admits()) {
        continue;
      }
      const auto now = std::chrono::steady_clock::now();
      const auto share = (deadline - now) / static_cast<long>(ask.size() - i);
      auto token =
          co_await ask[i]->submit(nonce, evidence.media_type, evidence.evidence, now + share);
      if (token) {
        co_return answer{std::move(*token), ask[i].get()};
      }
      why = token.error();
    }
    co_return why;
  }

  // A key that the Verifier has changed since is looked for once. Whatever else a result is refused
  // for, no other Verifier is asked: verdicts are not shopped for.
  static asio::awaitable<result<verified_ear>> check(answer given, const appraisal_request& request,
                                                     const appraisal_policy& policy,
                                                     steady_time deadline) {
    const auto with = [&](const result_keys::list& keys) {
      result<verified_ear> out = failure(errc::ear_signature, "no key is known");
      for (const auto& key : keys) {
        out = check_ear(given.token, {.key = *key,
                                      .nonce = request.binder,
                                      .leaf_spki = request.leaf_spki,
                                      .submodule = parsec_tpm_evidence::scheme,
                                      .max_age = policy.max_result_age,
                                      .clock_skew = policy.clock_skew,
                                      .verifier_developer = policy.verifier_developer,
                                      .verifier_build = policy.verifier_build,
                                      .policy_id = policy.policy_id,
                                      .now = std::chrono::system_clock::now()});
        if (!is_for_another_key(out)) {
          break;
        }
      }
      return out;
    };
    auto keys = co_await given.from->keys(deadline);
    if (!keys) {
      co_return keys.error();
    }
    auto checked = with(*keys);
    if (is_for_another_key(checked)) {
      keys = co_await given.from->newer_keys(deadline);
      if (keys) {
        checked = with(*keys);
      }
    }
    co_return checked;
  }

  static bool is_for_another_key(const result<verified_ear>& checked) {
    return !checked && (checked.error().code == errc::ear_signature ||
                        checked.error().code == errc::ear_algorithm);
  }
};

result<void> judge_again(const attested_peer& peer, const appraisal_policy& policy,
                         const std::string& pki_name) {
  const ear& claims = peer.result().claims();
  ATLS_CHECK(check_kid(peer.kid(), policy.allowed_kids));
  ATLS_CHECK(check_pcrs(peer.pcrs(), policy.required_pcrs));
  ATLS_CHECK(check_verifier_id(claims, policy.verifier_developer, policy.verifier_build));
  ATLS_CHECK(check_policy_id(claims.submodules.begin()->second, policy.policy_id));
  const auto judged = judge_rules(policy, peer.evidence(), claims, pki_name);
  return policy.dry_run ? result<void>() : judged;
}

class relying_party::implementation {
 public:
  explicit implementation(relying_party_options options)
      : options_(std::move(options)),
        verifiers_(connect(io_, options_)),
        thread_([this] { io_.run(); }) {}

  ~implementation() {
    work_.reset();
    io_.stop();
    thread_.join();
  }

  result<attested_peer> appraise(appraisal_request request,
                                 std::shared_ptr<const appraisal_policy> policy) {
    const auto limit = options_.max_concurrent + options_.max_waiting;
    if (in_flight_.fetch_add(1) >= limit) {
      --in_flight_;
      return failure(errc::verifier_overloaded, std::to_string(limit) + " are in flight");
    }
    const auto deadline = std::chrono::steady_clock::now() + options_.timeout;
    auto answer = std::make_shared<pending<attested_peer>>();
    asio::co_spawn(io_, run(std::move(request), std::move(policy), deadline, answer),
                   asio::detached);
    // The margin lets the appraisal's own, more telling failure arrive first.
    return answer->wait(deadline + std::chrono::seconds(1), errc::verifier_timeout);
  }

  result<void> check(steady_time deadline) {
    auto answer = std::make_shared<pending<bool>>();
    asio::co_spawn(io_, check_each(deadline, answer), asio::detached);
    ATLS_CHECK(answer->wait(deadline + std::chrono::seconds(1), errc::verifier_timeout));
    return {};
  }

  counters count() const {
    const std::lock_guard lock(mutex_);
    auto out = counters_;
    out.in_flight = in_flight_;
    return out;
  }

 private:
  static appraisal::verifiers connect(asio::io_context& io, const relying_party_options& options) {
    appraisal::verifiers out;
    for (const auto& one : options.verifiers) {
      out.push_back(std::make_unique<verifier_client>(io, one));
    }
    return out;
  }

  asio::awaitable<result<attested_peer>> appraise_in_turn(
      appraisal_request request, std::shared_ptr<const appraisal_policy> policy,
      steady_time deadline) {
    if (!co_await turns_.enter(deadline)) {
      co_return failure(errc::verifier_overloaded, "its turn did not come in time");
    }
    try {
      auto outcome =
          co_await appraisal::run(verifiers_, std::move(request), std::move(policy), deadline);
      turns_.leave();
      co_return outcome;
    } catch (...) {
      turns_.leave();
      throw;
    }
  }

  asio::awaitable<void> run(appraisal_request request,
                            std::shared_ptr<const appraisal_policy> policy, steady_time deadline,
                            std::shared_ptr<pending<attested_peer>> answer) {
    result<attested_peer> outcome = failure(errc::internal);
    try {
      outcome = co_await appraise_in_turn(std::move(request), std::move(policy), deadline);
    } catch (const std::exception& e) {
      outcome = failure(errc::internal, e.what());
    }
    account_for(outcome ? errc::ok : outcome.error().code);
    answer->complete(std::move(outcome));
    --in_flight_;
  }

  void account_for(errc outcome) {
    const std::lock_guard lock(mutex_);
    ++counters_.appraisals;
    ++counters_.outcomes[outcome];
    counters_.verifier_requests = 0;
    for (const auto& one : verifiers_) {
      counters_.verifier_requests += one->requests();
      for (const auto& [why, count] : one->submissions()) {
        counters_.submissions[{one->name(), why}] = count;
      }
    }
  }

  asio::awaitable<void> check_each(steady_time deadline, std::shared_ptr<pending<bool>> answer) {
    failure why(errc::verifier_unavailable);
    for (const auto& one : verifiers_) {
      const auto reached = co_await one->reach(deadline);
      if (reached) {
        answer->complete(true);
        co_return;
      }
      why = reached.error();
    }
    answer->complete(why);
  }

  const relying_party_options options_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  appraisal::verifiers verifiers_;
  turnstile turns_{io_, options_.max_concurrent};
  std::atomic<std::size_t> in_flight_ = 0;
  mutable std::mutex mutex_;
  counters counters_;   // under the mutex
  std::thread thread_;  // last: it uses all of the above
};

relying_party::relying_party(relying_party_options options)
    : implementation_(std::make_unique<implementation>(std::move(options))) {}

relying_party::~relying_party() = default;

result<attested_peer> relying_party::appraise(appraisal_request request,
                                              std::shared_ptr<const appraisal_policy> policy) {
  return implementation_->appraise(std::move(request), std::move(policy));
}

result<void> relying_party::check(steady_time deadline) {
  return implementation_->check(deadline);
}

relying_party::counters relying_party::count() const {
  return implementation_->count();
}

}  // namespace atls
