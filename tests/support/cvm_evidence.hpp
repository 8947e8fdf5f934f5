// Evidence of confidential VMs from the published data of tests/vectors.
#pragma once

#include "formats/tsm_report.hpp"
#include "schemes/sev_snp/sev_snp_scheme.hpp"
#include "schemes/tdx/tdx_scheme.hpp"
#include "support/cvm_firmware.hpp"
#include "support/vectors.hpp"

#include <algorithm>
#include <functional>

#include <openssl/pem.h>

namespace atls::test {

/// As configfs-tsm gives it, of a report and the host's certificates.
inline bytes snp_evidence(bytes report, const std::string& certificates = "auxblob-vcek-pem.bin") {
  return tsm_report{
      .provider = std::string(sev_snp_scheme::provider),
      .outblob = std::move(report),
      .auxblob = certificates.empty() ? bytes() : read_binary_vector("snp/" + certificates)}
      .encode();
}
inline bytes snp_evidence(const std::string& report,
                          const std::string& certificates = "auxblob-vcek-pem.bin") {
  return snp_evidence(read_binary_vector("snp/" + report), certificates);
}

/// A key of tests/vectors.
inline pkey_ptr vector_key(const std::string& name) {
  const auto text = read_vector(name);
  const bio_ptr in(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  return pkey_ptr(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
}

/// The report of a file with something changed, over this binder, signed anew.
inline bytes changed_report(const std::string& provider, const std::string& name,
                            const std::string& key, const std::function<void(bytes&)>& change,
                            bytes_view binder) {
  auto report = read_binary_vector(name);
  change(report);
  request_data data{};
  std::ranges::copy(binder, data.begin());
  const auto level = provider == "sev_guest" ? report.at(0x30) : 0U;
  return make_firmware(provider, std::move(report), vector_key(key))->report(data, level);
}

inline bytes tdx_evidence_of(bytes quote) {
  return tsm_report{.provider = std::string(tdx_scheme::provider), .outblob = std::move(quote)}
      .encode();
}
inline bytes tdx_evidence_of(const std::string& quote) {
  return tdx_evidence_of(read_binary_vector("tdx/" + quote));
}

}  // namespace atls::test
