// The reference Verifier over HTTP on a thread of its own, which knows one machine.
#pragma once

#include "appraisal/relying_party.hpp"
#include "reference_verifier/http_server.hpp"
#include "reference_verifier/parsec_tpm_appraisal.hpp"
#include "support/software_tpm.hpp"

#include <thread>

namespace atls::test {

class running_verifier {
 public:
  explicit running_verifier(const evidence_maker& machine, evidence_appraisers others = {}) {
    auto endorsements = std::make_shared<endorsement_store>();
    endorsements->add(endorsements_of(machine));
    auto key = new_key();
    EVP_PKEY_up_ref(key.get());
    options_.pinned_keys = {std::make_shared<const jws_key>(jws_key{"ES256", pkey_ptr(key.get())})};
    others.push_back(std::make_shared<parsec_tpm_appraiser>(std::move(endorsements),
                                                            pcr_selection{tpm_hash::sha256, 0xff}));
    auto service = std::make_shared<verifier_service>(
        verifier_service::options{{"ES256", std::move(key)}, std::move(others)});
    namespace ip = boost::asio::ip;
    server_ = std::make_unique<http_server>(io_, ip::tcp::endpoint(ip::address_v4::loopback(), 0),
                                            std::move(service));
    options_.url = "http://127.0.0.1:" + std::to_string(server_->local_endpoint().port());
    thread_ = std::thread([this] { io_.run(); });
  }
  ~running_verifier() {
    io_.stop();
    thread_.join();
  }
  running_verifier(const running_verifier&) = delete;
  running_verifier& operator=(const running_verifier&) = delete;

  const verifier_options& options() const noexcept { return options_; }
  std::shared_ptr<relying_party> client() const {
    return std::make_shared<relying_party>(relying_party_options{.verifiers = {options_}});
  }
  /// Takes machines that quote these PCRs at least.
  std::shared_ptr<appraiser> judge(const pcr_selection& pcrs = {tpm_hash::sha256, 0xff}) const {
    return std::make_shared<tunnel_appraiser>(client(), policy_for(pcrs));
  }
  static std::shared_ptr<appraisal_policy> policy_for(const pcr_selection& pcrs) {
    auto out = std::make_shared<appraisal_policy>();
    out->schemes = make_schemes({.parsec_tpm = {.required_pcrs = pcrs}});
    return out;
  }

 private:
  boost::asio::io_context io_{1};
  std::unique_ptr<http_server> server_;
  verifier_options options_;
  std::thread thread_;
};

}  // namespace atls::test
