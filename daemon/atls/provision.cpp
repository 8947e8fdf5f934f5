// atls provision, atls endorse: this machine's identity.
#include "attester/provision.hpp"

#include "atls/commands.hpp"

#include <iostream>

namespace atls {
namespace {

struct provision_arguments {
  std::string tcti = "device:/dev/tpmrm0";
  std::filesystem::path state_dir;
  std::string pcrs = "sha256:0,1,2,3,4,5,6,7";
  std::string curve = "P-256";
  std::string class_id;
  std::string handle;
};

pcr_selection checked_pcrs(const std::string& text) {
  const auto pcrs = parse_pcr_selection(text).value();
  if ((pcrs.mask & resettable_pcrs) != 0) {
    throw error({errc::config_invalid,
                 "--pcrs " + text + ": PCRs 16 and 23 can be reset by anybody and prove nothing"});
  }
  return pcrs;
}

void print_report(const provision_report& report, const char* headline) {
  std::cout << headline << "\n  kid: " << to_hex(report.kid) << '\n';
  for (const auto& file : report.files) {
    std::cout << "  wrote " << file.string() << '\n';
  }
}

int run_provision(const provision_arguments& given) {
  provision_options options;
  options.tcti = given.tcti;
  options.state_dir = given.state_dir;
  options.pcrs = checked_pcrs(given.pcrs);
  const auto curve = tpm::curve_from_name(given.curve);
  if (!curve) {
    throw error({errc::config_invalid, "--curve " + given.curve + "; expected P-256 or P-384"});
  }
  options.tik_curve = *curve;
  if (!given.class_id.empty()) {
    const auto id = parse_uuid(given.class_id);
    if (!id) {
      throw error({errc::config_invalid, "--class " + given.class_id + "; expected a UUID"});
    }
    options.class_id = *id;
  }
  if (!given.handle.empty()) {
    std::size_t used = 0;
    const auto handle = std::stoul(given.handle, &used, 0);
    if (used != given.handle.size() || handle < 0x81000000 || handle >= 0x81800000) {
      throw error({errc::config_invalid,
                   "--handle " + given.handle + "; expected 0x81000000 to 0x817ffffe"});
    }
    options.persistent_handle = static_cast<std::uint32_t>(handle);
  }
  const auto report = provision(options).value();
  print_report(report, report.created ? "provisioned this machine"
                                      : "already provisioned; nothing was changed");
  return 0;
}

void add_common(CLI::App& to, provision_arguments& given) {
  to.add_option("--tcti", given.tcti, "how to reach the TPM")->capture_default_str();
  to.add_option("--state-dir", given.state_dir, "where the identity is kept")->required();
  to.add_option("--pcrs", given.pcrs, "PCRs for the reference values")->capture_default_str();
}

}  // namespace

command add_provision(CLI::App& app) {
  const auto given = std::make_shared<provision_arguments>();
  auto* added = app.add_subcommand("provision",
                                   "create this machine's attestation and TLS keys in its TPM, and "
                                   "the endorsements that a Verifier needs to know it");
  add_common(*added, *given);
  added->add_option("--curve", given->curve, "of the TLS key: P-256 or P-384")
      ->capture_default_str();
  added->add_option("--class", given->class_id,
                    "UUID of the platform class (default: this machine alone)");
  added->add_option("--handle", given->handle,
                    "keep the keys at this persistent handle and the next, such as 0x81010001, "
                    "instead of in the state directory");
  return {added, [given] { return run_provision(*given); }};
}

command add_endorse(CLI::App& app) {
  const auto given = std::make_shared<provision_arguments>();
  auto* added =
      app.add_subcommand("endorse", "write the endorsements again, with the PCRs as they are now");
  add_common(*added, *given);
  return {added, [given] {
            const auto pcrs = checked_pcrs(given->pcrs);
            print_report(write_endorsements(given->tcti, given->state_dir, pcrs).value(),
                         "wrote the endorsements");
            return 0;
          }};
}

}  // namespace atls
