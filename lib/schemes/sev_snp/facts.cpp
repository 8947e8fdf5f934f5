#include "schemes/sev_snp/facts.hpp"

#include "schemes/sev_snp/sev_snp_scheme.hpp"
#include "schemes/shared_facts.hpp"

#include <limits>

namespace atls {
namespace {

constexpr std::string_view by_firmware = "Signed by the peer's SNP firmware";
constexpr std::string_view by_host = "Chosen by the peer's host at launch, signed by its firmware";
constexpr std::string_view by_owner =
    "Of the ID block that the guest's owner may have signed, signed by the peer's SNP firmware; "
    "without one it is zero";
constexpr std::string_view by_certificate =
    "In the certificate of the key that signed the report, whose chain the Verifier checks";
constexpr auto any_byte = whole_number{0, 255};
constexpr auto any_number_32 = whole_number{0, std::numeric_limits<std::uint32_t>::max()};

std::vector<fact> guest_facts() {
  return {
      {.name = "evidence.snp.version",
       .type = whole_number{2, 5},
       .meaning = "Version of the report",
       .worth = by_firmware},
      {.name = "evidence.snp.measurement",
       .type = hexadecimal{{snp_report::measurement_bytes}},
       .meaning = "Digest of the guest's memory at launch",
       .worth = "Signed by the peer's SNP firmware; one byte more gives another",
       .is_evasive = true},
      {.name = "evidence.snp.host_data",
       .type = hexadecimal{{32}},
       .meaning = "HOST_DATA",
       .worth = by_host,
       .is_evasive = true},
      {.name = "evidence.snp.vmpl",
       .type = whole_number{0, 3},
       .meaning = "Privilege level that asked for the report; 0 is the most privileged",
       .worth = "Signed by the peer's SNP firmware; at most policy.snp.max_vmpl, always checked"},
      {.name = "evidence.snp.guest_svn",
       .type = any_number_32,
       .meaning = "Security version of the guest",
       .worth = by_owner},
      {.name = "evidence.snp.family_id",
       .type = hexadecimal{{16}},
       .meaning = "FAMILY_ID",
       .worth = by_owner,
       .is_evasive = true},
      {.name = "evidence.snp.image_id",
       .type = hexadecimal{{16}},
       .meaning = "IMAGE_ID",
       .worth = by_owner,
       .is_evasive = true},
      {.name = "evidence.snp.id_key_digest",
       .type = hexadecimal{{48}},
       .meaning = "SHA-384 of the key that signed the ID block; zero without one",
       .worth = by_firmware,
       .is_evasive = true},
      {.name = "evidence.snp.author_key_digest",
       .type = hexadecimal{{48}},
       .meaning = "SHA-384 of the key that signed the ID key; zero without one",
       .worth = by_firmware,
       .is_evasive = true},
  };
}

std::vector<fact> policy_facts() {
  return {
      {.name = "evidence.snp.policy.debug",
       .type = yes_no{},
       .meaning = "The host may look into the guest (POLICY, bit 19)",
       .worth = "Signed by the peer's SNP firmware; refused without policy.snp.unsafe_debug"},
      {.name = "evidence.snp.policy.migrate_ma",
       .type = yes_no{},
       .meaning = "A migration agent may be associated (POLICY, bit 18)",
       .worth = "Signed by the peer's SNP firmware; refused without policy.snp.unsafe_migration"},
      {.name = "evidence.snp.policy.migration_agent",
       .type = yes_no{},
       .meaning = "A migration agent is associated (REPORT_ID_MA)",
       .worth = "Signed by the peer's SNP firmware; refused without policy.snp.unsafe_migration"},
      {.name = "evidence.snp.policy.smt",
       .type = yes_no{},
       .meaning = "Simultaneous multithreading is allowed (POLICY, bit 16)",
       .worth = by_firmware},
      {.name = "evidence.snp.policy.single_socket",
       .type = yes_no{},
       .meaning = "Only on one socket (POLICY, bit 20)",
       .worth = by_firmware},
      {.name = "evidence.snp.policy.abi",
       .type = any_text{},
       .meaning = "Oldest version of the firmware's interface that the guest runs on, as 1.55",
       .worth = by_firmware},
  };
}

std::vector<fact> platform_facts() {
  return {
      {.name = "evidence.snp.platform.smt",
       .type = yes_no{},
       .meaning = "Simultaneous multithreading is on (PLATFORM_INFO, bit 0)",
       .worth = by_firmware},
      {.name = "evidence.snp.platform.tsme",
       .type = yes_no{},
       .meaning = "All memory is encrypted (PLATFORM_INFO, bit 1)",
       .worth = by_firmware},
      {.name = "evidence.snp.platform.ecc",
       .type = yes_no{},
       .meaning = "Memory has error correction (PLATFORM_INFO, bit 2)",
       .worth = by_firmware},
      {.name = "evidence.snp.platform.ciphertext_hiding",
       .type = yes_no{},
       .meaning = "The host cannot read the guest's ciphertext (PLATFORM_INFO, bit 4)",
       .worth = by_firmware},
      {.name = "evidence.snp.platform.alias_check",
       .type = yes_no{},
       .meaning = "Memory was checked for aliases since the last reset (PLATFORM_INFO, bit 5: "
                  "BadRAM)",
       .worth = by_firmware},
      {.name = "evidence.snp.chip_id",
       .type = hexadecimal{{snp_report::chip_id_bytes}},
       .meaning = "The chip; zero where its host hides it",
       .worth = "Signed by the peer's SNP firmware; with a VCEK always that of its certificate"},
      {.name = "evidence.snp.signing_key",
       .type = one_of{{"vcek", "vlek"}},
       .meaning = "The key that signed the report: the chip's, or the cloud provider's",
       .worth = "Always checked"},
      {.name = "evidence.snp.product",
       .type = one_of{{"Milan", "Genoa", "Turin"}},
       .meaning = "The processor",
       .worth = by_certificate},
  };
}

std::vector<fact> tcb_facts() {
  constexpr std::string_view reported =
      "Signed by the peer's SNP firmware; always that of the certificate";
  return {
      {.name = "evidence.snp.tcb.bootloader",
       .type = any_byte,
       .meaning = "Security version of the boot loader (REPORTED_TCB)",
       .worth = reported},
      {.name = "evidence.snp.tcb.tee",
       .type = any_byte,
       .meaning = "Security version of the TEE (REPORTED_TCB)",
       .worth = reported},
      {.name = "evidence.snp.tcb.snp",
       .type = any_byte,
       .meaning = "Security version of the SNP firmware (REPORTED_TCB)",
       .worth = reported},
      {.name = "evidence.snp.tcb.microcode",
       .type = any_byte,
       .meaning = "Security version of the microcode (REPORTED_TCB)",
       .worth = reported},
      {.name = "evidence.snp.tcb.fmc",
       .type = any_byte,
       .meaning = "Security version of the FMC (REPORTED_TCB), since Turin",
       .worth = reported},
      {.name = "evidence.snp.tcb_current.bootloader",
       .type = any_byte,
       .meaning = "Security version of the boot loader that runs",
       .worth = by_firmware},
      {.name = "evidence.snp.tcb_current.tee",
       .type = any_byte,
       .meaning = "Security version of the TEE that runs",
       .worth = by_firmware},
      {.name = "evidence.snp.tcb_current.snp",
       .type = any_byte,
       .meaning = "Security version of the SNP firmware that runs",
       .worth = by_firmware},
      {.name = "evidence.snp.tcb_current.microcode",
       .type = any_byte,
       .meaning = "Security version of the microcode that runs",
       .worth = by_firmware},
      {.name = "evidence.snp.tcb_current.fmc",
       .type = any_byte,
       .meaning = "Security version of the FMC that runs, since Turin",
       .worth = by_firmware},
  };
}

json facts_of(const snp_tcb& tcb) {
  json out{{"bootloader", tcb.bootloader},
           {"tee", tcb.tee},
           {"snp", tcb.snp},
           {"microcode", tcb.microcode}};
  if (tcb.fmc) {
    out["fmc"] = *tcb.fmc;
  }
  return out;
}

json policy_of(const snp_report& report) {
  const auto has = [&](std::uint64_t bit) { return (report.policy & bit) != 0; };
  return {{"debug", has(snp_policy::debug)},
          {"migrate_ma", has(snp_policy::migrate_ma)},
          {"migration_agent", report.has_migration_agent()},
          {"smt", has(snp_policy::smt)},
          {"single_socket", has(snp_policy::single_socket)},
          {"abi",
           std::to_string(report.policy >> 8 & 0xff) + "." + std::to_string(report.policy & 0xff)}};
}

json platform_of(const snp_report& report) {
  const auto has = [&](std::uint64_t bit) { return (report.platform_info & bit) != 0; };
  return {{"smt", has(snp_platform::smt)},
          {"tsme", has(snp_platform::tsme)},
          {"ecc", has(snp_platform::ecc)},
          {"ciphertext_hiding", has(snp_platform::ciphertext_hiding)},
          {"alias_check", has(snp_platform::alias_check)}};
}

}  // namespace

json facts_of(const sev_snp_evidence& evidence) {
  const auto& report = evidence.report;
  const auto product = evidence.endorsed_by.product;
  json snp{{"version", report.version},
           {"measurement", to_hex(report.measurement)},
           {"host_data", to_hex(report.host_data)},
           {"vmpl", report.vmpl},
           {"guest_svn", report.guest_svn},
           {"family_id", to_hex(report.family_id)},
           {"image_id", to_hex(report.image_id)},
           {"id_key_digest", to_hex(report.id_key_digest)},
           {"author_key_digest", to_hex(report.author_key_digest)},
           {"policy", policy_of(report)},
           {"platform", platform_of(report)},
           {"chip_id", to_hex(report.chip_id)},
           {"signing_key", report.signed_by == snp_signing_key::vcek ? "vcek" : "vlek"},
           {"product", name_of(product)},
           {"tcb", facts_of(tcb_from(report.reported_tcb, product))},
           {"tcb_current", facts_of(tcb_from(report.current_tcb, product))}};
  return {{"type", sev_snp_scheme::type},
          {"tee", "snp"},
          {"report_data", to_hex(report.report_data)},
          {"key", {{"resident", "none"}}},
          {"snp", std::move(snp)}};
}

std::span<const fact> sev_snp_facts() {
  static const std::vector<fact> all = [] {
    std::vector<fact> out{tee_fact(), report_data_fact(), key_resident_fact()};
    for (const auto part : {guest_facts, policy_facts, platform_facts, tcb_facts}) {
      for (auto& one : part()) {
        out.push_back(std::move(one));
      }
    }
    return out;
  }();
  return all;
}

}  // namespace atls
