// Evidence in a peer's certificate: which extension (a byte), and what it holds.
#include "formats/ra_tls_certificate.hpp"
#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atls;
  static constexpr const char* oids[] = {"2.23.133.5.4.9", "0.6.9.42.840.113741.1337.6",
                                         "1.3.6.1.4.1.311.105.1"};
  static const bytes key(91, 0x30);
  if (size == 0) {
    return 0;
  }
  using object_ptr = std::unique_ptr<ASN1_OBJECT, openssl_deleter<ASN1_OBJECT_free>>;
  using string_ptr = std::unique_ptr<ASN1_OCTET_STRING, openssl_deleter<ASN1_OCTET_STRING_free>>;
  using extension_ptr = std::unique_ptr<X509_EXTENSION, openssl_deleter<X509_EXTENSION_free>>;
  const object_ptr oid(OBJ_txt2obj(oids[data[0] % std::size(oids)], 1));
  const string_ptr value(ASN1_OCTET_STRING_new());
  ASN1_OCTET_STRING_set(value.get(), data + 1, static_cast<int>(size - 1));
  const extension_ptr extension(X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), 0, value.get()));
  const x509_ptr certificate(X509_new());
  X509_add_ext(certificate.get(), extension.get(), -1);
  const auto found = read_ra_tls_evidence(certificate.get(), key);
  if (found) {
    must(found->has_value() && !(*found)->bindings.empty() && (*found)->quote.size() < size);
    for (const auto& one : (*found)->bindings) {
      must(one.size() == 32);
    }
  }
  return 0;
}
