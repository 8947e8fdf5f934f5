#include "schemes/sgx/facts.hpp"

#include "schemes/sgx/sgx_scheme.hpp"
#include "schemes/shared_facts.hpp"

namespace atls {
namespace {

constexpr std::string_view by_enclave = "Signed by the peer's Quoting Enclave";
constexpr std::uint64_t greatest = 65535;

std::string hex_number(std::uint64_t value, std::size_t size) {
  bytes raw;
  append_number(raw, value, size);
  return to_hex(raw);
}

}  // namespace

result<sgx_evidence> sgx_evidence::parse(bytes_view evidence) {
  sgx_evidence out;
  { ATLS_TRY(out.quote, parse_sgx_quote(evidence)); }
  { ATLS_TRY(out.platform, out.quote.signed_by.platform()); }
  return out;
}

json facts_of(const sgx_evidence& evidence) {
  const auto& report = evidence.quote.report;
  const auto has = [&](std::uint64_t bits) { return (evidence.quote.flags() & bits) != 0; };
  return {{"type", sgx_scheme::type},
          {"tee", "sgx"},
          {"report_data", to_hex(report.report_data)},
          {"key", {{"resident", "none"}}},
          {"sgx",
           {{"mrenclave", to_hex(report.mrenclave)},
            {"mrsigner", to_hex(report.mrsigner)},
            {"isvprodid", report.product_id},
            {"isvsvn", report.security_version},
            {"attributes",
             {{"debug", has(sgx_attribute::debug)},
              {"provision_key", has(sgx_attribute::provision_key)},
              {"kss", has(sgx_attribute::kss)}}},
            {"xfrm", hex_number(evidence.quote.xfrm(), 8)},
            {"miscselect", hex_number(report.misc_select, 4)},
            {"cpusvn", to_hex(report.cpu_svn)},
            {"fmspc", to_hex(evidence.platform.fmspc)}}}};
}

std::span<const fact> sgx_facts() {
  static const std::vector<fact> all = {
      tee_fact(),
      report_data_fact(),
      key_resident_fact(),
      {.name = "evidence.sgx.mrenclave",
       .type = hexadecimal{{32}},
       .meaning = "MRENCLAVE: measurement of the enclave's code and data",
       .worth = "Signed by the peer's Quoting Enclave; one byte more gives another",
       .is_evasive = true},
      {.name = "evidence.sgx.mrsigner",
       .type = hexadecimal{{32}},
       .meaning = "MRSIGNER: hash of the key that signed the enclave",
       .worth = "Signed by the peer's Quoting Enclave; anybody can sign with another key",
       .is_evasive = true},
      {.name = "evidence.sgx.isvprodid",
       .type = whole_number{0, greatest},
       .meaning = "ISVPRODID: which of its signer's products the enclave is",
       .worth = "Chosen by who signed the enclave",
       .is_evasive = true},
      {.name = "evidence.sgx.isvsvn",
       .type = whole_number{0, greatest},
       .meaning = "ISVSVN: the product's security version",
       .worth = "Chosen by who signed the enclave",
       .is_evasive = true},
      {.name = "evidence.sgx.attributes.debug",
       .type = yes_no{},
       .meaning = "The host may look into the enclave (ATTRIBUTES, bit 1)",
       .worth = "Signed by the peer's Quoting Enclave; refused without policy.sgx.unsafe_debug"},
      {.name = "evidence.sgx.attributes.provision_key",
       .type = yes_no{},
       .meaning = "The enclave may use the provisioning key (ATTRIBUTES, bit 4)",
       .worth = by_enclave},
      {.name = "evidence.sgx.attributes.kss",
       .type = yes_no{},
       .meaning = "Key separation and sharing (ATTRIBUTES, bit 7)",
       .worth = by_enclave},
      {.name = "evidence.sgx.xfrm",
       .type = hexadecimal{{8}},
       .meaning = "Extended features that the enclave uses",
       .worth = by_enclave,
       .is_evasive = true},
      {.name = "evidence.sgx.miscselect",
       .type = hexadecimal{{4}},
       .meaning = "MISCSELECT",
       .worth = by_enclave,
       .is_evasive = true},
      {.name = "evidence.sgx.cpusvn",
       .type = hexadecimal{{16}},
       .meaning = "Security version of the processor, when the enclave was quoted",
       .worth = by_enclave},
      {.name = "evidence.sgx.fmspc",
       .type = hexadecimal{{6}},
       .meaning = "Family, model, stepping and platform type of the processor",
       .worth = "In the certificate of the platform's key, whose chain the Verifier checks"},
  };
  return all;
}

}  // namespace atls
