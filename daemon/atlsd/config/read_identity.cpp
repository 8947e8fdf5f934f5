#include "atlsd/config/readers.hpp"
#include "attester/self_measurement.hpp"

#include <algorithm>

namespace atls {
namespace {

using attester = config::attester;

// As they are named, those of config::attester first.
constexpr std::size_t sample = 3;
constexpr std::size_t none = 4;

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

config::tsm_settings read_tsm(object_reader in, const std::filesystem::path& directory) {
  config::tsm_settings out;
  in.path("root", directory, out.entry.root);
  in.text("entry", out.entry.entry);
  if (out.entry.entry.find('/') != std::string::npos || out.entry.entry.starts_with('.')) {
    in.problem("entry",
               "found \"" + out.entry.entry + "\", expected the name of a directory in \"root\"");
  }
  if (in.has("privlevel")) {
    constexpr unsigned least_privileged = 3;
    unsigned level = 0;
    in.number("privlevel", 0, least_privileged, level);
    out.entry.privlevel = level;
  }
  in.paths("certificates", directory, out.certificates);
  in.refuse_unknown();
  return out;
}

config::azure_settings read_azure(object_reader in) {
  config::azure_settings out{url::parse("http://169.254.169.254").value()};
  in.parsed("metadata", out.metadata, url::parse);
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

// The roots of trust, in the order of preference.
void read_attesters(object_reader& in, const std::filesystem::path& directory,
                    config::identity_settings& to) {
  std::vector<std::size_t> chosen{none};
  in.choices("attester", {"tpm", "tsm", "azure", "sample", "none"}, chosen);
  const auto is_named = [&](std::size_t one) {
    return std::ranges::find(chosen, one) != chosen.end();
  };
  const auto is_chosen = [&](attester one) { return is_named(static_cast<std::size_t>(one)); };
  if (chosen.size() > 1 && (is_named(sample) || is_named(none))) {
    in.problem("attester", "names several, expected \"tpm\", \"tsm\" and \"azure\"");
  }
  for (const auto one : chosen) {
    if (one < sample) {
      to.attesters.push_back(static_cast<attester>(one));
    }
  }
  if (is_chosen(attester::tpm) || is_chosen(attester::azure)) {
    to.tpm = read_tpm(in.object("tpm"), directory);
  } else if (in.has("tpm")) {
    in.problem("tpm", "is given, but \"attester\" is not \"tpm\"");
  }
  if (is_chosen(attester::azure)) {
    to.azure = read_azure(in.object("azure"));
  } else if (in.has("azure")) {
    in.problem("azure", "is given, but \"attester\" is not \"azure\"");
  }
  if (is_chosen(attester::tsm)) {
    to.tsm = read_tsm(in.object("tsm"), directory);
  } else if (in.has("tsm")) {
    in.problem("tsm", "is given, but \"attester\" is not \"tsm\"");
  }
  to.is_sample = is_named(sample);
}

}  // namespace

void read_identity(object_reader in, const std::filesystem::path& directory,
                   config::identity_settings& to) {
  read_attesters(in, directory, to);
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
