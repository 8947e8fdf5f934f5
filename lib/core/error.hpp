// The one list of reasons why atlsd refuses or fails, and the type that carries one.
//
// A reason's name is the same word in the log, in messages and in the documentation.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include <boost/assert/source_location.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace atls {

// X(name, what it means)
#define ATLS_REASONS(X)                                                                        \
  /* the TLS handshake */                                                                      \
  X(handshake_failed, "the TLS handshake failed")                                              \
  X(handshake_timeout, "the handshake did not finish within its deadline")                     \
  X(source_quota, "too many connections of this source wait for their verdict")                \
  X(half_open_shed, "the connection gave way to newer ones before its verdict")                \
  X(peer_closed, "the peer closed the connection")                                             \
  X(cancelled, "the operation was abandoned")                                                  \
  X(extension_malformed, "the attestation extension is malformed")                             \
  X(extension_illegal, "the attestation extension names what was not offered or is misplaced") \
  X(unsolicited_attestation, "the peer sent an attestation extension nobody asked for")        \
  X(no_common_attestation_scheme, "no attestation scheme is known to both sides")              \
  X(peer_not_attested, "the peer sent no Evidence")                                            \
  X(resumption_expired, "the session that was resumed has outlived what it was judged by")     \
  X(reflected_key, "the peer presented our own key")                                           \
  X(pki_untrusted, "the peer's certificate chain is not trusted")                              \
  X(pki_expired, "the peer's certificate has expired")                                         \
  X(pki_revoked, "the peer's certificate has been revoked")                                    \
  X(pki_name_mismatch, "the peer's certificate is for another name")                           \
  /* the Evidence, as far as the Relying Party checks it itself */                             \
  X(cmw_malformed, "the conceptual message wrapper is malformed")                              \
  X(evidence_type_unexpected, "the Evidence is of a type that was not negotiated")             \
  X(evidence_malformed, "the Evidence is malformed")                                           \
  X(certificate_key_mismatch, "the Evidence in the peer's certificate is for another key")     \
  X(kid_malformed, "the key identifier is not a UEID")                                         \
  X(kid_mismatch, "the key and platform statements name different attestation keys")           \
  X(kid_not_allowed, "the attestation key is not among those allowed")                         \
  X(kat_nonce_mismatch, "the key statement is not bound to this handshake")                    \
  X(pat_nonce_mismatch, "the platform statement is not bound to this handshake")               \
  X(kat_magic, "the key statement was not made by a TPM")                                      \
  X(kat_type, "the key statement is not a TPM2_Certify")                                       \
  X(kat_name_mismatch, "the certified name is not that of the public area")                    \
  X(kat_key_unsupported, "the attested key is not of a supported type")                        \
  X(kat_key_mismatch, "the attested key is not the TLS key")                                   \
  X(kat_key_attributes, "the attested key could leave its TPM or serve another purpose")       \
  X(pat_magic, "the platform statement was not made by a TPM")                                 \
  X(pat_type, "the platform statement is not a TPM2_Quote")                                    \
  X(pat_selection, "the quote has not exactly one PCR selection")                              \
  X(pat_bank, "the quote is over another PCR bank")                                            \
  X(pat_pcrs_missing, "the quote lacks a required PCR")                                        \
  X(signature_unsupported, "a signature in the Evidence is of an unsupported algorithm")       \
  X(signer_mismatch, "the statements were not made in the same TPM hierarchy by one key")      \
  X(report_data_mismatch, "the report data is not bound to this handshake")                    \
  X(sgx_debug, "the SGX enclave can be debugged by its host")                                  \
  X(sgx_signature, "the SGX quote is not signed by its own keys")                              \
  X(snp_certificate, "the SNP report comes without the certificate of its endorsement key")    \
  X(snp_debug, "the SNP guest can be debugged by its host")                                    \
  X(snp_migration, "the SNP guest can be migrated by an agent")                                \
  X(snp_vmpl, "the SNP report was made at too low a privilege level (VMPL)")                   \
  X(snp_signature, "the SNP report is not signed by its endorsement key")                      \
  X(snp_tcb_mismatch, "the SNP report and its endorsement key name different firmware")        \
  X(snp_tcb_order, "the SNP report claims newer firmware than runs")                           \
  X(snp_chip_mismatch, "the SNP report and its endorsement key name different chips")          \
  X(tdx_module, "the TDX module is not one of Intel's in production")                          \
  X(tdx_debug, "the TD can be debugged by its host")                                           \
  X(tdx_signature, "the TDX quote is not signed by its own keys")                              \
  X(cca_lifecycle, "the CCA platform is not secured")                                          \
  X(cca_realm_key, "the CCA platform token vouches for another realm key")                     \
  X(cca_signature, "the CCA realm token is not signed by its key")                             \
  X(azure_hardware_mismatch, "the HCL report and its endorsement are of different hardware")   \
  X(azure_runtime_data, "the hardware report is not about the keys of this vTPM")              \
  X(azure_ak_signature, "the vTPM's own key did not certify the attestation key")              \
  X(azure_ak_magic, "the certification of the attestation key was not made by a TPM")          \
  X(azure_ak_type, "the certification of the attestation key is not a TPM2_Certify")           \
  X(azure_ak_name, "the certified attestation key is another")                                 \
  X(azure_ak_attributes, "the certified key could leave its TPM or sign other data")           \
  X(azure_ak_mismatch, "the statements name another attestation key than the certified one")   \
  X(azure_tpm_signature, "the statements are not signed by the certified attestation key")     \
  /* the Verifier */                                                                           \
  X(verifier_unavailable, "the Verifier cannot be reached")                                    \
  X(verifier_timeout, "the Verifier did not answer within its deadline")                       \
  X(verifier_overloaded, "too many appraisals are waiting for the Verifier")                   \
  X(verifier_protocol, "the Verifier's answer is not of its protocol")                         \
  X(verifier_rejected, "the Verifier refused the request")                                     \
  X(verifier_nonce, "the Verifier's session is for another nonce")                             \
  X(verifier_evidence_type, "the Verifier does not appraise this Evidence type")               \
  /* the Attestation Result */                                                                 \
  X(ear_malformed, "the Attestation Result is malformed")                                      \
  X(ear_algorithm, "the Attestation Result is signed with another algorithm than configured")  \
  X(ear_signature, "the Attestation Result is not signed by the configured key")               \
  X(ear_profile, "the Attestation Result's profile is not accepted")                           \
  X(ear_from_future, "the Attestation Result was issued in the future")                        \
  X(ear_stale, "the Attestation Result is too old")                                            \
  X(ear_not_yet_valid, "the Attestation Result is not valid yet")                              \
  X(ear_expired, "the Attestation Result has expired")                                         \
  X(ear_nonce, "the Attestation Result is for another nonce")                                  \
  X(ear_submodule, "the Attestation Result has not exactly the expected submodule")            \
  X(ear_not_affirming, "the Verifier does not affirm the peer")                                \
  X(ear_contradiction, "the Attestation Result's status is better than its vector")            \
  X(ear_key_mismatch, "the Attestation Result is for another TLS key")                         \
  X(ear_evidence, "the Attestation Result is about other Evidence")                            \
  X(ear_verifier_id, "the Attestation Result was made by another Verifier")                    \
  X(ear_policy_id, "the Attestation Result was made under another appraisal policy")           \
  X(policy_vector, "the local policy refuses the Attestation Result's trust vector")           \
  X(policy_denied, "a deny rule of the local policy matches")                                  \
  X(policy_requirement, "the peer lacks what a rule of the local policy requires")             \
  X(policy_not_allowed, "no allow rule of the local policy matches")                           \
  X(passport_expired, "the Attestation Result that stands for Evidence has expired")           \
  X(passport_unavailable, "no Verifier has issued a passport yet")                             \
  /* the Attester */                                                                           \
  X(tpm_unavailable, "the TPM cannot be reached")                                              \
  X(tpm_permission, "there is no right to use the TPM")                                        \
  X(tpm_lockout, "the TPM is in dictionary-attack lockout")                                    \
  X(tpm_overloaded, "too many requests are waiting for the TPM")                               \
  X(tpm_timeout, "the TPM did not answer within its deadline")                                 \
  X(tpm_failed, "a TPM command failed")                                                        \
  X(tsm_unavailable, "the machine's TSM cannot be used")                                       \
  X(tsm_overloaded, "too many requests are waiting for the TSM")                               \
  X(tsm_timeout, "the TSM did not answer within its deadline")                                 \
  X(tsm_failed, "the TSM made no usable report")                                               \
  X(azure_metadata, "the instance metadata service of Azure gave no usable answer")            \
  X(tpm_pcr_bank, "the TPM has no such PCR bank")                                              \
  X(not_provisioned, "this machine has no attestation identity yet")                           \
  X(identity_invalid, "the attestation identity cannot be used")                               \
  /* configuration, certificates, endorsements */                                              \
  X(config_invalid, "the configuration is not valid")                                          \
  X(certificate_invalid, "a certificate or key cannot be used")                                \
  X(listen_failed, "an address cannot be listened on")                                         \
  X(takeover_refused, "the process to take over from is no atlsd of this configuration")       \
  X(state_busy, "another program is changing the state directory")                             \
  X(corim_malformed, "the CoRIM is malformed")                                                 \
  X(endorsement_missing, "there is no trust anchor or reference value")                        \
  X(provisioning_refused, "the Verifier did not take the endorsements")                        \
  X(internal, "an unexpected failure")                                                         \
  /* the relay */                                                                              \
  X(target_unreachable, "the target cannot be reached")                                        \
  X(proxy_header_malformed, "the PROXY protocol header is missing or malformed")               \
  X(record_invalid, "the peer broke the TLS record protocol")                                  \
  X(truncated, "the peer ended the stream without a close_notify")                             \
  X(local_reset, "the local application reset the connection")                                 \
  X(idle_timeout, "no data moved within the idle limit")                                       \
  X(result_too_old, "the peer's Attestation Result has grown too old for its connection")      \
  X(tunnel_removed, "the connection's tunnel is not configured any more")                      \
  X(shutting_down, "atlsd is stopping")

