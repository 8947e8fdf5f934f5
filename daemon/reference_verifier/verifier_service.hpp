// Veraison's challenge-response API as requests in, responses out. No sockets here.
#pragma once

#include "core/wait.hpp"
#include "evidence/jose.hpp"
#include "reference_verifier/endorsement_store.hpp"

#include <mutex>
#include <unordered_map>

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

namespace atls {

class verifier_service {
 public:
  using request = boost::beast::http::request<boost::beast::http::string_body>;
  using response = boost::beast::http::response<boost::beast::http::string_body>;

  struct options {
    jws_key result_key;
    endorsement_store endorsements;
    pcr_selection required_pcrs;
  };

  explicit verifier_service(options settings) : settings_(std::move(settings)) {}

  /// From any thread.
  response handle(const request& message);

 private:
  struct session {
    bytes nonce;
    std::chrono::system_clock::time_point expiry;
    std::string evidence_type;
    std::string evidence;
    std::string result;
  };

  response new_session(const request& message, std::string_view query);
  response use_session(const request& message, std::string_view id);
  response submit(const request& message, session& target);
  response discovery(const request& message) const;
  response session_response(const request& message, unsigned status, const session& s) const;
  void forget_expired();

  const options settings_;
  std::mutex mutex_;
  std::unordered_map<std::string, session> sessions_;
  std::chrono::system_clock::time_point next_sweep_;
};

}  // namespace atls
