#include "schemes/ecdsa_quote.hpp"

#include "core/certificates.hpp"
#include "formats/jose.hpp"
#include "formats/little_endian.hpp"

#include <algorithm>

namespace atls {
namespace {

constexpr std::size_t signature_bytes = 64;
constexpr std::size_t point_bytes = 64;
constexpr std::size_t hash_bytes = 32;
constexpr std::array<std::uint8_t, 16> intel = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                                0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

failure malformed(std::string why) {
  return {errc::evidence_malformed, "quote: " + std::move(why)};
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
  /// A length in 4 bytes, and as many.
  result<bytes_view> sized() {
    ATLS_TRY(const auto raw, take(4));
    return take(little_endian_fields(raw).u32(0));
  }
  result<void> check_end(const char* of) const {
    return rest_.empty() ? result<void>()
                         : malformed(std::to_string(rest_.size()) + " bytes after its " + of);
  }
  bytes_view rest() const noexcept { return rest_; }

 private:
  bytes_view rest_;
};

result<void> check_type(std::uint16_t found, std::uint16_t expected) {
  if (found != expected) {
    return failure(errc::signature_unsupported, "quote: certification data of type " +
                                                    std::to_string(found) + ", expected " +
                                                    std::to_string(expected));
  }
  return {};
}

result<void> read_certification(reader in, quote_signature& to) {
  constexpr std::uint16_t pck_chain_type = 5;
  ATLS_TRY(const auto report, in.take(enclave_report::size_bytes));
  to.encoded_enclave = to_bytes(report);
  to.enclave = enclave_report::read(report);
  ATLS_TRY(const auto signature, in.take(signature_bytes));
  to.enclave_signature = to_bytes(signature);
  ATLS_TRY(const auto size, in.u16());
  ATLS_TRY(const auto authentication_data, in.take(size));
  to.authentication_data = to_bytes(authentication_data);
  ATLS_TRY(const auto type, in.u16());
  ATLS_CHECK(check_type(type, pck_chain_type));
  ATLS_TRY(auto chain, in.sized());
  ATLS_CHECK(in.check_end("certification data"));
  // Some writers end the text as C does.
  if (!chain.empty() && chain.back() == 0) {
    chain = chain.first(chain.size() - 1);
  }
  to.pck_chain = as_text(chain);
  return {};
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

result<x509_ptr> leaf_of(const std::string& chain) {
  auto certificates = certificates_from_pem(chain);
  if (certificates.empty()) {
    return malformed("its certification data holds no certificate: " + openssl_errors());
  }
  return std::move(certificates.front());
}

result<jws_key> leaf_key(const std::string& chain) {
  ATLS_TRY(const auto leaf, leaf_of(chain));
  pkey_ptr key(X509_get_pubkey(leaf.get()));
  if (!key) {
    return malformed("its PCK certificate holds no key: " + openssl_errors());
  }
  ATLS_TRY(auto algorithm, algorithm_for(key.get()));
  return jws_key{std::move(algorithm), std::move(key)};
}

}  // namespace

enclave_report enclave_report::read(bytes_view raw) {
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

result<quote_header> read_quote_header(bytes_view quote) {
  constexpr std::uint16_t ecdsa_p256 = 2;
  if (quote.size() > longest_quote_bytes) {
    return malformed("found " + std::to_string(quote.size()) + " bytes, expected at most " +
                     std::to_string(longest_quote_bytes));
  }
  ATLS_TRY(const auto raw, reader(quote).take(quote_header::size_bytes));
  const little_endian_fields in(raw);
  if (in.u16(2) != ecdsa_p256) {
    return failure(errc::signature_unsupported,
                   "quote: key type " + std::to_string(in.u16(2)) + ", expected 2 (P-256)");
  }
  if (!equal(raw.subspan(12, intel.size()), intel)) {
    return malformed("its Quoting Enclave is not Intel's");
  }
  return quote_header{in.u16(0), in.u32(4)};
}

result<pck_extension> quote_signature::platform() const {
  ATLS_TRY(const auto leaf, leaf_of(pck_chain));
  return read_pck_extension(leaf.get());
}

result<quote_signature> read_quote_signature(bytes_view sized, std::uint16_t version) {
  constexpr std::uint16_t first_wrapped = 4;
  constexpr std::uint16_t qe_report_type = 6;
  reader whole(sized);
  ATLS_TRY(const auto data, whole.sized());
  // What a buffer was longer than its quote is zero, and not part of it.
  if (!std::ranges::all_of(whole.rest(), [](auto byte) { return byte == 0; })) {
    return malformed(std::to_string(whole.rest().size()) + " bytes after its signature data");
  }
  reader in(data);
  quote_signature out;
  ATLS_TRY(const auto signature, in.take(signature_bytes));
  out.signature = to_bytes(signature);
  ATLS_TRY(const auto key, in.take(point_bytes));
  out.attestation_key = to_bytes(key);
  if (version < first_wrapped) {
    ATLS_CHECK(read_certification(in, out));
    return out;
  }
  ATLS_TRY(const auto type, in.u16());
  ATLS_CHECK(check_type(type, qe_report_type));
  ATLS_TRY(const auto certification, in.sized());
  ATLS_CHECK(in.check_end("signature data"));
  ATLS_CHECK(read_certification(reader(certification), out));
  return out;
}

result<void> check_quote_signature(const quote_signature& by, bytes_view signed_part, errc reason) {
  if (!is_signed_by(key_at(by.attestation_key), signed_part, by.signature)) {
    return failure(reason, "of the report");
  }
  bytes vouched = by.attestation_key;
  append(vouched, by.authentication_data);
  auto expected = digest("SHA256", vouched);
  expected.resize(by.enclave.report_data.size());
  if (!equal(by.enclave.report_data, expected)) {
    return failure(reason, "the Quoting Enclave vouches for another key");
  }
  if (!is_signed_by(leaf_key(by.pck_chain), by.encoded_enclave, by.enclave_signature)) {
    return failure(reason, "of the Quoting Enclave's report");
  }
  return {};
}

}  // namespace atls
