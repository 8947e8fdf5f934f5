#include "schemes/sgx/quote.hpp"

#include "formats/little_endian.hpp"

namespace atls {

std::uint64_t sgx_quote::flags() const {
  return little_endian_fields(report.attributes).u64(0);
}

std::uint64_t sgx_quote::xfrm() const {
  return little_endian_fields(report.attributes).u64(8);
}

result<sgx_quote> parse_sgx_quote(bytes_view input) {
  constexpr std::uint16_t version = 3;
  constexpr std::size_t signed_bytes = quote_header::size_bytes + enclave_report::size_bytes;
  ATLS_TRY(const auto header, read_quote_header(input));
  if (header.version != version) {
    return failure(errc::evidence_malformed,
                   "SGX quote: version " + std::to_string(header.version) + ", expected 3");
  }
  if (input.size() < signed_bytes) {
    return failure(errc::evidence_malformed,
                   "SGX quote: it is cut short: " + std::to_string(input.size()) +
                       " bytes, expected at least " + std::to_string(signed_bytes));
  }
  sgx_quote out;
  out.report =
      enclave_report::read(input.subspan(quote_header::size_bytes, enclave_report::size_bytes));
  out.signed_part = to_bytes(input.first(signed_bytes));
  { ATLS_TRY(out.signed_by, read_quote_signature(input.subspan(signed_bytes), version)); }
  return out;
}

result<void> check_signatures(const sgx_quote& quote) {
  return check_quote_signature(quote.signed_by, quote.signed_part, errc::sgx_signature);
}

}  // namespace atls
