// What one Evidence type is to a Relying Party. To add a type: a folder here with one of these, and
// a line in table.cpp.
#pragma once

#include "attestation/statement.hpp"
#include "formats/ear.hpp"
#include "schemes/fact.hpp"

#include <span>

namespace atls {

/// What Evidence must show for this handshake.
struct evidence_expectations {
  /// What it must be bound to.
  bytes_view binder;
  /// DER SubjectPublicKeyInfo of the peer's leaf certificate.
  bytes_view leaf_spki;
};

/// What one submodule of an Attestation Result must say. Its entries are indices into trust_claims.
struct submodule_shape {
  std::string_view name;
  /// Entries of its trust vector that must affirm.
  std::vector<std::size_t> affirmed;
  /// Those that must be 2, "recognised, and nothing is known against it": where a Verifier affirms
  /// what it has not recognised.
  std::vector<std::size_t> recognised = {};
};

/// What an Attestation Result about such Evidence looks like.
struct result_shape {
  /// Those there must be, and no others, where a Verifier names them by the scheme.
  std::vector<submodule_shape> submodules;
  /// Whether the result names the TLS key (akpub).
  bool names_key = false;
  /// Trustee's name of the TEE, in requests and in results; empty: it appraises no such Evidence.
  std::string_view tee = {};
  /// Entries that must affirm in Trustee's results, whose one submodule is named by the device.
  std::vector<std::size_t> tee_affirmed = {};
};

/// The kinds of Verifier that there are (appraisal/dialects). Trustee is two: its attestation
/// service, and its Key Broker Service in front of it.
enum class verifier_type { veraison, trustee, kbs };
/// Whether it says itself what Evidence is to be bound to: it can issue passports, and not appraise
/// what is bound to a handshake.
constexpr bool chooses_nonce(verifier_type type) noexcept {
  return type == verifier_type::kbs;
}

/// Evidence as a Verifier with Veraison's API takes it.
struct veraison_evidence {
  std::string media_type;
  bytes content;
};

/// Evidence as Trustee takes it.
struct tee_evidence {
  json evidence;
  /// What its result must say as "report_data", written as it is for this TEE.
  std::string report_data;
};

/// The steps of an appraisal that can refuse (ARCHITECTURE.md).
enum class appraisal_step { parse, binder, key, platform, verifier, result, policy };

/// Immutable: one Evidence type as one tunnel wants it. No I/O, no clock.
class evidence_scheme {
 public:
  virtual ~evidence_scheme() = default;

  virtual std::string_view media_type() const noexcept = 0;

  /// The checks that need no Verifier: parse, binder, key, platform. Each failing one has its own
  /// reason. `evidence` is without its CMW.
  virtual result<statement> check(bytes_view evidence,
                                  const evidence_expectations& expected) const = 0;
  /// What check() demands of the platform, of a peer that was checked by another configuration.
  virtual result<void> recheck(const statement& of) const = 0;
  /// What check() would leave in statement::facts; nothing is checked beyond being well-formed.
  virtual result<json> read(bytes_view evidence) const = 0;

  virtual result_shape shape() const = 0;
  /// The facts of read(), named from "evidence." on.
  virtual std::span<const fact> facts() const = 0;
  /// The reasons that are this scheme's own, and the steps that give them.
  virtual std::span<const std::pair<errc, appraisal_step>> reasons() const = 0;

  /// What can be said here of a peer that the Verifier does not affirm, for people; may be empty.
  virtual std::string findings(const statement&) const { return {}; }
  /// Whether Verifiers of this kind appraise such Evidence.
  virtual bool is_for(verifier_type type) const noexcept { return type == verifier_type::veraison; }
  virtual veraison_evidence for_veraison(const statement& of) const {
    return {of.media_type, of.evidence};
  }
  /// What such a Verifier compares with Evidence that is bound to `nonce`, and repeats.
  virtual bytes veraison_nonce(bytes_view nonce) const { return to_bytes(nonce); }
  /// Where shape() names a TEE.
  virtual tee_evidence for_trustee(const statement&) const { return {}; }
};

}  // namespace atls
