#include "formats/tpm_structures.hpp"

#include "core/openssl.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <tss2/tss2_mu.h>

namespace atls {
namespace {

struct hash_name {
  tpm_hash hash;
  std::string_view name;
};
constexpr std::array hash_names = {hash_name{tpm_hash::sha256, "sha256"},
                                   hash_name{tpm_hash::sha384, "sha384"},
                                   hash_name{tpm_hash::sha512, "sha512"}};

// SubjectPublicKeyInfo up to the point's coordinates (RFC 5480 section 2), which have a fixed size.
struct curve {
  std::string_view name;
  TPM2_ECC_CURVE id;
  std::size_t coordinate_size;
  bytes_view spki_prefix;
};
constexpr std::uint8_t p256_prefix[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                        0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                        0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
constexpr std::uint8_t p384_prefix[] = {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                                        0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                                        0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04};
constexpr std::array curves = {curve{"P-256", TPM2_ECC_NIST_P256, 32, p256_prefix},
                               curve{"P-384", TPM2_ECC_NIST_P384, 48, p384_prefix}};

std::size_t spki_size(const curve& of) {
  return of.spki_prefix.size() + 2 * of.coordinate_size;
}

// Runs one of tss2-mu's unmarshallers over all of the input.
template <class T>
result<T> unmarshal(TSS2_RC (*function)(const std::uint8_t*, std::size_t, std::size_t*, T*),
                    bytes_view input, std::string_view name) {
  T value{};
  std::size_t offset = 0;
  if (function(input.data(), input.size(), &offset, &value) != TSS2_RC_SUCCESS) {
    return failure(errc::evidence_malformed, "not a " + std::string(name));
  }
  if (offset != input.size()) {
    return failure(errc::evidence_malformed,
                   std::to_string(input.size() - offset) + " bytes after a " + std::string(name));
  }
  return value;
}

template <class Tpm2b>
bytes copy(const Tpm2b& buffer) {
  return {std::begin(buffer.buffer), std::begin(buffer.buffer) + buffer.size};
}

bytes copy_name(const TPM2B_NAME& name) {
  return {name.name, name.name + name.size};
}

void append_coordinate(bytes& to, const TPM2B_ECC_PARAMETER& value, std::size_t size) {
  to.insert(to.end(), size - value.size, 0);
  append(to, {value.buffer, value.size});
}

}  // namespace

std::optional<std::string_view> name_of(tpm_hash hash) noexcept {
  const auto* found = std::ranges::find(hash_names, hash, &hash_name::hash);
  return found != hash_names.end() ? std::optional(found->name) : std::nullopt;
}

std::optional<tpm_hash> hash_from_name(std::string_view name) noexcept {
  const auto* found = std::ranges::find(hash_names, name, &hash_name::name);
  return found != hash_names.end() ? std::optional(found->hash) : std::nullopt;
}

result<pcr_selection> parse_pcr_selection(std::string_view text) {
  const auto colon = text.find(':');
  const auto bank = hash_from_name(text.substr(0, colon));
  if (colon == std::string_view::npos || !bank) {
    return failure(errc::config_invalid,
                   "\"" + std::string(text) +
                       "\" is not a PCR selection; expected a bank (sha256, sha384 or sha512), a "
                       "colon and PCR numbers, such as \"sha256:0,1,7\"");
  }
  pcr_selection selection{*bank, 0};
  for (const auto number : split(text.substr(colon + 1), ',')) {
    const auto pcr = parse_number(number, 23);
    if (!pcr) {
      return failure(errc::config_invalid, "\"" + std::string(number) + "\" in \"" +
                                               std::string(text) +
                                               "\" is not a PCR number; expected 0 to 23");
    }
    selection.mask |= 1u << *pcr;
  }
  return selection;
}

std::string to_string(const pcr_selection& selection) {
  std::string out(name_of(selection.bank).value_or("unknown"));
  char separator = ':';
  for (unsigned pcr = 0; pcr < 32; ++pcr) {
    if (selection.contains(pcr)) {
      out += separator;
      out += std::to_string(pcr);
      separator = ',';
    }
  }
  if (separator == ':') {
    out += ':';
  }
  return out;
}

bytes ecdsa_signature::der() const {
  const std::unique_ptr<ECDSA_SIG, openssl_deleter<ECDSA_SIG_free>> signature(ECDSA_SIG_new());
  ECDSA_SIG_set0(signature.get(), BN_bin2bn(r.data(), static_cast<int>(r.size()), nullptr),
                 BN_bin2bn(s.data(), static_cast<int>(s.size()), nullptr));
  bytes out(static_cast<std::size_t>(i2d_ECDSA_SIG(signature.get(), nullptr)));
  auto* cursor = out.data();
  i2d_ECDSA_SIG(signature.get(), &cursor);
  return out;
}

result<ecdsa_signature> parse_tpm_signature(bytes_view input, errc unsupported) {
  ATLS_TRY(const auto parsed,
           unmarshal<TPMT_SIGNATURE>(Tss2_MU_TPMT_SIGNATURE_Unmarshal, input, "TPMT_SIGNATURE"));
  const auto& ecdsa = parsed.signature.ecdsa;
  if (parsed.sigAlg != TPM2_ALG_ECDSA || !name_of(static_cast<tpm_hash>(ecdsa.hash))) {
    return failure(unsupported,
                   "expected ECDSA with SHA-256, SHA-384 or SHA-512, found algorithm " +
                       std::to_string(parsed.sigAlg));
  }
  return ecdsa_signature{static_cast<tpm_hash>(ecdsa.hash), copy(ecdsa.signatureR),
                         copy(ecdsa.signatureS)};
}

result<bytes> parse_tpm_rsassa(bytes_view input, errc unsupported) {
  ATLS_TRY(const auto parsed,
           unmarshal<TPMT_SIGNATURE>(Tss2_MU_TPMT_SIGNATURE_Unmarshal, input, "TPMT_SIGNATURE"));
  const auto& rsassa = parsed.signature.rsassa;
  if (parsed.sigAlg != TPM2_ALG_RSASSA || rsassa.hash != TPM2_ALG_SHA256) {
    return failure(unsupported, "expected RSASSA with SHA-256, found algorithm " +
                                    std::to_string(parsed.sigAlg));
  }
  return copy(rsassa.sig);
}

std::optional<std::string_view> curve_of(bytes_view spki) noexcept {
  for (const auto& one : curves) {
    if (spki.size() == spki_size(one) &&
        std::ranges::equal(spki.first(one.spki_prefix.size()), one.spki_prefix)) {
      return one.name;
    }
  }
  return std::nullopt;
}

result<ecc_public> parse_tpm_public(bytes_view input, errc unsupported) {
  ATLS_TRY(const auto parsed,
           unmarshal<TPMT_PUBLIC>(Tss2_MU_TPMT_PUBLIC_Unmarshal, input, "TPMT_PUBLIC"));
  const auto* known =
      parsed.type == TPM2_ALG_ECC
          ? std::ranges::find(curves, parsed.parameters.eccDetail.curveID, &curve::id)
          : curves.end();
  if (known == curves.end()) {
    return failure(unsupported, "expected ECC on P-256 or P-384");
  }
  const auto& point = parsed.unique.ecc;
  if (point.x.size > known->coordinate_size || point.y.size > known->coordinate_size) {
    return failure(errc::evidence_malformed, "a coordinate is longer than the curve's");
  }
  ecc_public out;
  out.curve = known->name;
  out.name_algorithm = static_cast<tpm_hash>(parsed.nameAlg);
  out.attributes = parsed.objectAttributes;
  out.auth_policy = copy(parsed.authPolicy);
  out.spki = to_bytes(known->spki_prefix);
  append_coordinate(out.spki, point.x, known->coordinate_size);
  append_coordinate(out.spki, point.y, known->coordinate_size);
  return out;
}

result<bytes> name_of_public(bytes_view public_area, tpm_hash name_algorithm, errc unsupported) {
  const auto hash = name_of(name_algorithm);
  if (!hash) {
    return failure(unsupported, "its name is not made with SHA-256, -384 or -512");
  }
  bytes out;
  append_number(out, static_cast<std::uint16_t>(name_algorithm), 2);
  append(out, digest(std::string(*hash).c_str(), public_area));
  return out;
}

result<tpm_attest> parse_tpm_attest(bytes_view input) {
  ATLS_TRY(const auto parsed,
           unmarshal<TPMS_ATTEST>(Tss2_MU_TPMS_ATTEST_Unmarshal, input, "TPMS_ATTEST"));
  tpm_attest out;
  out.magic = parsed.magic;
  out.type = parsed.type;
  out.qualified_signer = copy_name(parsed.qualifiedSigner);
  out.extra_data = copy(parsed.extraData);
  out.clock_ms = parsed.clockInfo.clock;
  out.reset_count = parsed.clockInfo.resetCount;
  out.restart_count = parsed.clockInfo.restartCount;
  out.firmware_version = parsed.firmwareVersion;
  if (parsed.type == tpm_attest::certify_type) {
    out.attested = tpm_attest::certify{copy_name(parsed.attested.certify.name)};
  } else if (parsed.type == tpm_attest::quote_type) {
    const auto& quote = parsed.attested.quote;
    tpm_attest::quote body;
    for (std::uint32_t i = 0; i < quote.pcrSelect.count; ++i) {
      const auto& selection = quote.pcrSelect.pcrSelections[i];
      pcr_selection one{static_cast<tpm_hash>(selection.hash), 0};
      for (unsigned byte = 0; byte < selection.sizeofSelect && byte < 4; ++byte) {
        one.mask |= static_cast<std::uint32_t>(selection.pcrSelect[byte]) << (8 * byte);
      }
      body.selections.push_back(one);
    }
    body.pcr_digest = copy(quote.pcrDigest);
    out.attested = std::move(body);
  }
  return out;
}

bytes pcr_digest(tpm_hash bank, const std::vector<bytes>& values) {
  bytes all;
  for (const auto& value : values) {
    append(all, value);
  }
  return digest(std::string(name_of(bank).value_or("unknown")).c_str(), all);
}

}  // namespace atls
