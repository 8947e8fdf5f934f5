// The reference Verifier as a whole: its files, its server, its signals.
#pragma once

#include "reference_verifier/endorsement_store.hpp"
#include "reference_verifier/http_server.hpp"

#include <filesystem>

#include <boost/asio/signal_set.hpp>

namespace atls {

class reference_verifier {
 public:
  struct settings {
    std::string listen = "127.0.0.1:8443";
    std::filesystem::path endorsements;
    std::filesystem::path result_key;
    std::string required_pcrs{default_pcrs};
    std::filesystem::path tls_certificate;
    std::filesystem::path tls_key;
    bool unsafe_plaintext = false;
    /// After which Attestation Results expire; absent: they do not say.
    std::optional<unsigned> result_lifetime_s;
  };

  /// Reads the files and listens; makes the result key if there is none. Throws what prevents it.
  explicit reference_verifier(settings given);

  /// Serves until SIGTERM or SIGINT.
  void run();

 private:
  /// All that comes from files.
  struct material {
    verifier_service::options service;
    std::shared_ptr<const endorsement_store> endorsements;
    std::shared_ptr<boost::asio::ssl::context> tls;
  };

  result<material> load() const;
  void wait_for_signal();
  void wait_for_change();
  void reload(const std::string& why);
  std::string files_stamp() const;
  void tell(const std::string& what) const;

  const settings settings_;
  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_;
  boost::asio::steady_timer next_look_;
  /// Of the files when they were last read, and when they were last looked at.
  std::string stamp_read_;
  std::string stamp_seen_;
  /// What the service appraises by.
  std::shared_ptr<const endorsement_store> endorsements_;
  std::shared_ptr<verifier_service> service_;
  std::unique_ptr<http_server> server_;
};

}  // namespace atls
