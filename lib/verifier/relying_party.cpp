#include "verifier/relying_party.hpp"

#include "evidence/parsec_tpm.hpp"
#include "verifier/verifier_client.hpp"

#include <atomic>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace atls {

namespace asio = boost::asio;

// One appraisal, from the request to the answer.
class appraisal {
 public:
  static asio::awaitable<result<attested_peer>> run(verifier_client& client,
                                                    const jws_key& result_key,
                                                    appraisal_request request,
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
    auto token = co_await client.submit(request.binder, evidence->media_type,
                                        std::move(evidence->evidence), deadline);
    if (!token) {
      co_return token.error();
    }
    const auto verifier_time = std::chrono::steady_clock::now() - started;

    // Steps 6 and 7: what it said, under the local policy.
    auto ear = check_ear(std::move(*token), {.key = result_key,
                                             .nonce = request.binder,
                                             .leaf_spki = request.leaf_spki,
                                             .submodule = parsec_tpm_evidence::scheme,
                                             .max_age = policy->max_result_age,
                                             .clock_skew = policy->clock_skew,
                                             .verifier_developer = policy->verifier_developer,
                                             .verifier_build = policy->verifier_build,
                                             .policy_id = policy->policy_id,
                                             .now = std::chrono::system_clock::now()});
    if (!ear) {
      co_return ear.error();
    }
    co_return attested_peer(*evidence, std::move(*ear), verifier_time);
  }
};

class relying_party::implementation {
 public:
  explicit implementation(relying_party_options options)
      : options_(std::move(options)),
        client_(io_, url::parse(options_.url).value(), options_.ca_file),
        thread_([this] { io_.run(); }) {}

  ~implementation() {
    work_.reset();
    io_.stop();
    thread_.join();
  }

  result<attested_peer> appraise(appraisal_request request,
                                 std::shared_ptr<const appraisal_policy> policy) {
    if (in_flight_.fetch_add(1) >= options_.max_in_flight) {
      --in_flight_;
      return failure(errc::verifier_overloaded,
                     std::to_string(options_.max_in_flight) + " are in flight");
    }
    ++appraisals_;
    const auto deadline = std::chrono::steady_clock::now() + options_.timeout;
    auto answer = std::make_shared<pending<attested_peer>>();
    asio::co_spawn(io_, run(std::move(request), std::move(policy), deadline, answer),
                   asio::detached);
    // The margin lets the appraisal's own, more telling failure arrive first.
    return answer->wait(deadline + std::chrono::seconds(1), errc::verifier_timeout);
  }

  counters count() const noexcept {
    return {appraisals_.load(), requests_.load(), in_flight_.load()};
  }

 private:
  asio::awaitable<void> run(appraisal_request request,
                            std::shared_ptr<const appraisal_policy> policy, steady_time deadline,
                            std::shared_ptr<pending<attested_peer>> answer) {
    try {
      auto outcome = co_await appraisal::run(client_, options_.result_key, std::move(request),
                                             std::move(policy), deadline);
      answer->complete(std::move(outcome));
    } catch (const std::exception& e) {
      answer->complete(failure(errc::internal, e.what()));
    }
    requests_ = client_.requests();
    --in_flight_;
  }

  const relying_party_options options_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  verifier_client client_;
  std::atomic<std::uint64_t> appraisals_ = 0;
  std::atomic<std::uint64_t> requests_ = 0;
  std::atomic<std::size_t> in_flight_ = 0;
  std::thread thread_;  // last: it uses all of the above
};

relying_party::relying_party(relying_party_options options)
    : implementation_(std::make_unique<implementation>(std::move(options))) {}

relying_party::~relying_party() = default;

result<attested_peer> relying_party::appraise(appraisal_request request,
                                              std::shared_ptr<const appraisal_policy> policy) {
  return implementation_->appraise(std::move(request), std::move(policy));
}

relying_party::counters relying_party::count() const noexcept {
  return implementation_->count();
}

}  // namespace atls
