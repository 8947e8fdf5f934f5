#include "schemes/sev_snp/endorsement_key.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <openssl/x509v3.h>

namespace atls {
namespace {

// Below AMD's arc 1.3.6.1.4.1.3704.1.
constexpr std::string_view arc = "1.3.6.1.4.1.3704.1.";
constexpr const char* product_name = "2";
constexpr const char* bootloader = "3.1";
constexpr const char* tee = "3.2";
constexpr const char* snp = "3.3";
constexpr const char* microcode = "3.8";
constexpr const char* fmc = "3.9";
constexpr const char* hardware_id = "4";

failure malformed(std::string why) {
  return {errc::evidence_malformed, "SNP endorsement key: " + std::move(why)};
}

using extensions = std::map<std::string, bytes, std::less<>>;

std::string oid_of(const ASN1_OBJECT* object) {
  std::array<char, 80> text{};
  const int size = OBJ_obj2txt(text.data(), text.size(), object, 1);
  return size > 0 && static_cast<std::size_t>(size) < text.size() ? text.data() : "";
}

// Values by what follows the arc.
extensions extensions_of(const X509* certificate) {
  extensions out;
  for (int i = 0; i < X509_get_ext_count(certificate); ++i) {
    X509_EXTENSION* const one = X509_get_ext(certificate, i);
    const auto oid = oid_of(X509_EXTENSION_get_object(one));
    if (oid.starts_with(arc)) {
      const ASN1_OCTET_STRING* const value = X509_EXTENSION_get_data(one);
      const auto* const data = ASN1_STRING_get0_data(value);
      out.emplace(oid.substr(arc.size()), bytes(data, data + ASN1_STRING_length(value)));
    }
  }
  return out;
}

// The content of a DER value of this type (universal, short form of the length).
std::optional<bytes_view> content(bytes_view der, std::uint8_t type) {
  if (der.size() < 2 || der[0] != type || der[1] >= 0x80 || der.size() != 2U + der[1]) {
    return std::nullopt;
  }
  return der.subspan(2);
}

result<std::uint8_t> read_version(const extensions& from, const char* name) {
  constexpr std::uint8_t integer = 0x02;
  const auto found = from.find(name);
  auto value = found == from.end() ? std::nullopt : content(found->second, integer);
  // 128 to 255 have a zero before them.
  if (value && value->size() == 2 && (*value)[0] == 0 && (*value)[1] >= 0x80) {
    value = value->subspan(1);
  } else if (value && (value->size() != 1 || (*value)[0] >= 0x80)) {
    value.reset();
  }
  if (!value) {
    return malformed("extension " + std::string(arc) + name + " is not a number of 0 to 255");
  }
  return value->front();
}

result<snp_tcb> read_tcb(const extensions& from, snp_product product) {
  snp_tcb out;
  ATLS_TRY(out.bootloader, read_version(from, bootloader));
  { ATLS_TRY(out.tee, read_version(from, tee)); }
  { ATLS_TRY(out.snp, read_version(from, snp)); }
  { ATLS_TRY(out.microcode, read_version(from, microcode)); }
  if (product == snp_product::turin) {
    ATLS_TRY(out.fmc, read_version(from, fmc));
  }
  return out;
}

result<snp_product> read_product(const extensions& from) {
  constexpr std::uint8_t ia5_string = 0x16;
  const auto found = from.find(product_name);
  const auto text = found == from.end() ? std::nullopt : content(found->second, ia5_string);
  const auto product = text ? product_from_name(as_text(*text)) : snp_product::unknown;
  if (product == snp_product::unknown) {
    return malformed("its product is not Milan, Genoa or Turin");
  }
  return product;
}

// An OCTET STRING; on old certificates the bare bytes.
result<bytes> read_hardware_id(const extensions& from) {
  constexpr std::uint8_t octet_string = 0x04;
  const auto found = from.find(hardware_id);
  if (found == from.end()) {
    return malformed("its certificate names no chip");
  }
  const auto& raw = found->second;
  if (raw.size() == snp_report::chip_id_bytes) {
    return raw;
  }
  const auto value = content(raw, octet_string);
  if (!value || (value->size() != snp_report::chip_id_bytes && value->size() != 8)) {
    return malformed("the chip's name has neither 64 nor 8 bytes");
  }
  return to_bytes(*value);
}

result<snp_signing_key> read_kind(const X509* certificate) {
  std::array<char, 64> name{};
  if (X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(),
                                name.size()) > 0) {
    const std::string_view found(name.data());
    if (found == "SEV-VCEK") {
      return snp_signing_key::vcek;
    }
    if (found == "SEV-VLEK") {
      return snp_signing_key::vlek;
    }
  }
  return malformed("its certificate is for neither SEV-VCEK nor SEV-VLEK");
}

bool is_on_p384(EVP_PKEY* key) {
  std::array<char, 32> group{};
  return key != nullptr && EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) == 1 &&
         std::string_view(group.data()) == "secp384r1";
}

bool is_signed(const snp_report& report, EVP_PKEY* key) {
  const md_ctx_ptr context(EVP_MD_CTX_new());
  const bool out = context &&
                   EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha384(), nullptr, key) == 1 &&
                   EVP_DigestVerify(context.get(), report.signature.data(), report.signature.size(),
                                    report.signed_part.data(), report.signed_part.size()) == 1;
  (void)openssl_errors();
  return out;
}

}  // namespace

result<snp_endorsement_key> read_endorsement_key(const X509* certificate) {
  snp_endorsement_key out;
  { ATLS_TRY(out.kind, read_kind(certificate)); }
  const auto from = extensions_of(certificate);
  { ATLS_TRY(out.product, read_product(from)); }
  { ATLS_TRY(out.tcb, read_tcb(from, out.product)); }
  if (out.kind == snp_signing_key::vcek) {
    ATLS_TRY(out.hardware_id, read_hardware_id(from));
  }
  out.key.reset(X509_get_pubkey(const_cast<X509*>(certificate)));
  if (!is_on_p384(out.key.get())) {
    return malformed("its key is not on P-384");
  }
  return out;
}

result<void> check_endorsed(const snp_report& report, const snp_endorsement_key& by) {
  if (report.signed_by != by.kind) {
    return failure(errc::snp_signature, "the report is signed by another kind of key");
  }
  if (!is_signed(report, by.key.get())) {
    return failure(errc::snp_signature);
  }
  const auto reported = tcb_from(report.reported_tcb, by.product);
  if (reported != by.tcb) {
    return failure(errc::snp_tcb_mismatch,
                   "reported " + to_string(reported) + "; certified " + to_string(by.tcb));
  }
  const auto chip =
      bytes_view(report.chip_id).first(std::min(by.hardware_id.size(), report.chip_id.size()));
  if (by.kind == snp_signing_key::vcek && !report.is_chip_masked && !equal(chip, by.hardware_id)) {
    return failure(errc::snp_chip_mismatch,
                   "reported " + to_hex(chip) + ", certified " + to_hex(by.hardware_id));
  }
  return {};
}

}  // namespace atls
