#include "schemes/tdx/quote.hpp"

#include "core/certificates.hpp"
#include "formats/jose.hpp"
#include "formats/little_endian.hpp"

#include <algorithm>

namespace atls {
namespace {

constexpr std::size_t header_bytes = 48;
constexpr std::size_t td10_bytes = 584;
constexpr std::size_t td15_bytes = 648;
constexpr std::size_t td15ex_bytes = 885;
constexpr std::size_t qe_report_bytes = 384;
constexpr std::size_t signature_bytes = 64;
constexpr std::size_t point_bytes = 64;
constexpr std::size_t hash_bytes = 32;
constexpr std::uint16_t ecdsa_p256 = 2;
constexpr std::uint32_t tee_tdx = 0x81;
constexpr std::uint16_t certified_by_qe_report = 6;
constexpr std::uint16_t pck_chain_type = 5;
constexpr std::array<std::uint8_t, 16> intel = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                                0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

failure malformed(std::string why) {
  return {errc::evidence_malformed, "TDX quote: " + std::move(why)};
}

// Front to back, every length checked.
class reader {
 public:
  explicit reader(bytes_view of) : rest_(of) {}

  result<bytes_view> take(std::size_t count) {
    if (rest_.size() < count) {
      return malformed("it is cut short: " + std::to_string(rest_.size()) +
                       " bytes left, expected " + std::to_string(count));
    }
    const auto out = rest_.first(count);
    rest_ = rest_.subspan(count);
    return out;
  }
  result<std::uint16_t> u16() {
    ATLS_TRY(const auto raw, take(2));
    return little_endian_fields(raw).u16(0);
  }
  result<std::uint32_t> u32() {
    ATLS_TRY(const auto raw, take(4));
    return little_endian_fields(raw).u32(0);
  }
  /// A length in 4 bytes, and as many.
  result<bytes_view> sized() {
    ATLS_TRY(const auto size, u32());
    return take(size);
  }
  bytes_view rest() const noexcept { return rest_; }

