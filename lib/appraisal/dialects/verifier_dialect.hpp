// How one kind of Verifier is talked to: requests out, answers in, no I/O. To add a kind: a folder
// here with one of these, and a line in dialects.cpp.
#pragma once

#include "dialects/result_binding.hpp"
#include "formats/http_message.hpp"
#include "formats/jose.hpp"
#include "formats/url.hpp"
#include "schemes/evidence_scheme.hpp"

#include <chrono>
#include <memory>
#include <variant>

namespace atls {

/// What to ask a Verifier next, and how long to wait before.
struct next_request {
  http_request request;
  std::chrono::milliseconds after{0};
};

/// One piece of Evidence on its way to an Attestation Result.
class appraisal_exchange {
 public:
  virtual ~appraisal_exchange() = default;

  /// Once, before everything else.
  virtual http_request begin() = 0;
  /// Of the answer to the request before: what to ask next, or the Attestation Result as it came
  /// (JWT, or CWT in base64url), not checked. A success also says that the answer is one to this
  /// request; after a failure the exchange is over. verifier_rejected, verifier_unavailable,
  /// verifier_protocol, verifier_nonce, verifier_evidence_type.
  virtual result<std::variant<next_request, std::string>> resume(const http_reply& answer) = 0;
  /// Whether a request held Evidence already, which is the peer's: what the Verifier answers from
  /// then on says nothing of the Verifier.
  virtual bool has_sent_evidence() const noexcept = 0;
};

/// A Verifier's own word for what Evidence must be bound to, had before there is Evidence.
class verifier_challenge {
 public:
  virtual ~verifier_challenge() = default;

  /// Once, before everything else.
  virtual http_request begin() = 0;
  /// verifier_rejected, verifier_protocol.
  virtual result<void> resume(const http_reply& answer) = 0;
  /// After a resume() without failure: what the Evidence is to be bound to.
  virtual const bytes& nonce() const noexcept = 0;
  /// As verifier_dialect::open(), for Evidence that is.
  virtual result<std::unique_ptr<appraisal_exchange>> open(const evidence_scheme& scheme,
                                                           const statement& evidence) const = 0;
};

/// What a Verifier says of itself.
struct verifier_discovery {
  /// For how long it may be believed; nullopt if it does not say. Stands first: a failure must not
  /// be taken for the beginning of one of these.
  std::optional<std::chrono::seconds> max_age;
  /// Whether it is at work: verifier_unavailable otherwise.
  result<void> readiness;
  /// What it signs Attestation Results with, at least one; verifier_protocol if it does not say.
  result<jws_keys> keys;
};

/// Used on one thread. Its failures do not name the Verifier: whoever asks knows it.
class verifier_dialect {
 public:
  virtual ~verifier_dialect() = default;

  virtual verifier_type type() const noexcept = 0;
  virtual http_request discovery() const = 0;
  /// Remembers what later exchanges need. verifier_protocol, or what its status says.
  virtual result<verifier_discovery> discovered(const http_reply& answer) = 0;
  /// `nonce` is what the Evidence is bound to. What is given need not outlive the call.
  /// verifier_evidence_type if such Evidence cannot be put into a request; internal if the nonce
  /// cannot.
  virtual result<std::unique_ptr<appraisal_exchange>> open(const evidence_scheme& scheme,
                                                           const statement& evidence,
                                                           bytes_view nonce) const = 0;
  /// For Evidence of this type about the owner of the leaf key; null where the caller chooses the
  /// nonce. verifier_evidence_type; internal if the key is of no use.
  virtual result<std::unique_ptr<verifier_challenge>> challenge(const evidence_scheme&,
                                                                bytes_view) const {
    return nullptr;
  }
  /// How its result about this Evidence must look.
  virtual result_binding binding(const evidence_scheme& scheme, const statement& evidence,
                                 bytes_view nonce, bytes_view leaf_spki) const = 0;
};

struct dialect_options {
  /// Trustee: the policies to appraise by; empty: its default.
  std::vector<std::string> policy_ids;
};

/// For the Verifier at an URL.
std::unique_ptr<verifier_dialect> make_dialect(verifier_type type, const url& where,
                                               const dialect_options& options);

}  // namespace atls
