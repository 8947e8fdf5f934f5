#include "schemes/sev_snp/tee_evidence.hpp"

#include "core/certificates.hpp"
#include "formats/little_endian.hpp"

namespace atls {
namespace {

json numbers(bytes_view raw) {
  return json::array_t(raw.begin(), raw.end());
}

json tcb(std::uint64_t value, snp_product product) {
  const auto parts = tcb_from(value, product);
  return {{"fmc", parts.fmc ? json(*parts.fmc) : json()},
          {"bootloader", parts.bootloader},
          {"tee", parts.tee},
          {"snp", parts.snp},
          {"microcode", parts.microcode}};
}

// Three bytes from `at` on: build, minor, major.
json firmware_version(bytes_view raw, std::size_t at) {
  return {{"major", raw[at + 2]}, {"minor", raw[at + 1]}, {"build", raw[at]}};
}

json report_of(const sev_snp_evidence& evidence) {
  const auto& report = evidence.report;
  const bytes_view raw = evidence.message.outblob;
  const little_endian_fields in(raw);
  const auto product = evidence.endorsed_by.product;
  const auto since = [&](std::uint32_t version, const json& value) {
    return report.version >= version ? value : json();
  };
  return {{"version", report.version},
          {"guest_svn", report.guest_svn},
          {"policy", report.policy},
          {"family_id", numbers(report.family_id)},
          {"image_id", numbers(report.image_id)},
          {"vmpl", report.vmpl},
          {"sig_algo", in.u32(0x34)},
          {"current_tcb", tcb(report.current_tcb, product)},
          {"plat_info", report.platform_info},
          {"key_info", in.u32(0x48)},
          {"report_data", numbers(report.report_data)},
          {"measurement", numbers(report.measurement)},
          {"host_data", numbers(report.host_data)},
          {"id_key_digest", numbers(report.id_key_digest)},
          {"author_key_digest", numbers(report.author_key_digest)},
          {"report_id", numbers(report.report_id)},
          {"report_id_ma", numbers(report.report_id_of_migration_agent)},
          {"reported_tcb", tcb(report.reported_tcb, product)},
          {"cpuid_fam_id", since(3, raw[0x188])},
          {"cpuid_mod_id", since(3, raw[0x189])},
          {"cpuid_step", since(3, raw[0x18a])},
          {"chip_id", numbers(report.chip_id)},
          {"committed_tcb", tcb(report.committed_tcb, product)},
          {"current", firmware_version(raw, 0x1e8)},
          {"committed", firmware_version(raw, 0x1ec)},
          {"launch_tcb", tcb(report.launch_tcb, product)},
          {"launch_mit_vector", since(5, in.u64(0x1f8))},
          {"current_mit_vector", since(5, in.u64(0x200))},
          {"signature",
           {{"r", numbers(raw.subspan(0x2a0, 72))}, {"s", numbers(raw.subspan(0x2e8, 72))}}}};
}

}  // namespace

json to_trustee(const sev_snp_evidence& evidence) {
  const bool is_vcek = evidence.report.signed_by == snp_signing_key::vcek;
  const json certificate{{"cert_type", is_vcek ? "VCEK" : "VLEK"},
                         {"data", numbers(der_of(evidence.endorsement().get()))}};
  return {{"attestation_report", report_of(evidence)}, {"cert_chain", json::array({certificate})}};
}

}  // namespace atls
