#include "appraisal/relying_party.hpp"

#include "appraisal/policy/facts.hpp"
#include "appraisal/transport/answering.hpp"
#include "appraisal/transport/verifier_client.hpp"
#include "core/attempt.hpp"
#include "core/requester.hpp"
#include "schemes/parsec_tpm/evidence.hpp"
#include "schemes/parsec_tpm/pcr_findings.hpp"

#include <atomic>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/steady_timer.hpp>

namespace atls {

namespace asio = boost::asio;

namespace {

// Counts itself as long as it lives.
class counted {
 public:
  explicit counted(std::atomic<std::size_t>& in) : in_(in) { ++in_; }
  ~counted() { --in_; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;

 private:
  std::atomic<std::size_t>& in_;
};

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
                                                    std::string source,
                                                    std::function<bool()> is_abandoned) {
    // Steps 1 to 4: what needs no Verifier.
    auto evidence =
        check_evidence(request.cmw, {request.media_type, request.binder, request.leaf_spki,
                                     policy->required_pcrs, policy->allowed_kids});
    if (!evidence) {
      co_return evidence.error();
    }

    // Step 5: the Verifier.
    const auto started = std::chrono::steady_clock::now();
    submission what{request.binder, evidence->media_type, evidence->evidence, std::move(source),
                    std::move(is_abandoned)};
    auto answered = co_await submit(ask, std::move(what));
    if (!answered) {
      co_return answered.error();
    }
    const auto verifier_time = std::chrono::steady_clock::now() - started;
    if (request.trace) {
      *request.trace = {answered->from->name(), answered->token, verifier_time};
    }

    // Steps 6 and 7: what it said, under the local policy.
    auto ear = co_await check(std::move(*answered), request, *policy);
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

  // The first Verifier that answers; each has its own time.
  static asio::awaitable<result<answer>> submit(const verifiers& ask, submission what) {
    failure why(errc::verifier_unavailable, "all are resting after failures");
    for (const auto& one : ask) {
      if (what.is_abandoned()) {
        co_return failure(errc::cancelled);
      }
      if (!one->admits()) {
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

  // A key that the Verifier has changed since is looked for once. Whatever else a result is refused
  // for, no other Verifier is asked: verdicts are not shopped for.
  static asio::awaitable<result<verified_ear>> check(answer given, const appraisal_request& request,
                                                     const appraisal_policy& policy) {
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
    const auto deadline = std::chrono::steady_clock::now() + given.from->timeout();
    auto keys = co_await given.from->keys(deadline);
    if (!keys) {
      co_return keys.error();
    }
    auto checked = with(*keys);
    if (!is_for_another_key(checked)) {
      co_return checked;
    }
    keys = co_await given.from->newer_keys(deadline);
    if (!keys) {
      co_return failure(checked.error().code, "and there is no newer key: " + keys.error().detail);
    }
    co_return with(*keys);
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
  explicit implementation(const relying_party_options& options)
      : verifiers_(connect(io_, options)), thread_([this] { run_to_the_end(io_); }) {}

  ~implementation() {
    work_.reset();
    io_.stop();
    thread_.join();
  }

  result<attested_peer> appraise(appraisal_request request,
                                 std::shared_ptr<const appraisal_policy> policy) {
    auto answer = std::make_shared<pending<attested_peer>>();
    std::function<bool()> is_abandoned = [answer] { return answer->is_abandoned(); };
    spawn_answering(io_,
                    run(verifiers_, std::move(request), std::move(policy), requester::current(),
                        std::move(is_abandoned)),
                    answer);
    return answer->wait(std::chrono::steady_clock::now() + longest(), errc::verifier_timeout);
  }

  result<void> check(steady_time deadline) {
    auto answer = std::make_shared<pending<bool>>();
    spawn_answering(io_, check_each(verifiers_, deadline), answer);
    ATLS_CHECK(answer->wait(deadline + margin, errc::verifier_timeout));
    return {};
  }

  counters count() const {
    const std::lock_guard lock(mutex_);
    auto out = counters_;
    out.in_flight = in_flight_;
    return out;
  }

 private:
  // Owned by the coroutines as well, which hold places in their queues.
  using shared_verifiers = std::shared_ptr<const appraisal::verifiers>;
  // Lets an appraisal's own, more telling failure arrive first.
  static constexpr auto margin = std::chrono::seconds(1);

  static shared_verifiers connect(asio::io_context& io, const relying_party_options& options) {
    // Asio opens its descriptors with the first timer: a lack of them is to show now, and not in
    // the first handshake.
    const asio::steady_timer opens_descriptors(io);
    auto out = std::make_shared<appraisal::verifiers>();
    for (const auto& one : options.verifiers) {
      out->push_back(std::make_unique<verifier_client>(io, one));
    }
    return out;
  }

  std::chrono::milliseconds longest() const {
    std::chrono::milliseconds out = margin;
    for (const auto& one : *verifiers_) {
      out += one->timeout();
    }
    return out;
  }

  asio::awaitable<result<attested_peer>> run(shared_verifiers ask, appraisal_request request,
                                             std::shared_ptr<const appraisal_policy> policy,
                                             std::string source,
                                             std::function<bool()> is_abandoned) {
    const counted me(in_flight_);
    auto outcome = co_await appraisal::run(*ask, std::move(request), std::move(policy),
                                           std::move(source), std::move(is_abandoned));
    account_for(outcome ? errc::ok : outcome.error().code);
    co_return outcome;
  }

  void account_for(errc outcome) {
    const std::lock_guard lock(mutex_);
    ++counters_.appraisals;
    ++counters_.outcomes[outcome];
    counters_.verifier_requests = 0;
    for (const auto& one : *verifiers_) {
      counters_.verifier_requests += one->requests();
      for (const auto& [why, count] : one->submissions()) {
        counters_.submissions[{one->name(), why}] = count;
      }
    }
  }

  // Each has its share of the time.
  static asio::awaitable<result<bool>> check_each(shared_verifiers ask, steady_time deadline) {
    failure why(errc::verifier_unavailable);
    auto left = static_cast<long>(ask->size());
    for (const auto& one : *ask) {
      const auto now = std::chrono::steady_clock::now();
      const auto share = (deadline - now) / left;
      --left;
      const auto found = co_await one->check(now + share);
      if (found) {
        co_return true;
      }
      why = found.error();
    }
    co_return why;
  }

  // First: coroutines that the io_context ends refer to it.
  std::atomic<std::size_t> in_flight_ = 0;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  shared_verifiers verifiers_;
  mutable std::mutex mutex_;
  counters counters_;   // under the mutex
  std::thread thread_;  // last: it uses all of the above
};

relying_party::relying_party(relying_party_options options)
    : implementation_(std::make_unique<implementation>(options)) {}

relying_party::~relying_party() = default;

const attestation_schemes& relying_party::accepts() const noexcept {
  static const attestation_schemes all{
      attestation_scheme::evidence(parsec_tpm_evidence::media_type)};
  return all;
}

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
