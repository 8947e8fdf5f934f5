#include "formats/ra_tls_certificate.hpp"

#include "formats/cbor.hpp"
#include "formats/little_endian.hpp"

namespace atls {
namespace {

using object_ptr = std::unique_ptr<ASN1_OBJECT, openssl_deleter<ASN1_OBJECT_free>>;

failure malformed(std::string why) {
  return {errc::evidence_malformed, "Evidence in the certificate: " + std::move(why)};
}

// Hash algorithms of IANA's "Named Information" registry.
struct named_hash {
  std::uint64_t id;
  const char* name;
};
constexpr named_hash hashes[] = {{1, "SHA256"}, {7, "SHA384"}, {8, "SHA512"}};

result<const cbor::item*> byte_string(const cbor::item* of, const char* what) {
  if (of == nullptr || !of->is(cbor::kind::byte_string)) {
    return malformed(std::string(what) + " is not a byte string");
  }
  return of;
}

// [algorithm, hash]
result<void> check_key_hash(bytes_view encoded, bytes_view spki) {
  ATLS_TRY(const auto pair, cbor::decode(encoded, errc::evidence_malformed));
  if (!pair.is(cbor::kind::array) || pair.items.size() != 2 ||
      !pair.items[0].is(cbor::kind::unsigned_integer) ||
      !pair.items[1].is(cbor::kind::byte_string)) {
    return malformed("its hash of the key is not a pair of algorithm and byte string");
  }
  for (const auto& [id, name] : hashes) {
    if (pair.items[0].number == id) {
      return equal(digest(name, spki), pair.items[1].content)
                 ? result<void>()
                 : failure(errc::certificate_key_mismatch,
                           "found " + to_hex(pair.items[1].content));
    }
  }
  return malformed("hash algorithm " + std::to_string(pair.items[0].number) +
                   ", expected 1, 7 or 8 (SHA-256, SHA-384, SHA-512)");
}

// Whatever else the claims hold is under the hash as well, and nobody's business here.
result<void> check_claims(bytes_view encoded, bytes_view spki) {
  ATLS_TRY(const auto claims, cbor::decode(encoded, errc::evidence_malformed));
  ATLS_TRY(const auto* hash, byte_string(claims.find("pubkey-hash"), "\"pubkey-hash\""));
  return check_key_hash(hash->content, spki);
}

result<ra_tls_evidence> read_tagged(bytes_view value, bytes_view spki) {
  constexpr std::uint64_t ecdsa_quote = 60000;
  ATLS_TRY(const auto document, cbor::decode(value, errc::evidence_malformed));
  const auto* const pair = document.tagged(ecdsa_quote);
  if (pair == nullptr || !pair->is(cbor::kind::array) || pair->items.size() != 2) {
    return malformed("expected CBOR tag 60000 (ECDSA quote) with a quote and claims");
  }
  ATLS_TRY(const auto* quote, byte_string(&pair->items[0], "the quote"));
  ATLS_TRY(const auto* claims, byte_string(&pair->items[1], "its claims"));
  ATLS_CHECK(check_claims(claims->content, spki));
  return ra_tls_evidence{quote->content, {digest("SHA256", claims->content)}};
}

result<ra_tls_evidence> read_bare(bytes_view value, bytes_view spki) {
  return ra_tls_evidence{to_bytes(value), {digest("SHA256", spki)}};
}

// oe_report_header_t: version, type (2: remote), size of what follows.
result<ra_tls_evidence> read_open_enclave(bytes_view value, bytes_view spki) {
  constexpr std::size_t header_bytes = 16;
  constexpr std::uint32_t version = 1;
  constexpr std::uint32_t remote = 2;
  if (value.size() < header_bytes) {
    return malformed("its report header is cut short");
  }
  const little_endian_fields header(value);
  const auto quote = value.subspan(header_bytes);
  if (header.u32(0) != version || header.u32(4) != remote || header.u64(8) != quote.size()) {
    return malformed("expected a report of version 1 and type 2 (remote), with its size");
  }
  const auto pem = spki_to_pem(spki);
  return ra_tls_evidence{
      to_bytes(quote),
      {digest("SHA256", as_bytes({pem.c_str(), pem.size() + 1})), digest("SHA256", spki)}};
}

struct form {
  const char* oid;
  result<ra_tls_evidence> (*read)(bytes_view value, bytes_view spki);
};
constexpr form forms[] = {{"2.23.133.5.4.9", read_tagged},
                          {"0.6.9.42.840.113741.1337.6", read_bare},
                          {"1.2.840.113741.1337.6", read_bare},
                          {"1.3.6.1.4.1.311.105.1", read_open_enclave},
                          {"1.2.840.113556.10.1.1", read_open_enclave}};

}  // namespace

result<std::optional<ra_tls_evidence>> read_ra_tls_evidence(const X509* certificate,
                                                            bytes_view spki) {
  for (const auto& [oid, read] : forms) {
    const object_ptr wanted(OBJ_txt2obj(oid, 1));
    const int at = X509_get_ext_by_OBJ(certificate, wanted.get(), -1);
    if (at < 0) {
      continue;
    }
    if (X509_get_ext_by_OBJ(certificate, wanted.get(), at) >= 0) {
      return malformed(std::string(oid) + " stands there twice");
    }
    const auto* const value = X509_EXTENSION_get_data(X509_get_ext(certificate, at));
    const bytes_view content(ASN1_STRING_get0_data(value),
                             static_cast<std::size_t>(ASN1_STRING_length(value)));
    if (content.size() > ra_tls_evidence::longest_bytes) {
      return malformed(std::to_string(content.size()) + " bytes, expected at most " +
                       std::to_string(ra_tls_evidence::longest_bytes));
    }
    ATLS_TRY(auto found, read(content, spki));
    return std::optional(std::move(found));
  }
  return std::optional<ra_tls_evidence>();
}

}  // namespace atls
