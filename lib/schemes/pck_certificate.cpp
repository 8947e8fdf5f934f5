#include "schemes/pck_certificate.hpp"

#include <map>

#include <openssl/asn1t.h>
#include <openssl/x509v3.h>

namespace atls {
namespace {

constexpr const char* arc = "1.2.840.113741.1.13.1";

failure malformed(std::string why) {
  return {errc::evidence_malformed, "PCK certificate: " + std::move(why)};
}

void free_sequence(ASN1_SEQUENCE_ANY* sequence) noexcept {
  sk_ASN1_TYPE_pop_free(sequence, ASN1_TYPE_free);
}
using sequence_ptr = std::unique_ptr<ASN1_SEQUENCE_ANY, openssl_deleter<free_sequence>>;

std::string oid_of(const ASN1_OBJECT* object) {
  std::array<char, 80> text{};
  const int size = OBJ_obj2txt(text.data(), text.size(), object, 1);
  return size > 0 && static_cast<std::size_t>(size) < text.size() ? text.data() : "";
}

sequence_ptr read_sequence(bytes_view der) {
  const auto* at = der.data();
  sequence_ptr out(d2i_ASN1_SEQUENCE_ANY(nullptr, &at, static_cast<long>(der.size())));
  (void)openssl_errors();
  return at == der.data() + der.size() ? std::move(out) : nullptr;
}

bytes_view content(const ASN1_STRING* of) {
  return {ASN1_STRING_get0_data(of), static_cast<std::size_t>(ASN1_STRING_length(of))};
}

using values = std::map<std::string, const ASN1_TYPE*, std::less<>>;

// Values by their OIDs, those of the TCB (a sequence in the sequence) among them.
class extension_reader {
 public:
  result<void> read(bytes_view der) {
    ATLS_CHECK(read_pairs(der));
    const auto* const tcb = find(std::string(arc) + ".2", V_ASN1_SEQUENCE);
    return tcb != nullptr ? read_pairs(content(tcb->value.sequence))
                          : malformed("its extension names no TCB");
  }

  result<bytes> octets(const std::string& oid, std::size_t size) const {
    const auto* const found = find(oid, V_ASN1_OCTET_STRING);
    if (found == nullptr || content(found->value.octet_string).size() != size) {
      return malformed(oid + " is not " + std::to_string(size) + " bytes");
    }
    return to_bytes(content(found->value.octet_string));
  }

  result<std::uint16_t> number(const std::string& oid, std::uint16_t greatest) const {
    const auto* const found = find(oid, V_ASN1_INTEGER);
    std::uint64_t out = 0;
    if (found == nullptr || ASN1_INTEGER_get_uint64(&out, found->value.integer) != 1 ||
        out > greatest) {
      (void)openssl_errors();
      return malformed(oid + " is not a number of 0 to " + std::to_string(greatest));
    }
    return static_cast<std::uint16_t>(out);
  }

 private:
  result<void> read_pairs(bytes_view der) {
    auto pairs = read_sequence(der);
    if (!pairs) {
      return malformed("its extension is not a sequence");
    }
    for (int i = 0; i < sk_ASN1_TYPE_num(pairs.get()); ++i) {
      ATLS_CHECK(read_pair(sk_ASN1_TYPE_value(pairs.get(), i)));
    }
    kept_.push_back(std::move(pairs));
    return {};
  }

  const ASN1_TYPE* find(const std::string& oid, int type) const {
    const auto found = values_.find(oid);
    return found != values_.end() && found->second->type == type ? found->second : nullptr;
  }

  result<void> read_pair(const ASN1_TYPE* entry) {
    auto pair =
        entry->type == V_ASN1_SEQUENCE ? read_sequence(content(entry->value.sequence)) : nullptr;
    const bool is_pair = pair && sk_ASN1_TYPE_num(pair.get()) == 2 &&
                         sk_ASN1_TYPE_value(pair.get(), 0)->type == V_ASN1_OBJECT;
    if (!is_pair) {
      return malformed("its extension holds something else than pairs of OID and value");
    }
    values_.emplace(oid_of(sk_ASN1_TYPE_value(pair.get(), 0)->value.object),
                    sk_ASN1_TYPE_value(pair.get(), 1));
    kept_.push_back(std::move(pair));
    return {};
  }

  values values_;
  std::vector<sequence_ptr> kept_;
};

}  // namespace

result<pck_extension> read_pck_extension(const X509* certificate) {
  const std::unique_ptr<ASN1_OBJECT, openssl_deleter<ASN1_OBJECT_free>> wanted(OBJ_txt2obj(arc, 1));
  const int at = X509_get_ext_by_OBJ(certificate, wanted.get(), -1);
  if (at < 0) {
    return malformed("it has no SGX extension");
  }
  extension_reader reader;
  ATLS_CHECK(reader.read(content(X509_EXTENSION_get_data(X509_get_ext(certificate, at)))));
  const std::string below = std::string(arc) + ".";
  pck_extension out;
  { ATLS_TRY(out.ppid, reader.octets(below + "1", 16)); }
  for (std::size_t i = 0; i < out.component_svn.size(); ++i) {
    ATLS_TRY(const auto svn, reader.number(below + "2." + std::to_string(i + 1), 255));
    out.component_svn[i] = static_cast<std::uint8_t>(svn);
  }
  { ATLS_TRY(out.pce_svn, reader.number(below + "2.17", 65535)); }
  { ATLS_TRY(out.pce_id, reader.octets(below + "3", 2)); }
  { ATLS_TRY(out.fmspc, reader.octets(below + "4", 6)); }
  return out;
}

}  // namespace atls
