#include "atlsd/check_files.hpp"

#include "atlsd/parts.hpp"
#include "attester/identity.hpp"
#include "core/attempt.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "tls/certificates.hpp"

#include <algorithm>

namespace atls {
namespace {

using path = std::filesystem::path;

class findings {
 public:
  void add(const std::string& place, const std::string& what) {
    lines_.push_back(place + ": " + what);
  }

  /// What was read; null if it could not be, which is a finding.
  template <class T>
  std::unique_ptr<T> of(const std::string& place, result<T> read) {
    if (read) {
      return std::make_unique<T>(std::move(*read));
    }
    add(place, read.error().detail);
    return nullptr;
  }

  result<void> outcome() const { return lines_.empty() ? result<void>() : mistakes(lines_); }

 private:
  std::vector<std::string> lines_;
};

// Of `place`: "certificate" and "key".
void check_pair(const std::string& place, const path& certificate, const path& key, findings& to) {
  if (certificate.empty()) {
    return;
  }
  const auto chain = to.of(place + "certificate", tls::read_chain(certificate, nullptr));
  const auto secret = to.of(place + "key", tls::read_private_key(key, nullptr));
  if (chain && secret && X509_check_private_key(chain->front().get(), secret->get()) != 1) {
    (void)openssl_errors();
    to.add(place + "key",
           key.string() + " is not the key of the certificate in " + certificate.string());
  }
}

void check_certificates(const std::string& place, const path& file, findings& to) {
  if (!file.empty()) {
    to.of(place, tls::read_chain(file, nullptr));
  }
}

// With another root of trust a machine need not have a TPM.
bool is_without_tpm(const config::identity_settings& from) {
  std::error_code ec;
  return from.is_either() &&
         !std::filesystem::exists(from.tpm->state_dir / identity::file_name, ec);
}

void check_machine(const std::string& place, const config::identity_settings& from, findings& to) {
  const auto found = to.of(place + "tpm.state_dir", identity::load(from.tpm->state_dir));
  if (found) {
    const auto fits = found->check_pcrs(from.tpm->pcrs);
    if (!fits) {
      to.add(place + "tpm.pcrs", fits.error().detail);
    }
  }
  if (from.certificate.empty()) {
    return;
  }
  const auto chain = to.of(place + "certificate", tls::read_chain(from.certificate, nullptr));
  if (found && chain && spki_of(chain->front().get()).value() != found->tik.spki) {
    to.add(place + "certificate", from.certificate.string() +
                                      " is not for the key in the TPM, expected one for " +
                                      (from.tpm->state_dir / identity::file_name).string());
  }
}

void check_verifier(const std::string& place, const config::verifier_settings& from, findings& to) {
  for (const auto& file : from.result_keys) {
    if (const auto text = to.of(place + "result_key", read_file(file, errc::internal))) {
      if (const auto keys = parse_public_keys(*text); !keys) {
        to.add(place + "result_key", file.string() + ": " + keys.error().detail);
      }
    }
  }
  check_certificates(place + "ca", from.ca, to);
  check_pair(place, from.certificate, from.key, to);
  if (!from.authorization_file.empty()) {
    const auto text =
        to.of(place + "authorization_file", read_file(from.authorization_file, errc::internal));
    if (text && split(*text, '\n').front().empty()) {
      to.add(place + "authorization_file",
             from.authorization_file.string() +
                 " is empty, expected the value of an Authorization header in its first line");
    }
  }
}

}  // namespace

result<void> check_files(const config& from) {
  findings found;
  const auto main = from.documents.front().file.string() + ": ";
  if (from.identity.tsm) {
    for (const auto& file : from.identity.tsm->certificates) {
      check_certificates(main + "identity.tsm.certificates", file, found);
    }
  }
  if (from.identity.tpm && !is_without_tpm(from.identity)) {
    check_machine(main + "identity.", from.identity, found);
  } else {
    check_pair(main + "identity.", from.identity.certificate, from.identity.key, found);
  }
  for (std::size_t i = 0; i < from.verifiers.size(); ++i) {
    const auto number = from.verifiers.size() > 1 ? "[" + std::to_string(i) + "]" : "";
    check_verifier(main + "verifier" + number + ".", from.verifiers[i], found);
  }
  for (const auto& t : from.tunnels) {
    check_certificates(t.place + ".peer.ca", t.peer.ca, found);
    for (const auto& file : t.peer.crls) {
      found.of(t.place + ".peer.crl", tls::read_crls(file));
    }
    if (const auto read = attempt([&] { read_endorsements(t.policy.reference_values); }); !read) {
      found.add(t.place, read.error().detail);
    }
  }
  return found.outcome();
}

}  // namespace atls
