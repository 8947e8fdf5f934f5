#include "support/azure_evidence.hpp"

#include "support/cvm_evidence.hpp"

#include <openssl/core_names.h>

namespace atls::test {
namespace {

void append_little_endian(bytes& to, std::uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) {
    to.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

std::string number_of(EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, name, &number);
  bytes out(static_cast<std::size_t>(BN_num_bytes(number)));
  BN_bn2bin(number, out.data());
  BN_free(number);
  return to_base64url(out);
}

// What only the machine itself can read; the report data stand at 128.
bytes td_report_over(bytes_view report_data) {
  bytes out(1024);
  out[0] = 0x81;
  std::ranges::copy(report_data, out.begin() + 128);
  return out;
}

}  // namespace

json azure_runtime_data(EVP_PKEY* vtpm_ak) {
  const json key{{"kid", "HCLAkPub"},
                 {"key_ops", {"sign"}},
                 {"kty", "RSA"},
                 {"n", number_of(vtpm_ak, OSSL_PKEY_PARAM_RSA_N)},
                 {"e", number_of(vtpm_ak, OSSL_PKEY_PARAM_RSA_E)}};
  return {{"keys", json::array({key})},
          {"vm-configuration",
           {{"vmUniqueId", "00000000-0000-0000-0000-000000000001"},
            {"secure-boot", true},
            {"console-enabled", false},
            {"tpm-enabled", true}}},
          {"user-data", std::string(128, '0')}};
}

bytes encode_hcl(azure_hardware hardware, bytes_view hardware_report, bytes_view runtime_data) {
  const auto size = static_cast<std::uint32_t>(runtime_data.size());
  bytes out = to_bytes(as_bytes("HCLA"));
  for (const auto number : {2U, 1236U + size, 2U, 0U}) {
    append_little_endian(out, number);
  }
  out.resize(32);
  append(out, hardware_report);
  out.resize(1216);
  for (const auto number : {20U + size, 1U, hardware == azure_hardware::snp ? 2U : 4U, 1U, size}) {
    append_little_endian(out, number);
  }
  append(out, runtime_data);
  out.resize(2600);
  return out;
}

bytes sign_rsassa(EVP_PKEY* key, bytes_view message) {
  const md_ctx_ptr context(EVP_MD_CTX_new());
  bytes signature(static_cast<std::size_t>(EVP_PKEY_get_size(key)));
  auto size = signature.size();
  EVP_DigestSignInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr, key, nullptr);
  EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size());
  bytes out;
  append_number(out, 0x0014, 2);
  append_number(out, 0x000b, 2);
  append_number(out, size, 2);
  append(out, signature);
  return out;
}

azure_evidence_maker::azure_evidence_maker(azure_hardware of)
    : hardware(of),
      vtpm_ak(vector_key("azure/keys/ak.key.pem")),
      runtime_data(azure_runtime_data(vtpm_ak.get())) {
  for (const auto* const name : {"vcek", "ask", "ark"}) {
    certificates += read_vector("snp/" + std::string(name) + ".pem");
  }
  derive();
}

void azure_evidence_maker::derive() {
  certification.type = tpm_attest::certify_type;
  certification.qualified_signer = bytes(34, 0x22);
  certification.name = {0x00, 0x0b};
  append(certification.name, digest("SHA256", encode_public(tpm.ak, ak_attributes)));
}

bytes azure_evidence_maker::make() const {
  const auto text = runtime_data.dump();
  const auto bound = report_data.empty() ? digest("SHA256", as_bytes(text)) : report_data;
  const bool is_snp = hardware == azure_hardware::snp;
  const auto report = is_snp
                          ? changed_report("sev_guest", "snp/report-good.bin",
                                           "snp/keys/vcek.key.pem", change_hardware, bound)
                          : changed_report("tdx_guest", "tdx/quote-v4-good.bin",
                                           "tdx/keys/attestation.key.pem", change_hardware, bound);
  azure_vtpm_message out;
  out.tpm_evidence = tpm.make().encode();
  out.hcl = encode_hcl(hardware, is_snp ? report : td_report_over(bound), as_bytes(text));
  change_hcl(out.hcl);
  out.hardware = hardware;
  out.endorsement = is_snp ? to_bytes(as_bytes(certificates)) : report;
  out.ak.cert_info = encode(certification);
  out.ak.signature = sign_rsassa(certifier ? certifier.get() : vtpm_ak.get(), out.ak.cert_info);
  out.ak.public_area = encode_public(tpm.ak, ak_attributes);
  change(out);
  return out.encode();
}

azure_vtpm_scheme azure_scheme(const azure_vtpm_policy& policy, const sev_snp_policy& snp,
                               const tdx_policy& tdx) {
  return {policy, {.required_pcrs = {tpm_hash::sha256, 0xff}, .known = {}}, snp, tdx};
}

}  // namespace atls::test
