#include "support/software_tpm.hpp"

#include "formats/cmw.hpp"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>

namespace atls::test {
namespace {

void append_tpm2b(bytes& to, bytes_view value) {
  append_number(to, value.size(), 2);
  append(to, value);
}

}  // namespace

pkey_ptr new_key(const char* curve) {
  return pkey_ptr(EVP_EC_gen(curve));
}

bytes spki(const pkey_ptr& key) {
  return spki_of(key.get()).value();
}

bytes encode(const attest_fields& fields) {
  bytes out;
  append_number(out, fields.magic, 4);
  append_number(out, fields.type, 2);
  append_tpm2b(out, fields.qualified_signer);
  append_tpm2b(out, fields.extra_data);
  append_number(out, 123456, 8);
  append_number(out, fields.reset_count, 4);
  append_number(out, fields.restart_count, 4);
  append_number(out, 1, 1);
  append_number(out, fields.firmware_version, 8);
  if (fields.type == tpm_attest::certify_type) {
    append_tpm2b(out, fields.name);
    append_tpm2b(out, fields.name);
  } else {
    append_number(out, fields.selections.size(), 4);
    for (const auto& selection : fields.selections) {
      append_number(out, static_cast<std::uint16_t>(selection.bank), 2);
      append_number(out, 3, 1);
      for (unsigned byte = 0; byte < 3; ++byte) {
        append_number(out, selection.mask >> (8 * byte) & 0xff, 1);
      }
    }
    append_tpm2b(out, fields.pcr_digest);
  }
  append(out, fields.trailing);
  return out;
}

bytes encode_public(const pkey_ptr& key, std::uint32_t attributes) {
  bytes point(65);
  std::size_t size = 0;
  EVP_PKEY_get_octet_string_param(key.get(), OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point.data(),
                                  point.size(), &size);
  bytes out;
  append_number(out, 0x0023, 2);  // ECC
  append_number(out, 0x000b, 2);  // nameAlg SHA-256
  append_number(out, attributes, 4);
  append_tpm2b(out, auth_value_policy);
  append_number(out, 0x0010, 2);  // symmetric null
  append_number(out, 0x0010, 2);  // scheme null
  append_number(out, 0x0003, 2);  // P-256
  append_number(out, 0x0010, 2);  // kdf null
  append_tpm2b(out, bytes_view(point).subspan(1, 32));
  append_tpm2b(out, bytes_view(point).subspan(33, 32));
  return out;
}

bytes sign(const pkey_ptr& key, bytes_view message) {
  const md_ctx_ptr context(EVP_MD_CTX_new());
  bytes der(80);
  auto size = der.size();
  EVP_DigestSignInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr, key.get(), nullptr);
  EVP_DigestSign(context.get(), der.data(), &size, message.data(), message.size());
  const unsigned char* cursor = der.data();
  ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(size));
  bytes r(32);
  bytes s(32);
  BN_bn2binpad(ECDSA_SIG_get0_r(signature), r.data(), 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature), s.data(), 32);
  ECDSA_SIG_free(signature);
  bytes out;
  append_number(out, 0x0018, 2);
  append_number(out, 0x000b, 2);
  append_tpm2b(out, r);
  append_tpm2b(out, s);
  return out;
}

evidence_maker::evidence_maker() {
  derive();
}

void evidence_maker::derive() {
  const bytes public_area = encode_public(tik, attributes);
  bytes name{0x00, 0x0b};
  append(name, digest("SHA256", public_area));
  kat.type = tpm_attest::certify_type;
  kat.name = name;
  pat.type = tpm_attest::quote_type;
  pat.selections = {pcrs};
  pat.pcr_digest = atls::pcr_digest(pcrs.bank, pcr_values);
  for (auto* fields : {&kat, &pat}) {
    fields->extra_data = binder;
    fields->qualified_signer = bytes(34, 0x11);
  }
  kat_kid = pat_kid = kid_of(spki(ak));
}

parsec_tpm_evidence evidence_maker::make() const {
  parsec_tpm_evidence out;
  const bytes certify = encode(kat);
  const bytes quote = encode(pat);
  out.kat = {"2.0", kat_kid, sign(kat_signer ? kat_signer : ak, certify),
             encode_public(tik, attributes), certify};
  out.pat = {"2.0", pat_kid, sign(pat_signer ? pat_signer : ak, quote), quote};
  return out;
}

bytes evidence_maker::make_cmw() const {
  return encode_cmw(parsec_tpm_evidence::media_type, make().encode());
}

parsec_tpm_endorsements endorsements_of(const evidence_maker& machine) {
  parsec_tpm_endorsements out;
  const bytes ak = spki(machine.ak);
  const bytes class_id = uuid_from(ak);
  out.trust_anchors.push_back({class_id, kid_of(ak), ak});
  auto& reference = out.references.emplace_back();
  reference.class_id = class_id;
  for (unsigned pcr = 0; pcr < machine.pcr_values.size(); ++pcr) {
    reference.digests[{pcr, machine.pcrs.bank}] = machine.pcr_values[pcr];
  }
  return out;
}

}  // namespace atls::test
