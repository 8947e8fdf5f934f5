#include "attester/passport_presenter.hpp"

#include "appraisal/transport/answering.hpp"
#include "appraisal/transport/check_each.hpp"
#include "attester/passport_issuer.hpp"
#include "core/attempt.hpp"

#include <algorithm>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>

namespace atls {

namespace asio = boost::asio;

namespace {

using shared_issuer = std::shared_ptr<passport_issuer>;
using issuers = std::vector<shared_issuer>;

/// Lets the Verifier client's own, more telling failure arrive first.
constexpr auto margin = std::chrono::seconds(1);

}  // namespace

class passport_presenter::implementation {
 public:
  explicit implementation(passport_presenter_options options)
      : options_(std::make_shared<const passport_presenter_options>(std::move(options))),
        issuers_(connect(io_, options_)) {
    if (!options_->is_fresh) {
      for (const auto& one : issuers_) {
        tried_.push_back(std::make_shared<pending<bool>>());
        asio::co_spawn(io_, passport_issuer::keep_current(one, tried_.back()), asio::detached);
      }
    }
    thread_ = std::thread([this] { run_to_the_end(io_); });
  }

  ~implementation() {
    work_.reset();
    io_.stop();
    thread_.join();
  }

  void wait_for_first(steady_time deadline) {
    for (const auto& one : tried_) {
      (void)one->wait(deadline, errc::verifier_timeout);
    }
  }

  attestation_schemes offers() const {
    attestation_schemes out;
    for (const auto& one : issuers_) {
      if (options_->is_fresh || one->has_valid()) {
        out.push_back(one->scheme());
      }
    }
    return out;
  }

  result<bytes> present(const attestation_scheme& scheme, bytes_view binder, steady_time deadline) {
    const auto found =
        std::ranges::find_if(issuers_, [&](const auto& one) { return one->scheme() == scheme; });
    if (found == issuers_.end()) {
      return failure(errc::passport_unavailable,
                     scheme.text() + ": no such Verifier is configured");
    }
    return options_->is_fresh ? present_fresh(*found, binder, deadline) : (*found)->current();
  }

  result<void> check(steady_time deadline) {
    if (options_->is_fresh) {
      ATLS_CHECK(options_->evidence->check(deadline));
      const auto answer = std::make_shared<pending<bool>>();
      spawn_answering(io_, check_each(std::make_shared<const issuers>(issuers_), deadline), answer);
      ATLS_CHECK(answer->wait(deadline + margin, errc::verifier_timeout));
      return {};
    }
    result<void> first_failure;
    for (const auto& one : issuers_) {
      const auto found = one->current();
      if (found) {
        return {};
      }
      if (first_failure) {
        first_failure = found.error();
      }
    }
    return first_failure;
  }

  json describe() const {
    json passports = json::array();
    for (const auto& one : issuers_) {
      passports.push_back(one->describe());
    }
    return {{"attester", "passport"},
            {"of", options_->evidence->describe()},
            {"passports", std::move(passports)}};
  }

  bytes instance() const { return options_->evidence->instance(); }

 private:
  static issuers connect(asio::io_context& io, const passport_issuer::shared_options& options) {
    if (options->verifiers.empty()) {
      throw error({errc::config_invalid, "passports need a Verifier that issues them"});
    }
    // As in relying_party: a lack of descriptors is to show now.
    const asio::steady_timer opens_descriptors(io);
    issuers out;
    for (const auto& one : options->verifiers) {
      out.push_back(std::make_shared<passport_issuer>(io, options, one));
    }
    return out;
  }

  // Evidence on the thread of the handshake, which waits for the TPM as it does without passports.
  result<bytes> present_fresh(const shared_issuer& by, bytes_view binder, steady_time deadline) {
    ATLS_TRY(auto evidence, by->gather(to_bytes(binder), deadline));
    const auto answer = std::make_shared<pending<bytes>>();
    evidence.is_abandoned = [answer] { return answer->is_abandoned(); };
    spawn_answering(io_, passport_issuer::issue_fresh(by, std::move(evidence)), answer);
    return answer->wait(deadline, errc::verifier_timeout);
  }

  const passport_issuer::shared_options options_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  const issuers issuers_;
  /// Of each, after its first attempt.
  std::vector<std::shared_ptr<pending<bool>>> tried_;
  std::thread thread_;  // last: it uses all of the above
};

passport_presenter::passport_presenter(passport_presenter_options options)
    : implementation_(std::make_unique<implementation>(std::move(options))) {}

passport_presenter::~passport_presenter() = default;

result<std::shared_ptr<passport_presenter>> passport_presenter::create(
    passport_presenter_options options, steady_time deadline) {
  std::shared_ptr<passport_presenter> out;
  ATLS_CHECK(attempt([&] { out.reset(new passport_presenter(std::move(options))); }));
  out->implementation_->wait_for_first(deadline);
  return out;
}

attestation_schemes passport_presenter::offers() const {
  return implementation_->offers();
}

result<bytes> passport_presenter::present(const attestation_scheme& scheme, bytes_view binder,
                                          steady_time deadline) {
  return implementation_->present(scheme, binder, deadline);
}

result<void> passport_presenter::check(steady_time deadline) {
  return implementation_->check(deadline);
}

bytes passport_presenter::instance() const {
  return implementation_->instance();
}

json passport_presenter::describe() const {
  return implementation_->describe();
}

}  // namespace atls
