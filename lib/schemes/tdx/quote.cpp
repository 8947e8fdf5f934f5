#include "schemes/tdx/quote.hpp"

#include "formats/little_endian.hpp"

namespace atls {
namespace {

constexpr std::size_t td10_bytes = 584;
constexpr std::size_t td15_bytes = 648;
constexpr std::size_t td15ex_bytes = 885;

failure malformed(std::string why) {
  return {errc::evidence_malformed, "TDX quote: " + std::move(why)};
}

result<void> check_header(const quote_header& header) {
  if (header.version != 4 && header.version != 5) {
    return malformed("version " + std::to_string(header.version) + ", expected 4 or 5");
  }
  if (header.tee != quote_header::tdx) {
    return malformed("it is of another TEE: " + std::to_string(header.tee) + ", expected 129");
  }
  return {};
}

result<bytes_view> take(bytes_view from, std::size_t size) {
  if (from.size() < size) {
    return malformed("it is cut short: " + std::to_string(from.size()) + " bytes left, expected " +
                     std::to_string(size));
  }
  return from.first(size);
}

// Of version 4 the body has one size; of version 5 it says which it is.
result<bytes_view> read_body(bytes_view rest, std::uint16_t version) {
  if (version == 4) {
    return take(rest, td10_bytes);
  }
  constexpr std::size_t head_bytes = 6;
  ATLS_TRY(const auto head, take(rest, head_bytes));
  const auto type = little_endian_fields(head).u16(0);
  const auto size = little_endian_fields(head).u32(2);
  const std::size_t expected = type == 2   ? td10_bytes
                               : type == 3 ? td15_bytes
                               : type == 4 ? td15ex_bytes
                                           : 0;
  if (expected == 0 || size != expected) {
    return malformed("a body of type " + std::to_string(type) + " with " + std::to_string(size) +
                     " bytes");
  }
  return take(rest.subspan(head_bytes), size);
}

td_report read_report(bytes_view body) {
  constexpr std::size_t digest_bytes = 48;
  const little_endian_fields in(body);
  td_report out;
  out.tee_tcb_svn = in.take(0, 16);
  out.mrseam = in.take(16, digest_bytes);
  out.mrsignerseam = in.take(64, digest_bytes);
  out.seam_attributes = in.u64(112);
  out.attributes = in.u64(120);
  out.xfam = in.u64(128);
  out.mrtd = in.take(136, digest_bytes);
  out.mrconfigid = in.take(184, digest_bytes);
  out.mrowner = in.take(232, digest_bytes);
  out.mrownerconfig = in.take(280, digest_bytes);
  for (std::size_t i = 0; i < out.rtmr.size(); ++i) {
    out.rtmr[i] = in.take(328 + i * digest_bytes, digest_bytes);
  }
  out.report_data = in.take(520, tdx_quote::report_data_bytes);
  if (body.size() >= td15_bytes) {
    out.tee_tcb_svn2 = in.take(584, 16);
    out.mrservicetd = in.take(600, digest_bytes);
  }
  return out;
}

}  // namespace

result<tdx_quote> parse_tdx_quote(bytes_view input) {
  tdx_quote out;
  ATLS_TRY(const auto header, read_quote_header(input));
  ATLS_CHECK(check_header(header));
  out.version = header.version;
  ATLS_TRY(const auto body, read_body(input.subspan(quote_header::size_bytes), header.version));
  out.report = read_report(body);
  const auto signed_bytes = static_cast<std::size_t>(body.data() + body.size() - input.data());
  out.signed_part = to_bytes(input.first(signed_bytes));
  { ATLS_TRY(out.signed_by, read_quote_signature(input.subspan(signed_bytes), header.version)); }
  return out;
}

result<void> check_signatures(const tdx_quote& quote) {
  return check_quote_signature(quote.signed_by, quote.signed_part, errc::tdx_signature);
}

}  // namespace atls
