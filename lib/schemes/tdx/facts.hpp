// TDX Evidence, read, and its facts.
#pragma once

#include "formats/json.hpp"
#include "schemes/fact.hpp"
#include "schemes/tdx/quote.hpp"

#include <span>

namespace atls {

struct tdx_evidence {
  /// As the hardware made it.
  bytes encoded_quote;
  tdx_quote quote;
  /// Of the quote's PCK certificate.
  pck_extension platform;

  /// evidence_malformed, signature_unsupported.
  static result<tdx_evidence> parse(bytes_view evidence);
};

/// {"type", "tee", "report_data", "key": {"resident"}, "tdx": {...}}; byte strings in hexadecimal.
json facts_of(const tdx_evidence& evidence);

/// What each of them is (without "type").
std::span<const fact> tdx_facts();

}  // namespace atls
