#include "atlsd/config/readers.hpp"
#include "attester/self_measurement.hpp"

namespace atls {
namespace {

enum class attester { tpm, sample, none };

config::tpm_settings read_tpm(object_reader in, const std::filesystem::path& directory) {
  config::tpm_settings out;
  out.pcrs = parse_pcr_selection(default_pcrs).value();
  in.text("tcti", out.tcti);
  in.path("state_dir", directory, out.state_dir);
  in.parsed("pcrs", out.pcrs, usable_pcrs);
  if (in.has("measure_into")) {
    unsigned pcr = first_measured_pcr;
    in.number("measure_into", first_measured_pcr, last_measured_pcr, pcr);
    out.measure_into = pcr;
    if (!out.pcrs.contains(pcr)) {
      in.problem("pcrs", "lack " + std::to_string(pcr) + ", which \"measure_into\" names");
    }
  }
  in.refuse_unknown();
  return out;
}

void check_key(object_reader& in, const config::identity_settings& of) {
  if (of.tpm) {
    if (!of.key.empty()) {
      in.problem("key", "is given, but with \"attester\": \"tpm\" the key is the one in the TPM");
    }
  } else if (of.is_sample && (of.key.empty() || of.certificate.empty())) {
    in.problem("", "\"attester\": \"sample\" needs \"certificate\" and \"key\"");
  } else if (of.key.empty() != of.certificate.empty()) {
    in.problem("", "\"certificate\" and \"key\" go together");
  }
}

}  // namespace

void read_identity(object_reader in, const std::filesystem::path& directory,
                   config::identity_settings& to) {
  auto chosen = static_cast<std::size_t>(attester::none);
  in.choice("attester", {"tpm", "sample", "none"}, chosen);
  if (chosen == static_cast<std::size_t>(attester::tpm)) {
    to.tpm = read_tpm(in.object("tpm"), directory);
  } else if (in.has("tpm")) {
    in.problem("tpm", "is given, but \"attester\" is not \"tpm\"");
  }
  to.is_sample = chosen == static_cast<std::size_t>(attester::sample);
  bool may_be_sample = false;
  in.boolean("unsafe_sample", may_be_sample);
  if (to.is_sample && !may_be_sample) {
    in.problem("unsafe_sample",
               "is not true, but \"attester\" is \"sample\", whose Evidence proves nothing");
  } else if (may_be_sample && !to.is_sample) {
    in.problem("unsafe_sample", "is true, but \"attester\" is not \"sample\"");
  }
  in.path("certificate", directory, to.certificate);
  in.path("key", directory, to.key);
  check_key(in, to);
  in.refuse_unknown();
}

}  // namespace atls
