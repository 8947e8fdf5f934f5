#include "atlsd/config/readers.hpp"

namespace atls {

result<pcr_selection> usable_pcrs(std::string_view text) {
  auto pcrs = parse_pcr_selection(text);
  if (pcrs && (pcrs->mask & resettable_pcrs) != 0) {
    return failure(errc::config_invalid,
                   "PCRs 16 and 23 can be reset by anybody and prove nothing; take them out");
  }
  return pcrs;
}

namespace {

void read_hardware(object_reader& in, config::policy_settings& to) {
  auto snp = in.object("snp");
  snp.number("max_vmpl", 0, 3, to.snp.max_vmpl);
  snp.boolean("unsafe_debug", to.snp.unsafe_debug);
  snp.boolean("unsafe_migration", to.snp.unsafe_migration);
  snp.refuse_unknown();
  auto tdx = in.object("tdx");
  tdx.boolean("unsafe_debug", to.tdx.unsafe_debug);
  tdx.refuse_unknown();
  auto sgx = in.object("sgx");
  sgx.boolean("unsafe_debug", to.sgx.unsafe_debug);
  sgx.refuse_unknown();
  auto cca = in.object("cca");
  cca.boolean("unsafe_lifecycle", to.cca.unsafe_lifecycle);
  cca.refuse_unknown();
  auto azure = in.object("azure");
  azure.boolean("unsafe_tpm_only", to.azure.unsafe_tpm_only);
  azure.refuse_unknown();
}

}  // namespace

void read_policy(object_reader in, const std::filesystem::path& directory,
                 const std::optional<std::vector<std::string>>& names,
                 config::policy_settings& to) {
  in.parsed("pcrs", to.pcrs, usable_pcrs);
  read_hardware(in, to);
  in.rules("rules", {to.pcrs, names}, to.rules);
  in.boolean("dry_run", to.dry_run);
  in.paths("reference_values", directory, to.reference_values);
  in.duration("max_result_age", to.max_result_age);
  in.duration("clock_skew", to.clock_skew);
  in.text("appraisal_policy_id", to.appraisal_policy_id);
  auto id = in.object("verifier_id");
  id.text("developer", to.verifier_developer);
  id.text("build", to.verifier_build);
  id.refuse_unknown();
  in.refuse_unknown();
}

}  // namespace atls
