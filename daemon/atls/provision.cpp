// atls provision, atls endorse: this machine's identity.
#include "attester/provision.hpp"

#include "appraisal/transport/provisioning_client.hpp"
#include "atls/commands.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "dialects/veraison/endorsement_provisioning.hpp"
#include "schemes/parsec_tpm/endorsements.hpp"
#include "tsm/report_entry.hpp"

#include <algorithm>
#include <charconv>
#include <iostream>
#include <sstream>

namespace atls {
namespace {

constexpr auto submit_timeout = std::chrono::seconds(30);

struct common_arguments {
  std::string tcti = "device:/dev/tpmrm0";
  std::filesystem::path state_dir;
  std::string pcrs{default_pcrs};
  std::string release{default_corim_form.release};
};

struct provision_arguments : common_arguments {
  std::string curve = "P-256";
  std::string class_id;
  std::string handle;
  std::string ak_template;
};

struct endorse_arguments : common_arguments {
  bool with_trust_anchor = false;
  std::string submit_url;
  std::string ca_file;
  std::filesystem::path authorization_file;
};

pcr_selection checked_pcrs(const std::string& text) {
  const auto pcrs = parse_pcr_selection(text).value();
  if ((pcrs.mask & resettable_pcrs) != 0) {
    throw error({errc::config_invalid,
                 "--pcrs " + text + ": PCRs 16 and 23 can be reset by anybody and prove nothing"});
  }
  return pcrs;
}

const corim_form& checked_form(const std::string& release) {
  const auto* found = std::ranges::find(corim_forms, release, &corim_form::release);
  if (found == corim_forms.end()) {
    std::string known;
    for (const auto& form : corim_forms) {
      known.append(known.empty() ? "" : ", ").append(form.release);
    }
    throw error({errc::config_invalid, "--for " + release + "; expected one of " + known});
  }
  return *found;
}

// Of a machine whose hardware can attest as well. Nothing needs provisioning there.
void tell_of_tsm(std::ostream& to) {
  const auto entry = tsm::report_entry::open({});
  if (entry) {
    to << "this machine is a confidential VM (" << (*entry)->provider()
       << "): \"identity\": {\"attester\": \"tsm\"} needs nothing of this command\n";
  } else if (std::filesystem::exists(tsm::default_root)) {
    to << "this machine has configfs-tsm, but: " << entry.error().text() << '\n';
  }
}

// A TPM's handle, hexadecimal with 0x or decimal.
std::uint32_t checked_handle(const char* option, const std::string& text, std::uint32_t least,
                             std::uint32_t greatest) {
  std::uint32_t out = 0;
  const bool is_hexadecimal = text.starts_with("0x");
  const auto* const end = text.data() + text.size();
  const auto [at, code] =
      std::from_chars(text.data() + (is_hexadecimal ? 2 : 0), end, out, is_hexadecimal ? 16 : 10);
  if (code != std::errc() || at != end || out < least || out > greatest) {
    std::ostringstream range;
    range << std::hex << std::showbase << least << " to " << greatest;
    throw error(
        {errc::config_invalid, std::string(option) + " " + text + "; expected " + range.str()});
  }
  return out;
}

int run_provision(const provision_arguments& given) {
  provision_options options;
  options.tcti = given.tcti;
  options.state_dir = given.state_dir;
  options.pcrs = checked_pcrs(given.pcrs);
  options.form = checked_form(given.release);
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
    options.persistent_handle = checked_handle("--handle", given.handle, 0x81000000, 0x817ffffe);
  }
  if (!given.ak_template.empty()) {
    options.ak_template =
        checked_handle("--ak-template", given.ak_template, 0x01000000, 0x01ffffff);
  }
  auto done = provision(options);
  if (!done) {
    tell_of_tsm(std::cerr);
    throw error(done.error());
  }
  const auto& report = *done;
  std::cout << (report.created ? "provisioned this machine"
                               : "already provisioned; nothing was changed")
            << "\n  kid: " << to_hex(report.kid) << '\n';
  for (const auto& file : report.files) {
    std::cout << "  wrote " << file.string() << '\n';
  }
  tell_of_tsm(std::cout);
  return 0;
}

http_options checked_service(const endorse_arguments& given) {
  http_options out;
  out.where = url::parse(given.submit_url).value();
  out.ca_file = given.ca_file;
  if (given.authorization_file.empty()) {
    return out;
  }
  const bool is_local =
      out.where.host == "localhost" || out.where.host == "127.0.0.1" || out.where.host == "::1";
  if (!out.where.is_https && !is_local) {
    throw error({errc::config_invalid,
                 "--submit " + given.submit_url + ": an Authorization goes over https only"});
  }
  const auto text = read_file(given.authorization_file, errc::config_invalid).value();
  out.authorization = split(text, '\n').front();
  return out;
}

void print_report(const endorse_report& report) {
  std::cout << "wrote the endorsements\n  kid: " << to_hex(report.kid) << '\n';
  for (const auto& change : report.changes) {
    std::cout << "  PCR " << change.pcr << " was " << to_hex(change.before) << ", is "
              << to_hex(change.now) << '\n';
  }
  for (const auto& file : report.files) {
    std::cout << "  wrote " << file.path.string() << '\n';
  }
}

int run_endorse(const endorse_arguments& given) {
  const auto& form = checked_form(given.release);
  // Before anything is written.
  const auto service = given.submit_url.empty() ? std::optional<http_options>()
                                                : std::optional(checked_service(given));
  const auto report = endorse({given.tcti, given.state_dir, checked_pcrs(given.pcrs), form,
                               given.with_trust_anchor})
                          .value();
  print_report(report);
  if (!service) {
    return 0;
  }
  const auto media_type =
      endorsement_provisioning::media_type(form, parsec_tpm_endorsements::profile);
  for (const auto& file : report.files) {
    const auto outcome =
        submit_endorsements(*service, media_type, file.content, submit_timeout).value();
    std::cout << "  " << file.path.filename().string() << ": "
              << (outcome == provisioning_outcome::accepted ? "accepted by "
                                                            : "nothing to do, known already to ")
              << service->where.origin() << '\n';
  }
  return 0;
}

void add_common(CLI::App& to, common_arguments& given) {
  to.add_option("--tcti", given.tcti, "how to reach the TPM")->capture_default_str();
  to.add_option("--state-dir", given.state_dir, "where the identity is kept")->required();
  to.add_option("--pcrs", given.pcrs, "PCRs for the reference values")->capture_default_str();
  to.add_option("--for", given.release,
                "the Verifier's release, whose form the endorsements have: veraison-main, "
                "veraison-2608 (since v0.0.2603; atls-verifier), veraison-2602 (since v0.0.2512) "
                "or veraison-2511 (before)")
      ->capture_default_str();
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
  added->add_option("--ak-template", given->ak_template,
                    "the attestation key is the one that this NV index has a template of, such as "
                    "0x01c10003 on Google Cloud, whose provider has certified it");
  return {added, [given] { return run_provision(*given); }};
}

command add_endorse(CLI::App& app) {
  const auto given = std::make_shared<endorse_arguments>();
  auto* added = app.add_subcommand(
      "endorse", "write the reference values again, with the PCRs as they are now");
  add_common(*added, *given);
  added->add_flag("--trust-anchor", given->with_trust_anchor,
                  "the trust anchor too: once for each Verifier, which knows the machine by it");
  auto* submit = added->add_option(
      "--submit", given->submit_url,
      "give what is written to the provisioning service there, such as https://HOST:9443");
  added->add_option("--ca", given->ca_file, "its certificate authority (PEM)")->needs(submit);
  added
      ->add_option("--authorization-file", given->authorization_file,
                   "file with the value of the Authorization header")
      ->needs(submit);
  return {added, [given] { return run_endorse(*given); }};
}

}  // namespace atls
