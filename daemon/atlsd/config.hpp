// The configuration of atlsd: one JSON document (comments allowed), read once into an immutable
// structure. Unknown keys are errors.
#pragma once

#include "appraisal/policy/policy_rules.hpp"
#include "atlsd/document.hpp"
#include "attestation/scheme.hpp"
#include "formats/tpm_structures.hpp"
#include "formats/url.hpp"
#include "proxy/listen/admission.hpp"
#include "proxy/log.hpp"
#include "proxy/tunnel.hpp"
#include "schemes/table.hpp"
#include "tsm/report_entry.hpp"

#include <filesystem>
#include <set>

namespace atls {

/// config_invalid with a line for each mistake, which begins with its file.
failure mistakes(const std::vector<std::string>& lines);

struct config {
  struct tpm_settings {
    std::string tcti = "device:/dev/tpmrm0";
    std::filesystem::path state_dir = "/var/lib/atlsd";
    pcr_selection pcrs;
    /// The PCR that program and configuration are measured into.
    std::optional<unsigned> measure_into;
  };
  struct tsm_settings {
    tsm::entry_options entry;
    /// PEM files: the certificates of the key that signs SNP reports, where the host gives none.
    std::vector<std::filesystem::path> certificates;
  };
  struct azure_settings {
    /// The instance metadata service.
    url metadata;
  };
  /// Who makes Evidence.
  enum class attester { tpm, tsm, azure };
  struct identity_settings {
    /// Where a root of trust is a TPM; an Azure VM's too.
    std::optional<tpm_settings> tpm;
    /// Where one is a confidential VM's.
    std::optional<tsm_settings> tsm;
    /// Where one is an Azure VM's hardware, behind its TPM.
    std::optional<azure_settings> azure;
    /// Whose Evidence is offered, the preferred first.
    std::vector<attester> attesters;
    /// For tests: Evidence of Trustee's sample TEE, which proves nothing.
    bool is_sample = false;
    std::filesystem::path certificate;
    /// A PEM file; empty with a TPM, whose TLS Identity Key is the key. A confidential VM without
    /// one makes a key in memory at each start.
    std::filesystem::path key;

