#include "appraisal/relying_party.hpp"

#include "appraisal/appraisal.hpp"
#include "appraisal/transport/answering.hpp"
#include "appraisal/transport/check_each.hpp"
#include "core/attempt.hpp"
#include "core/requester.hpp"

#include <algorithm>
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

}  // namespace

class relying_party::implementation {
 public:
  explicit implementation(const relying_party_options& options)
      : verifiers_(connect(io_, options)), thread_([this] { run_to_the_end(io_); }) {}

  ~implementation() {
    work_.reset();
    io_.stop();
    thread_.join();
  }

  attestation_schemes accepts(const appraisal_policy& policy) const {
    attestation_schemes out;
    for (const auto model : policy.accepts) {
      std::ranges::move(model == attestation_model::passport ? issuers() : types_of(policy),
                        std::back_inserter(out));
    }
    return out;
  }

  result<attested_peer> appraise(appraisal_request request,
                                 std::shared_ptr<const appraisal_policy> policy) {
    if (request.scheme && request.scheme->model() == attestation_model::passport) {
      auto outcome = appraisal::of_passport(request, keys_of(request.scheme->name()), *policy);
      account_for(outcome ? errc::ok : outcome.error().code);
      return outcome;
    }
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

  attestation_schemes types_of(const appraisal_policy& policy) const {
    attestation_schemes out;
    for (const auto& scheme : policy.schemes) {
      if (std::ranges::any_of(*verifiers_, [&](const auto& one) { return one->judges(*scheme); })) {
        out.push_back(attestation_scheme::evidence(scheme->media_type()));
      }
    }
    return out;
  }

  // Verifiers whose passports can be checked without asking anybody.
  attestation_schemes issuers() const {
    attestation_schemes out;
    for (const auto& one : *verifiers_) {
      if (!one->pinned_keys().empty()) {
        out.push_back(attestation_scheme::result_of(one->identity()));
      }
    }
    return out;
  }

  jws_keys keys_of(std::string_view identity) const {
    jws_keys out;
    for (const auto& one : *verifiers_) {
      if (one->identity() == identity) {
        std::ranges::copy(one->pinned_keys(), std::back_inserter(out));
      }
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
    auto outcome = co_await appraisal::of_evidence(*ask, std::move(request), std::move(policy),
                                                   std::move(source), std::move(is_abandoned));
    account_for(outcome ? errc::ok : outcome.error().code);
    account_for_verifiers();
    co_return outcome;
  }

  void account_for(errc outcome) {
    const std::lock_guard lock(mutex_);
    ++counters_.appraisals;
    ++counters_.outcomes[outcome];
  }

  // On the control thread, where the Verifiers count.
  void account_for_verifiers() {
    const std::lock_guard lock(mutex_);
    counters_.verifier_requests = 0;
    for (const auto& one : *verifiers_) {
      counters_.verifier_requests += one->requests();
      for (const auto& [why, count] : one->submissions()) {
        counters_.submissions[{one->name(), why}] = count;
      }
    }
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

attestation_schemes relying_party::accepts(const appraisal_policy& policy) const {
  return implementation_->accepts(policy);
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

tunnel_appraiser::tunnel_appraiser(std::shared_ptr<relying_party> by,
                                   std::shared_ptr<const appraisal_policy> policy)
    : by_(std::move(by)), policy_(std::move(policy)), accepts_(by_->accepts(*policy_)) {}

result<attested_peer> tunnel_appraiser::appraise(appraisal_request request) {
  return by_->appraise(std::move(request), policy_);
}

result<void> tunnel_appraiser::judge_again(const attested_peer& peer,
                                           const std::string& pki_name) const {
  return appraisal::again(peer, *policy_, pki_name);
}

}  // namespace atls
