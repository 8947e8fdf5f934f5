// SGX Evidence, read, and its facts.
#pragma once

#include "formats/json.hpp"
#include "schemes/fact.hpp"
#include "schemes/sgx/quote.hpp"

#include <span>

namespace atls {

struct sgx_evidence {
  sgx_quote quote;
  /// Of the quote's PCK certificate.
  pck_extension platform;

  /// evidence_malformed, signature_unsupported.
  static result<sgx_evidence> parse(bytes_view evidence);
};

/// {"type", "tee", "report_data", "key": {"resident"}, "sgx": {...}}; byte strings in hexadecimal.
json facts_of(const sgx_evidence& evidence);

/// What each of them is (without "type").
std::span<const fact> sgx_facts();

}  // namespace atls