 private:
  bytes_view rest_;
};

result<std::uint16_t> read_header(bytes_view raw) {
  const little_endian_fields in(raw);
  const auto version = in.u16(0);
  if (version != 4 && version != 5) {
    return malformed("version " + std::to_string(version) + ", expected 4 or 5");
  }
  if (in.u16(2) != ecdsa_p256) {
    return failure(errc::signature_unsupported,
                   "TDX quote: key type " + std::to_string(in.u16(2)) + ", expected 2 (P-256)");
  }
  if (in.u32(4) != tee_tdx) {
    return malformed("it is of another TEE: " + std::to_string(in.u32(4)) + ", expected 129");
  }
  if (!equal(raw.subspan(12, intel.size()), intel)) {
    return malformed("its Quoting Enclave is not Intel's");
  }
  return version;
}

// Of version 4 the body has one size; of version 5 it says which it is.
result<bytes_view> read_body(reader& in, std::uint16_t version) {
  if (version == 4) {
    return in.take(td10_bytes);
  }
  ATLS_TRY(const auto type, in.u16());
  const std::size_t expected = type == 2   ? td10_bytes
                               : type == 3 ? td15_bytes
                               : type == 4 ? td15ex_bytes
                                           : 0;
  ATLS_TRY(const auto body, in.sized());
  if (expected == 0 || body.size() != expected) {
    return malformed("a body of type " + std::to_string(type) + " with " +
                     std::to_string(body.size()) + " bytes");
  }
  return body;
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

qe_report read_enclave(bytes_view raw) {
  const little_endian_fields in(raw);
  return {.cpu_svn = in.take(0, 16),
          .misc_select = in.u32(16),
          .attributes = in.take(48, 16),
          .mrenclave = in.take(64, hash_bytes),
          .mrsigner = in.take(128, hash_bytes),
          .product_id = in.u16(256),
          .security_version = in.u16(258),
          .report_data = in.take(320, 64)};
}

result<void> read_certification(reader in, tdx_quote& to) {
  ATLS_TRY(const auto report, in.take(qe_report_bytes));
  to.enclave_report = to_bytes(report);
  to.enclave = read_enclave(report);
  ATLS_TRY(const auto signature, in.take(signature_bytes));
  to.enclave_signature = to_bytes(signature);
  ATLS_TRY(const auto size, in.u16());
  ATLS_TRY(const auto authentication_data, in.take(size));
  to.authentication_data = to_bytes(authentication_data);
  ATLS_TRY(const auto type, in.u16());
  if (type != pck_chain_type) {
    return failure(errc::signature_unsupported, "TDX quote: certification data of type " +
                                                    std::to_string(type) +
                                                    ", expected 5 (a PCK chain)");
  }
  ATLS_TRY(auto chain, in.sized());
  if (!in.rest().empty()) {
    return malformed(std::to_string(in.rest().size()) + " bytes after its certification data");
  }
  // Some writers end the text as C does.
  if (!chain.empty() && chain.back() == 0) {
    chain = chain.first(chain.size() - 1);
  }
  to.pck_chain = as_text(chain);
  return {};
}

result<void> read_signature_data(reader in, tdx_quote& to) {
  ATLS_TRY(const auto signature, in.take(signature_bytes));
  to.signature = to_bytes(signature);
  ATLS_TRY(const auto key, in.take(point_bytes));
  to.attestation_key = to_bytes(key);
  ATLS_TRY(const auto type, in.u16());
  if (type != certified_by_qe_report) {
    return failure(errc::signature_unsupported, "TDX quote: certification data of type " +
                                                    std::to_string(type) + ", expected 6");
  }
  ATLS_TRY(const auto certification, in.sized());
  if (!in.rest().empty()) {
    return malformed(std::to_string(in.rest().size()) + " bytes after its signature data");
  }
  return read_certification(reader(certification), to);
}

// By a key on P-256.
bool is_signed_by(result<jws_key> key, bytes_view message, bytes_view signature) {
  return key && key->algorithm == "ES256" && verify_signature(*key, message, signature);
}

result<jws_key> key_at(bytes_view coordinates) {
  return parse_jwk({{"kty", "EC"},
                    {"crv", "P-256"},
                    {"x", to_base64url(coordinates.first(point_bytes / 2))},
                    {"y", to_base64url(coordinates.last(point_bytes / 2))}});
}

result<jws_key> leaf_key(const std::string& chain) {
  const auto certificates = certificates_from_pem(chain);
  pkey_ptr key(certificates.empty() ? nullptr : X509_get_pubkey(certificates.front().get()));
  if (!key) {
    return malformed("its certification data holds no certificate: " + openssl_errors());
  }
  ATLS_TRY(auto algorithm, algorithm_for(key.get()));
  return jws_key{std::move(algorithm), std::move(key)};
}

}  // namespace

result<tdx_quote> parse_tdx_quote(bytes_view input) {
  if (input.size() > tdx_quote::longest_bytes) {
    return malformed("found " + std::to_string(input.size()) + " bytes, expected at most " +
                     std::to_string(tdx_quote::longest_bytes));
  }
  reader in(input);
  tdx_quote out;
  ATLS_TRY(const auto header, in.take(header_bytes));
  { ATLS_TRY(out.version, read_header(header)); }
  ATLS_TRY(const auto body, read_body(in, out.version));
  out.report = read_report(body);
  out.signed_part = to_bytes(input.first(input.size() - in.rest().size()));
  // What a buffer was longer than its quote is zero, and not part of it.
  ATLS_TRY(const auto data, in.sized());
  if (!std::ranges::all_of(in.rest(), [](auto byte) { return byte == 0; })) {
    return malformed(std::to_string(in.rest().size()) + " bytes after its signature data");
  }
  ATLS_CHECK(read_signature_data(reader(data), out));
  return out;
}

result<void> check_signatures(const tdx_quote& quote) {
  if (!is_signed_by(key_at(quote.attestation_key), quote.signed_part, quote.signature)) {
    return failure(errc::tdx_signature, "of the TD's report");
  }
  bytes vouched = quote.attestation_key;
  append(vouched, quote.authentication_data);
  auto expected = digest("SHA256", vouched);
  expected.resize(quote.enclave.report_data.size());
  if (!equal(quote.enclave.report_data, expected)) {
    return failure(errc::tdx_signature, "the Quoting Enclave vouches for another key");
  }
  if (!is_signed_by(leaf_key(quote.pck_chain), quote.enclave_report, quote.enclave_signature)) {
    return failure(errc::tdx_signature, "of the Quoting Enclave's report");
  }
  return {};
}

}  // namespace atls