    /// Whether this machine can make Evidence.
    bool attests() const noexcept { return tpm || tsm || is_sample; }
    bool has_key() const noexcept { return tpm || tsm || !key.empty(); }
    /// Whether a root of trust may be absent on this machine: there is another.
    bool is_either() const noexcept { return attesters.size() > 1; }
  };
  struct verifier_settings {
    verifier_type type = verifier_type::veraison;
    std::string url;
    /// What passports name it by, 1 to 255 bytes.
    std::string identity;
    /// Media types of the Evidence that it appraises; never empty.
    std::vector<std::string> evidence_types;
    /// Trustee: the policies to appraise by; empty: its default.
    std::vector<std::string> policy_ids;
    /// Trustee, for tests: its sample TEE is an Evidence type.
    bool unsafe_sample_tee = false;
    /// Empty: from the Verifier's discovery.
    std::vector<std::filesystem::path> result_keys;
    std::filesystem::path ca;
    std::filesystem::path certificate;
    std::filesystem::path key;
    /// Holds the Authorization header's value.
    std::filesystem::path authorization_file;
    std::chrono::milliseconds retired_key_grace{300'000};
    std::chrono::milliseconds timeout{5000};
    unsigned max_concurrent = 64;
    unsigned max_waiting = 1024;
  };
  struct policy_settings {
    pcr_selection pcrs;
    sev_snp_policy snp;
    tdx_policy tdx;
    sgx_policy sgx;
    arm_cca_policy cca;
    azure_vtpm_policy azure;
    std::chrono::milliseconds max_result_age{60'000};
    std::chrono::milliseconds clock_skew{5'000};
    std::string verifier_developer;
    std::string verifier_build;
    std::string appraisal_policy_id;
    std::vector<policy_rule> rules;
    /// The rules only say whom they would refuse.
    bool dry_run = false;
    /// CoRIMs, for what the log says of refused PCRs.
    std::vector<std::filesystem::path> reference_values;
  };
  struct peer_settings {
    std::vector<std::string> names;
    std::filesystem::path ca;
    /// Revocation lists; if any, each authority of the peer's chain must have one.
    std::vector<std::filesystem::path> crls;
    std::vector<bytes> kids;
    /// Spelled out: whoever connects is served.
    bool unsafe_unauthenticated = false;
  };
  struct passport_settings {
    /// Each is issued within its handshake, with the handshake's nonce.
    bool fresh = false;
    /// For how long one may be used after it was issued; at least a second.
    std::chrono::milliseconds max_age{600'000};
  };
  struct tunnel_settings {
    /// In the documents: "file: tunnels[3]".
    std::string place;
    std::string name;
    tls::role role = tls::role::client;
    proxy::address listen;
    proxy::address target;
    /// This machine shows itself: by Evidence, or by a passport instead.
    bool attest = false;
    bool presents_passport = false;
    bool require_attestation = false;
    /// What of a peer, best first. Set, even where attestation is not required.
    std::vector<attestation_model> accepts{attestation_model::background_check};
    /// Where the peer presents nothing: Evidence that its certificate carries.
    bool accepts_certificates = false;
    /// Spelled out where they are accepted: such Evidence may be of any age.
    bool unsafe_no_freshness = false;
    /// Those that are presented and those that are accepted.
    passport_settings passport;
    peer_settings peer;
    std::string groups;
    std::chrono::milliseconds resumption{0};
    proxy::time_limits limits;
    proxy::tcp_options tcp;
    unsigned max_connections = 0;
    bool transparent = false;
    bool accepts_proxy_header = false;
    proxy::proxy_protocol::version sends_proxy_header = proxy::proxy_protocol::version::none;
    /// Spelled out: the plaintext side may be another machine's.
    bool unsafe_plaintext = false;
    /// The common policy with what this tunnel says otherwise; its rules are added to the common
    /// ones.
    policy_settings policy;

    /// Where attestation is required.
    bool does_accept(attestation_model model) const;
    /// The same: Evidence, however it comes, which a Verifier is asked about.
    bool asks_verifier() const;
  };

  struct admin_settings {
    bool enabled = true;
    /// Everything; never beyond this host.
    proxy::address listen{proxy::address::scheme::unix_socket, "/run/atlsd/admin.sock", ""};
    /// Nobody chose it: it is no error if it cannot be had.
    bool is_default = true;
    /// What may be read by anybody: /metrics, /livez, /readyz.
    std::optional<proxy::address> metrics_listen;
  };

  /// The main one first.
  std::vector<document> documents;
  /// A directory of further documents with tunnels; empty: none.
  std::filesystem::path include;
  identity_settings identity;
  /// In the order of preference.
  std::vector<verifier_settings> verifiers;
  policy_settings policy;
  std::vector<tunnel_settings> tunnels;
  unsigned threads = 1;
  /// Of all tunnels together; 0: no limit.
  unsigned max_connections = 0;
  /// Of the extension remoteAttestation.
  unsigned extension_code = tls::default_extension_code;
  /// Of peers before their verdict.
  proxy::admission_limits half_open;
  std::string log_level = "info";
  proxy::log_format log_format = proxy::log_format::text;
  /// Lines about peers that were not admitted; more are counted.
  unsigned refusals_per_second = 20;
  admin_settings admin;
  /// Files that change are read again by themselves: when the kernel says so, and looked after at
  /// this interval.
  bool watch_files = true;
  std::chrono::milliseconds poll_interval{10'000};
  /// Spelled out: the process keeps the rights it was started with.
  bool unsafe_no_sandbox = false;
  std::chrono::milliseconds shutdown_timeout{25'000};

  /// Every mistake, a line each: file, place in it, what was found and what was expected. Relative
  /// paths are relative to the document they stand in. What files hold is not looked at.
  static result<config> load(const std::filesystem::path& file);
  /// In `seen` is what was read until then: the documents, success or not; and what files() held
  /// afterwards, before anybody used them.
  static result<config> load(const std::filesystem::path& file, file_digests& seen);
  static result<config> parse(std::string_view text, const std::filesystem::path& file);

  /// Every file that matters: the documents and what they name.
  std::vector<std::filesystem::path> files() const;

  /// SHA-256 of what decides whom this machine trusts and what it shows of itself: the documents
  /// and the content of trusted_files().
  result<bytes> measurement() const;

  /// A Verifier appraises the sample TEE, whose Evidence anybody can make.
  bool takes_samples() const;

  /// Of the document, such as "tunnels[].peer.kid".
  static std::set<std::string> known_keys();

 private:
  /// Those that hold no secret and decide: all but private keys, Authorization, the state directory
  /// and a policy's reference values, which only explain.
  std::vector<std::filesystem::path> trusted_files() const;
  static result<config> read(const document& main, file_digests& seen);
};

}  // namespace atls
