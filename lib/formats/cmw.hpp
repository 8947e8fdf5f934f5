// Conceptual message wrapper (draft-ietf-rats-msg-wrap).
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <map>
#include <string>
#include <variant>

namespace atls {

/// One conceptual message: its type, its bytes, what kinds of message it holds.
struct cmw_record {
  static constexpr std::uint32_t evidence = 4;
  static constexpr std::uint32_t attestation_results = 8;

  /// A media type, or a CoAP content-format (only in CBOR).
  std::variant<std::string, std::uint16_t> type;
  bytes value;
  /// Bits: 1 reference values, 2 endorsements, 4 Evidence, 8 Attestation Results, 16 appraisal
  /// policy; 0 if absent.
  std::uint32_t indicator = 0;
};

struct cmw;

struct cmw_collection {
  /// "__cmwc_t", a dotted OID or an absolute URI; empty if absent.
  std::string type;
  /// Integer labels are written in decimal.
  std::map<std::string, cmw> members;
};

struct cmw {
  std::variant<cmw_record, cmw_collection> content;

  const cmw_record* record() const noexcept { return std::get_if<cmw_record>(&content); }
  const cmw_collection* collection() const noexcept {
    return std::get_if<cmw_collection>(&content);
  }
};

/// Record, tag or collection, in CBOR or JSON; the first byte tells which. Nothing may follow.
result<cmw> parse_cmw(bytes_view input);

/// A single record only, as the TLS extension carries it.
result<cmw_record> parse_cmw_record(bytes_view input);

/// A CBOR record; without an indicator if that is 0.
bytes encode_cmw(std::string_view media_type, bytes_view value, std::uint32_t indicator = 0);

}  // namespace atls
