// What an Attester may present and a Relying Party may accept, as the two name it to each other.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <cstdint>

namespace atls {

/// Who has the Evidence appraised (RFC 9334 section 5).
enum class attestation_model : std::uint8_t {
  /// The Relying Party: the Attester presents Evidence.
  background_check = 0,
  /// The Attester, beforehand: it presents the Attestation Result.
  passport = 1,
};

/// An AttestationScheme (draft-fossati-seat-early-attestation-08 section 6). Two are the same if
/// they are encoded the same: one media type is to have one spelling.
///
///   mechanism(1): 00 Evidence | 01 Attestation Result
///   Evidence:     encoding(1): 00 content-format uint16 | 01 media type opaque<0..2^16-1>
///   result:       Verifier's identity opaque<0..2^16-1>
class attestation_scheme {
 public:
  static attestation_scheme evidence(std::string_view media_type);
  static attestation_scheme result_of(std::string_view verifier_identity);
  /// Reads one; extension_malformed if its bytes end early or name an unknown mechanism, whose
  /// length nobody knows.
  static result<attestation_scheme> read(byte_reader& from);

  attestation_model model() const noexcept;
  /// The media type, or the Verifier's identity; "content-format N", which no media type equals.
  std::string name() const;
  /// For people: the name, and whether it is a result's.
  std::string text() const;
  bytes_view encoded() const noexcept { return encoded_; }

  bool operator==(const attestation_scheme&) const = default;

 private:
  explicit attestation_scheme(bytes encoded) : encoded_(std::move(encoded)) {}

  bytes encoded_;
};

/// Best first.
using attestation_schemes = std::vector<attestation_scheme>;

/// "a, b", for people; "none".
std::string text_of(const attestation_schemes& schemes);

}  // namespace atls
