#include "reference_verifier/reference_verifier.hpp"

#include "atlsd/notify.hpp"
#include "core/attempt.hpp"
#include "core/text.hpp"
#include "reference_verifier/arm_cca_appraisal.hpp"
#include "reference_verifier/azure_vtpm_appraisal.hpp"
#include "reference_verifier/key_files.hpp"
#include "reference_verifier/parsec_tpm_appraisal.hpp"
#include "reference_verifier/sev_snp_appraisal.hpp"
#include "reference_verifier/sgx_appraisal.hpp"
#include "reference_verifier/tdx_appraisal.hpp"

#include <csignal>
#include <iostream>
#include <sstream>
#include <sys/stat.h>

namespace atls {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

// Files that change are read when they have been the same twice: whoever copies several, or a large
// one, is done by then.
constexpr auto look_interval = std::chrono::milliseconds(500);

tcp::endpoint parse_listen(const std::string& text) {
  const auto colon = text.rfind(':');
  boost::system::error_code ec;
  auto host = colon == std::string::npos ? "" : text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  const auto address = asio::ip::make_address(host, ec);
  const auto port =
      colon == std::string::npos ? std::nullopt : parse_number(text.substr(colon + 1), 65535);
  if (ec || !port) {
    throw error({errc::config_invalid,
                 "--listen \"" + text + "\"; expected ADDRESS:PORT, such as 127.0.0.1:8443"});
  }
  return {address, static_cast<std::uint16_t>(*port)};
}

// Where requests may come from, if they are not encrypted.
tcp::endpoint checked_listen(const reference_verifier::settings& given) {
  const auto listen = parse_listen(given.listen);
  if (given.tls_certificate.empty() && !listen.address().is_loopback() && !given.unsafe_plaintext) {
    throw error({errc::config_invalid,
                 "--listen " + given.listen +
                     " is not on loopback: expected --tls-certificate and --tls-key, or "
                     "--unsafe-plaintext where the network is trusted"});
  }
  return listen;
}

// One for each Evidence type.
evidence_appraisers appraisers_for(const std::shared_ptr<const endorsement_store>& known,
                                   const pcr_selection& required_pcrs) {
  return {std::make_shared<parsec_tpm_appraiser>(known, required_pcrs),
          std::make_shared<sev_snp_appraiser>(known),
          std::make_shared<tdx_appraiser>(known),
          std::make_shared<sgx_appraiser>(known),
          std::make_shared<arm_cca_appraiser>(known),
          std::make_shared<azure_vtpm_appraiser>(known, required_pcrs)};
}

std::string stamp_of(const std::filesystem::path& file) {
  struct ::stat found {};
  if (::stat(file.c_str(), &found) != 0) {
    return file.string() + " -\n";
  }
  const auto nanoseconds = [](const timespec& t) {
    return std::to_string(t.tv_sec) + "." + std::to_string(t.tv_nsec);
  };
  return file.string() + " " + std::to_string(found.st_ino) + " " + std::to_string(found.st_size) +
         " " + nanoseconds(found.st_mtim) + " " + nanoseconds(found.st_ctim) + "\n";
}

}  // namespace

reference_verifier::reference_verifier(settings given)
    : settings_(std::move(given)), signals_(io_, SIGINT, SIGTERM, SIGHUP), next_look_(io_) {
  const auto listen = checked_listen(settings_);
  if (!std::filesystem::exists(settings_.result_key)) {
    make_result_key(settings_.result_key);
  }
  // Taken before the files are read: what changes meanwhile is seen at the next look.
  stamp_read_ = stamp_seen_ = files_stamp();
  auto read = load().value();
  endorsements_ = std::move(read.endorsements);
  service_ = std::make_shared<verifier_service>(std::move(read.service));
  server_ = std::make_unique<http_server>(io_, listen, service_);
  server_->use(std::move(read.tls));
}

void reference_verifier::run() {
  std::ostringstream where;
  where << "listening on " << server_->local_endpoint();
  tell(where.str());
  notify::send("READY=1");
  wait_for_signal();
  wait_for_change();
  run_to_the_end(io_);
  notify::send("STOPPING=1");
}

result<reference_verifier::material> reference_verifier::load() const {
  ATLS_TRY(auto pcrs, parse_pcr_selection(settings_.required_pcrs));
  ATLS_TRY(auto endorsements, endorsement_store::load(settings_.endorsements));
  ATLS_TRY(auto result_key, load_result_key(settings_.result_key));
  ATLS_TRY(auto tls, load_tls(settings_.tls_certificate, settings_.tls_key));
  auto known = std::make_shared<const endorsement_store>(std::move(endorsements));
  verifier_service::options service{std::move(result_key), appraisers_for(known, pcrs)};
  if (settings_.result_lifetime_s) {
    service.result_lifetime = std::chrono::seconds(*settings_.result_lifetime_s);
  }
  return material{std::move(service), std::move(known), std::move(tls)};
}

void reference_verifier::wait_for_signal() {
  signals_.async_wait([this](boost::system::error_code ec, int signal) {
    if (ec || signal != SIGHUP) {
      io_.stop();
      return;
    }
    reload("SIGHUP");
    wait_for_signal();
  });
}

void reference_verifier::wait_for_change() {
  next_look_.expires_after(look_interval);
  next_look_.async_wait([this](boost::system::error_code) {
    const auto before = std::exchange(stamp_seen_, files_stamp());
    if (stamp_seen_ == before && stamp_seen_ != stamp_read_) {
      reload("files have changed");
    }
    wait_for_change();
  });
}

// Whatever is wrong leaves what is known as it was.
void reference_verifier::reload(const std::string& why) {
  notify::send("RELOADING=1");
  stamp_read_ = files_stamp();
  auto read = load();
  if (read) {
    endorsements_ = std::move(read->endorsements);
    tell("reloaded (" + why + ")");
    service_->use(std::move(read->service));
    server_->use(std::move(read->tls));
  } else {
    std::cout << "atls-verifier: not reloaded (" << why
              << "), goes on with what it has: " << read.error().text() << std::endl;
  }
  notify::send("READY=1");
}

// Names, and what changes with the contents.
std::string reference_verifier::files_stamp() const {
  std::string out;
  for (const auto& file : {settings_.result_key, settings_.tls_certificate, settings_.tls_key}) {
    out += stamp_of(file);
  }
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(settings_.endorsements, ec)) {
    out += stamp_of(entry.path());
  }
  return out;
}

void reference_verifier::tell(const std::string& what) const {
  const auto& known = *endorsements_;
  std::cout << "atls-verifier: " << what << ", " << known.anchor_count() << " trust anchors, "
            << known.reference_count() << " sets of reference values, requires "
            << settings_.required_pcrs << std::endl;
  if (const auto cvms = known.of_cvms().reference_count(); cvms != 0) {
    std::cout << "atls-verifier: knows " << cvms << " images of confidential VMs" << std::endl;
  } else if (known.anchor_count() == 0) {
    std::cout << "atls-verifier: warning: " << settings_.endorsements.string()
              << " holds no trust anchor, all Evidence will be refused" << std::endl;
  }
}

}  // namespace atls
