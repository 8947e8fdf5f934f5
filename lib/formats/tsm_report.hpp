// What the kernel's configfs-tsm gives for one report, in one message (ratsd,
// docs/tsm-report.cddl):
//
//   {"provider": text, "outblob": bytes, ? "auxblob": bytes, ? "manifestblob": bytes,
//    ? "service_provider": text}
//
// In CBOR, or in JSON with byte strings in base64url.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

namespace atls {

struct tsm_report {
  static constexpr std::string_view cbor_type = "application/vnd.veraison.tsm-report+cbor";
  /// Longer ones are malformed; certificates and a manifest are the most of it.
  static constexpr std::size_t longest_bytes = 64 * 1024;

  /// As the kernel names it ("sev_guest", "tdx_guest", "arm_cca_guest"), without its newline.
  std::string provider;
  /// What the hardware has signed; never empty.
  bytes outblob;
  /// What the host adds to it; empty: nothing.
  bytes auxblob;
  /// Of the service that stands between guest and hardware (SVSM).
  bytes manifestblob;
  std::string service_provider;

  /// evidence_malformed. Unknown members are refused: what they mean might matter.
  static result<tsm_report> parse(bytes_view input);
  /// In CBOR.
  bytes encode() const;
};

}  // namespace atls
