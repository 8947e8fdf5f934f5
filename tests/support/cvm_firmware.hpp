// The firmware of a confidential VM, as far as reports go: takes one that stands in a file, puts
// the report data of the request in, and signs it anew with a test key.
#pragma once

#include "core/openssl.hpp"

#include <array>

namespace atls::test {

using request_data = std::array<std::uint8_t, 64>;

class firmware {
 public:
  virtual ~firmware() = default;

  /// `level`: SNP's VMPL.
  virtual bytes report(const request_data& data, unsigned level) const = 0;
};

/// `provider` as the kernel names it, or "sgx": version 4 of TDX's quotes, 3 of SGX's. The key is
/// the VCEK's, the attestation key's or the realm's. Throws where the template is of another kind.
std::unique_ptr<firmware> make_firmware(const std::string& provider, bytes report_template,
                                        pkey_ptr key);

}  // namespace atls::test