enum class errc {
  ok = 0,
#define X(name, text) name,
  ATLS_REASONS(X)
#undef X
};

/// The reason's name, e.g. "kat_nonce_mismatch".
std::string_view reason(errc code) noexcept;

/// One sentence for people.
std::string_view describe(errc code) noexcept;

/// Every code after `ok`, in order; for tests and documentation.
std::size_t reason_count() noexcept;

const boost::system::error_category& category() noexcept;

inline boost::system::error_code make_error_code(errc code) noexcept {
  return {static_cast<int>(code), category()};
}

/// Why something was refused: the code, and what was found and expected in this instance.
struct failure {
  errc code = errc::internal;
  std::string detail;

  failure() = default;
  failure(errc c, std::string d = {}) : code(c), detail(std::move(d)) {}  // NOLINT: implicit
  /// "kat_type: the key statement is not a TPM2_Certify (found 0x8018)".
  std::string text() const;
};

/// Thrown at start-up and by result::value(); what() is failure::text().
class error : public std::runtime_error {
 public:
  explicit error(failure f) : std::runtime_error(f.text()), failure_(std::move(f)) {}
  const failure& why() const noexcept { return failure_; }

 private:
  failure failure_;
};

[[noreturn]] inline void throw_exception_from_error(const failure& f,
                                                    const boost::source_location&) {
  throw error(f);
}

template <class T>
using result = boost::system::result<T, failure>;

}  // namespace atls

/// Early return on failure; the value is assigned to `target` otherwise.
#define ATLS_CONCAT_(a, b) a##b
#define ATLS_CONCAT(a, b) ATLS_CONCAT_(a, b)
#define ATLS_TRY_(tmp, target, expression) \
  auto tmp = (expression);                 \
  if (!tmp) {                              \
    return tmp.error();                    \
  }                                        \
  target = std::move(*tmp)
#define ATLS_TRY(target, expression) ATLS_TRY_(ATLS_CONCAT(atls_try_, __LINE__), target, expression)
/// The same for result<void>.
#define ATLS_CHECK_(tmp, expression)   \
  if (auto tmp = (expression); !tmp) { \
    return tmp.error();                \
  }
#define ATLS_CHECK(expression) ATLS_CHECK_(ATLS_CONCAT(atls_check_, __LINE__), expression)
