#include "dialects/trustee/kbs_dialect.hpp"

#include "core/openssl.hpp"
#include "dialects/trustee/answers.hpp"

#include <algorithm>

namespace atls {
namespace {

constexpr std::size_t max_nonce_text = 256;
constexpr std::size_t max_cookie = 256;

http_request post(const url& where, std::string_view path, const json& body,
                  std::string cookie = "") {
  return {"POST",
          where.prefix + std::string(path),
          "application/json",
          "application/json",
          to_bytes(as_bytes(body.dump())),
          std::move(cookie)};
}

http_request ask_for_nonce(const url& where, std::string_view tee) {
  return post(where, kbs_dialect::auth_path,
              {{"version", kbs_dialect::protocol_version}, {"tee", tee}, {"extra-params", ""}});
}

// The one text member that an answer is about.
result<std::string> read_member(const http_reply& answer, const char* name) {
  if (answer.status != 200) {
    return failure(answer.status >= 500 ? errc::verifier_unavailable : errc::verifier_rejected,
                   trustee::status_and_text(answer));
  }
  ATLS_TRY(const json document, parse_json(answer.body, errc::verifier_protocol));
  auto out = document.is_object() ? string_member(document, name) : std::nullopt;
  if (!out) {
    return failure(errc::verifier_protocol, "its answer has no \"" + std::string(name) + "\"");
  }
  return std::move(*out);
}

// As it stands in the canonical JSON that is hashed: without anything that JSON would escape.
result<std::string> read_nonce(const http_reply& answer) {
  ATLS_TRY(auto text, read_member(answer, "nonce"));
  const auto decoded = from_any_base64(text);
  if (text.empty() || text.size() > max_nonce_text || !decoded || to_base64(*decoded) != text) {
    return failure(errc::verifier_protocol, "its nonce is not base64 of at most " +
                                                std::to_string(max_nonce_text) + " characters");
  }
  return text;
}

// RFC 6265 section 4.1.1: name and value, without attributes.
result<std::string> read_session(const http_reply& answer) {
  auto pair = answer.set_cookie.substr(0, answer.set_cookie.find(';'));
  const auto is_octet = [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != ',' && c != '\\';
  };
  const auto name = std::string(kbs_dialect::session_cookie) + "=";
  if (!pair.starts_with(name) || pair.size() == name.size() || pair.size() > max_cookie ||
      !std::ranges::all_of(pair, is_octet)) {
    return failure(errc::verifier_protocol, "its answer sets no cookie \"" +
                                                std::string(kbs_dialect::session_cookie) + "\"");
  }
  return pair;
}

result<std::string> find_token(const http_reply& answer) {
  return read_member(answer, "token");
}

class kbs_challenge final : public verifier_challenge {
 public:
  kbs_challenge(url where, std::string_view tee, json tee_pubkey)
      : where_(std::move(where)), tee_(tee), tee_pubkey_(std::move(tee_pubkey)) {}

  http_request begin() override { return ask_for_nonce(where_, tee_); }

  result<void> resume(const http_reply& answer) override {
    { ATLS_TRY(text_, read_nonce(answer)); }
    { ATLS_TRY(session_, read_session(answer)); }
    // nlohmann_json writes members in the order of their names, and no spaces.
    const json bound{{"additional-evidence", ""}, {"nonce", text_}, {"tee-pubkey", tee_pubkey_}};
    nonce_ = digest("SHA384", as_bytes(bound.dump()));
    return {};
  }

  const bytes& nonce() const noexcept override { return nonce_; }

  result<std::unique_ptr<appraisal_exchange>> open(const evidence_scheme& scheme,
                                                   const statement& evidence) const override {
    ATLS_TRY(auto given, trustee::to_tee_evidence(scheme, evidence));
    const json body{
        {"runtime-data", {{"nonce", text_}, {"tee-pubkey", tee_pubkey_}}},
        {"tee-evidence", {{"primary_evidence", given.evidence}, {"additional_evidence", ""}}}};
    return trustee::make_exchange(post(where_, kbs_dialect::attest_path, body, session_),
                                  std::move(given.report_data), find_token);
  }

 private:
  const url where_;
  const std::string tee_;
  const json tee_pubkey_;
  std::string text_;
  std::string session_;
  bytes nonce_;
};

}  // namespace

http_request kbs_dialect::discovery() const {
  return ask_for_nonce(where_, "sample");
}

result<verifier_discovery> kbs_dialect::discovered(const http_reply& answer) {
  ATLS_CHECK(read_nonce(answer));
  return verifier_discovery{
      {}, {}, failure(errc::verifier_protocol, "it does not show the keys of its results")};
}

result<std::unique_ptr<appraisal_exchange>> kbs_dialect::open(const evidence_scheme&,
                                                              const statement& evidence,
                                                              bytes_view) const {
  return failure(errc::verifier_evidence_type,
                 evidence.media_type + " that is bound to another nonce than its own");
}

result<std::unique_ptr<verifier_challenge>> kbs_dialect::challenge(const evidence_scheme& scheme,
                                                                   bytes_view leaf_spki) const {
  const auto tee = scheme.shape().tee;
  if (tee.empty()) {
    return failure(errc::verifier_evidence_type, std::string(scheme.media_type()));
  }
  ATLS_TRY(auto key, key_from_spki(leaf_spki));
  ATLS_TRY(auto algorithm, algorithm_for(key.get()));
  return std::make_unique<kbs_challenge>(where_, tee,
                                         to_jwk({std::move(algorithm), std::move(key)}));
}

result_binding kbs_dialect::binding(const evidence_scheme& scheme, const statement& evidence,
                                    bytes_view, bytes_view leaf_spki) const {
  auto out = trustee::binding(scheme, evidence);
  out.leaf_spki = to_bytes(leaf_spki);
  return out;
}

}  // namespace atls
