#include "schemes/tdx/facts.hpp"

#include "schemes/shared_facts.hpp"
#include "schemes/tdx/tdx_scheme.hpp"
#include "schemes/tsm_evidence.hpp"

namespace atls {
namespace {

constexpr std::string_view by_module = "Signed by the peer's Quoting Enclave";
constexpr std::string_view measured =
    "Signed by the peer's Quoting Enclave; one byte more gives another";
constexpr std::string_view by_host =
    "Chosen by the peer's host at launch, signed by its Quoting Enclave";

const hexadecimal any_digest{{48}};

std::vector<fact> measurement_facts() {
  return {
      {.name = "evidence.tdx.mrtd",
       .type = any_digest,
       .meaning = "Measurement of the TD's memory at launch: its firmware",
       .worth = measured,
       .is_evasive = true},
      {.name = "evidence.tdx.rtmr0",
       .type = any_digest,
       .meaning = "Runtime measurement 0: the firmware's configuration",
       .worth = measured,
       .is_evasive = true},
      {.name = "evidence.tdx.rtmr1",
       .type = any_digest,
       .meaning = "Runtime measurement 1: boot loader and kernel",
       .worth = measured,
       .is_evasive = true},
      {.name = "evidence.tdx.rtmr2",
       .type = any_digest,
       .meaning = "Runtime measurement 2: kernel command line, initial file system",
       .worth = measured,
       .is_evasive = true},
      {.name = "evidence.tdx.rtmr3",
       .type = any_digest,
       .meaning = "Runtime measurement 3: what the TD's software extends it with",
       .worth = measured,
       .is_evasive = true},
      {.name = "evidence.tdx.mrconfigid",
       .type = any_digest,
       .meaning = "MRCONFIGID",
       .worth = by_host,
       .is_evasive = true},
      {.name = "evidence.tdx.mrowner",
       .type = any_digest,
       .meaning = "MROWNER",
       .worth = by_host,
       .is_evasive = true},
      {.name = "evidence.tdx.mrownerconfig",
       .type = any_digest,
       .meaning = "MROWNERCONFIG",
       .worth = by_host,
       .is_evasive = true},
      {.name = "evidence.tdx.mrservicetd",
       .type = any_digest,
       .meaning = "Measurement of the service TD that it is bound to; since TDX 1.5",
       .worth = by_module,
       .is_evasive = true},
  };
}

std::vector<fact> platform_facts() {
  return {
      {.name = "evidence.tdx.version",
       .type = whole_number{4, 5},
       .meaning = "Version of the quote",
       .worth = by_module},
      {.name = "evidence.tdx.attributes.debug",
       .type = yes_no{},
       .meaning = "The host may look into the TD (TDATTRIBUTES, bits 0 to 7)",
       .worth = "Signed by the peer's Quoting Enclave; refused without policy.tdx.unsafe_debug"},
      {.name = "evidence.tdx.attributes.sept_ve_disable",
       .type = yes_no{},
       .meaning = "No exceptions by pages that are not accepted (TDATTRIBUTES, bit 28)",
       .worth = by_module},
      {.name = "evidence.tdx.attributes.pks",
       .type = yes_no{},
       .meaning = "Supervisor protection keys (TDATTRIBUTES, bit 30)",
       .worth = by_module},
      {.name = "evidence.tdx.attributes.key_locker",
       .type = yes_no{},
       .meaning = "Key Locker (TDATTRIBUTES, bit 31)",
       .worth = by_module},
      {.name = "evidence.tdx.attributes.perfmon",
       .type = yes_no{},
       .meaning = "Performance counters (TDATTRIBUTES, bit 63)",
       .worth = by_module},
      {.name = "evidence.tdx.xfam",
       .type = hexadecimal{{8}},
       .meaning = "Extended features that the TD may use",
       .worth = by_module,
       .is_evasive = true},
      {.name = "evidence.tdx.mrseam",
       .type = any_digest,
       .meaning = "Measurement of the TDX module",
       .worth = by_module},
      {.name = "evidence.tdx.tee_tcb_svn",
       .type = hexadecimal{{16}},
       .meaning = "Security versions of the TDX module",
       .worth = by_module},
      {.name = "evidence.tdx.fmspc",
       .type = hexadecimal{{6}},
       .meaning = "Family, model, stepping and platform type of the processor",
       .worth = "In the certificate of the platform's key, whose chain the Verifier checks"},
  };
}

json attributes_of(const td_report& report) {
  const auto has = [&](std::uint64_t bits) { return (report.attributes & bits) != 0; };
  return {{"debug", has(td_attribute::under_debug)},
          {"sept_ve_disable", has(td_attribute::sept_ve_disable)},
          {"pks", has(td_attribute::pks)},
          {"key_locker", has(td_attribute::key_locker)},
          {"perfmon", has(td_attribute::perfmon)}};
}

std::string hex_number(std::uint64_t value) {
  bytes raw;
  append_number(raw, value, 8);
  return to_hex(raw);
}

}  // namespace

result<tdx_evidence> tdx_evidence::parse(bytes_view evidence) {
  ATLS_TRY(auto message, parse_tsm_evidence(evidence, tdx_scheme::provider));
  tdx_evidence out;
  { ATLS_TRY(out.quote, parse_tdx_quote(message.outblob)); }
  { ATLS_TRY(out.platform, out.quote.signed_by.platform()); }
  out.encoded_quote = std::move(message.outblob);
  return out;
}

json facts_of(const tdx_evidence& evidence) {
  const auto& report = evidence.quote.report;
  json tdx{{"version", evidence.quote.version},
           {"mrtd", to_hex(report.mrtd)},
           {"mrconfigid", to_hex(report.mrconfigid)},
           {"mrowner", to_hex(report.mrowner)},
           {"mrownerconfig", to_hex(report.mrownerconfig)},
           {"mrseam", to_hex(report.mrseam)},
           {"attributes", attributes_of(report)},
           {"xfam", hex_number(report.xfam)},
           {"tee_tcb_svn", to_hex(report.tee_tcb_svn)},
           {"fmspc", to_hex(evidence.platform.fmspc)}};
  for (std::size_t i = 0; i < report.rtmr.size(); ++i) {
    tdx["rtmr" + std::to_string(i)] = to_hex(report.rtmr[i]);
  }
  if (!report.mrservicetd.empty()) {
    tdx["mrservicetd"] = to_hex(report.mrservicetd);
  }
  return {{"type", tdx_scheme::type},
          {"tee", "tdx"},
          {"report_data", to_hex(report.report_data)},
          {"key", {{"resident", "none"}}},
          {"tdx", std::move(tdx)}};
}

std::span<const fact> tdx_facts() {
  static const std::vector<fact> all = [] {
    std::vector<fact> out{tee_fact(), report_data_fact(), key_resident_fact()};
    for (const auto part : {measurement_facts, platform_facts}) {
      for (auto& one : part()) {
        out.push_back(std::move(one));
      }
    }
    return out;
  }();
  return all;
}

}  // namespace atls
