// make-seeds DIR: one folder of well-formed inputs for each fuzz target.
#include "core/files.hpp"
#include "formats/cmw.hpp"
#include "formats/corim.hpp"
#include "formats/ear.hpp"
#include "formats/jose.hpp"
#include "schemes/parsec_tpm/evidence.hpp"
#include "support/azure_evidence.hpp"
#include "support/cvm_evidence.hpp"
#include "support/tagged_evidence.hpp"
#include "tls/remote_attestation.hpp"

#include <filesystem>

using namespace atls;
using namespace atls::test;

namespace {

std::filesystem::path top;

void seed(const char* target, const char* name, bytes_view content) {
  std::filesystem::create_directories(top / target);
  write_file(top / target / name, as_text(content), 0644).value();
}

ear result_for(const evidence_maker& maker) {
  ear out;
  out.profile = ear::veraison_profile;
  out.issued_at = 1'800'000'000;
  out.developer = "somebody";
  out.build = "1";
  out.nonce = maker.binder;
  ear_appraisal appraisal;
  appraisal.status = trust_tier::affirming;
  appraisal.vector = {2, 0, 2, 0, 2, 0, 0, 0};
  appraisal.policy_ids = {"policy:PARSEC_TPM"};
  appraisal.attested_key = spki(maker.tik);
  out.submodules.emplace(parsec_tpm_evidence::scheme, appraisal);
  return out;
}

// The same as Trustee says it.
json trustee_claims(const ear& result, const char* report_data) {
  json out = result.to_json();
  out["eat_profile"] = ear::trustee_profile;
  auto appraisal = *out["submods"].begin();
  appraisal["ear.veraison.annotated-evidence"] = {{"report_data", report_data},
                                                  {"snp", json::object()}};
  out["submods"] = json::object({{"cpu0", std::move(appraisal)}});
  return out;
}

}  // namespace

int main(int, char** argv) {
  top = argv[1];
  const evidence_maker maker;
  const auto evidence = maker.make();
  const bytes cmw = maker.make_cmw();
  seed("evidence", "cmw", cmw);
  seed("evidence", "bare", evidence.encode());
  seed("evidence", "snp", snp_evidence("report-good.bin"));
  seed("evidence", "tdx", tdx_evidence_of("quote-v4-good.bin"));
  seed("evidence", "tdx-1.5", tdx_evidence_of("quote-v5-td15.bin"));
  seed("evidence", "cca", read_binary_vector("cca/token-907-good.cbor"));
  seed("evidence", "azure", azure_evidence_maker(azure_hardware::snp).make());
  seed("cmw", "record", cmw);
  seed("cmw", "json", as_bytes(R"(["application/x","AAEC",4])"));
  seed("cmw", "collection",
       as_bytes(R"({"__cmwc_t":"tag:a,2026:b","a":["application/x","AAEC"]})"));
  seed("cbor", "evidence", evidence.encode());
  seed("tpm-structures", "certify", evidence.kat.cert_info);
  seed("tpm-structures", "quote", evidence.pat.attest_info);
  seed("tpm-structures", "public", evidence.kat.public_area);
  seed("tpm-structures", "signature", evidence.kat.signature);
  seed("tpm-structures", "selection", as_bytes("sha256:0,1,14"));

  const ear result = result_for(maker);
  const auto claims = result.to_json().dump();
  const jws_key key{"ES256", new_key()};
  const auto token = sign_jws(claims, key);
  seed("ear", "json", as_bytes(claims));
  seed("jose", "token", as_bytes(token));
  seed("jose", "key", as_bytes(to_jwk(key).dump()));

  const auto endorsements = endorsements_of(maker);
  for (const auto& form : corim_forms) {
    seed("corim", form.release.data(), endorsements.encode(form));
  }

  seed("corim", "cca", read_binary_vector("cca/corim-cca-platform-valid.cbor"));

  const json waiting{{"status", "waiting"},
                     {"nonce", to_base64url(bytes(32, 7))},
                     {"expiry", "2027-01-01T00:00:00Z"},
                     {"accept", {"application/x"}}};
  json complete = waiting;
  complete["status"] = "complete";
  complete["result"] = token;
  const json discovery{
      {"service-state", "READY"},
      {"ear-verification-key", to_jwk(key)},
      {"api-endpoints", {{"newChallengeResponseSession", "/challenge-response/v1/newSession"}}}};
  const json processing{
      {"status", "processing"}, {"nonce", waiting["nonce"]}, {"accept", json::array()}};
  // As dialect_fuzz.cpp has them.
  const auto answers = [](const char* name, const std::vector<std::string>& all) {
    std::string out;
    for (const auto& one : all) {
      out.append(out.empty() ? "" : "\x1e").append(one);
    }
    seed("dialect", name, as_bytes(out));
  };
  const auto created = "201||session/7|||" + waiting.dump();
  const auto keys = json::array({to_jwk(key)});
  const auto of_trustee = sign_jws(trustee_claims(result, "0707").dump(), key);
  answers("session", {created, "202|||||" + processing.dump(), "200|||||" + complete.dump()});
  answers("discovery", {"200|||max-age=60||" + discovery.dump(), created});
  answers("problem", {created, R"(400|application/problem+json||||{"detail":"no"})"});
  answers("trustee", {"200|||||" + of_trustee});
  answers("kbs", {R"(200||||kbs-session-id=ab; Path=/|{"nonce":"AAECAw==","extra-params":""})",
                  "200|||||" + json{{"token", of_trustee}}.dump()});
  answers("trustee-error", {"500|text/plain||||An internal error occured: \n0: evaluate"});
  answers("trustee-keys",
          {"200|||max-age=60||" + json{{"keys", keys}}.dump(), "200|||||" + of_trustee});
  answers("provisioning",
          {R"(201||session/7|||{"status":"processing"})", R"(200|||||{"status":"success"})"});
  answers("location", {"session/7b9c0a52-b6d1-11f0-9a31-303234326163"});

  const auto answer = [](const char* status, const char* more, const std::string& body) {
    return std::string("HTTP/1.1 ") + status + "\r\n" + more +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  seed("http-answer", "complete",
       as_bytes(answer("201 Created", "Location: session/1\r\n", waiting.dump()) +
                answer("200 OK", "", complete.dump())));
  seed("http-answer", "problem",
       as_bytes(answer("400 Bad Request", "Content-Type: application/problem+json\r\n",
                       R"({"detail":"no"})")));

  const attestation_schemes schemes{attestation_scheme::evidence("application/x"),
                                    attestation_scheme::result_of("verifier.example")};
  seed("remote-attestation", "offer", tls::encode_offer({schemes, schemes}));
  seed("remote-attestation", "choice", schemes.front().encoded());
  seed("remote-attestation", "attestation", tls::encode_payload(cmw).value());

  // As ra_tls_certificate_fuzz.cpp has them.
  bytes tagged{0};
  append(tagged, tagged_evidence(bytes(3, 7), claims_about(bytes(91, 0x30))));
  seed("ra-tls-certificate", "tagged", tagged);
  seed("ra-tls-certificate", "open-enclave",
       bytes{2, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 7, 7, 7});

  // Content type, length, content: data, a KeyUpdate, a ticket's head, a close_notify.
  seed("record-layer", "records", bytes{23, 0, 3, 'a', 'b', 'c', 22, 0, 5, 24, 0, 0, 1, 1,
                                        22, 0, 6, 4,   0,   0,   2,  9, 9, 21, 0, 2, 1, 0});

  // Steps of record_layer_differential_fuzz.cpp, most of them: 5, content type, length, content.
  const auto steps = [](const char* name, const bytes& of) {
    seed("record-layer-differential", name, of);
  };
  steps("data", {5, 23, 3, 'a', 'b', 'c', 13, 23, 1, 'd', 5, 23, 0, 5, 21, 2, 1, 0});
  steps("key-updates",
        {1, 5, 23, 1, 'a', 9, 5, 23, 1, 'b', 5, 22, 5, 24, 0, 0, 1, 1, 2, 5, 23, 1, 'c'});
  steps("split-key-update", {5, 22, 2, 24, 0, 5, 22, 3, 0, 1, 0, 2, 5, 23, 1, 'a'});
  steps("bad-key-updates", {5, 22, 5, 24, 0, 0, 1, 2});
  steps("long-key-update", {5, 22, 6, 24, 0, 0, 2, 0, 0});
  steps("two-key-updates", {5, 22, 10, 24, 0, 0, 1, 0, 24, 0, 0, 1, 0});
  steps("interleaved", {5, 22, 2, 24, 0, 5, 23, 1, 'a'});
  steps("alert-inside", {5, 22, 2, 24, 0, 5, 21, 2, 1, 0});
  steps("unknown-message", {5, 22, 4, 13, 0, 0, 0});
  steps("empty-handshake", {5, 22, 0});
  steps("empty-alert", {5, 21, 0});
  steps("short-alert", {5, 21, 1, 1});
  steps("two-alerts", {5, 21, 4, 1, 0, 1, 0});
  steps("fatal-alert", {5, 21, 2, 2, 40});
  steps("warnings", {5, 21, 2, 1, 90, 5, 21, 2, 1, 90, 5, 21, 2, 1, 90,
                     5, 21, 2, 1, 90, 5, 21, 2, 1, 90, 5, 21, 2, 1, 90});
  steps("unknown-type", {5, 24, 1, 1});
  steps("padding-only", {3, 0, 0, 9, 0, 9});
  steps("longest", {3, 23, 0x40, 0, 0, 0, 3, 23, 0x3f, 0xff, 0, 1});
  steps("too-long", {3, 23, 0x40, 1, 0, 0});
  steps("too-long-unknown", {3, 99, 0x40, 1, 0, 0});
  steps("too-long-ciphertext", {3, 23, 0x40, 0, 1, 0});
  steps("altered-type", {4, 0});
  steps("altered-version", {4, 1});
  steps("altered-minor-version", {4, 2});
  steps("altered-content", {4, 7});
  steps("in-clear", {0, 7, 21, 3, 3, 0, 2, 1, 0});
  steps("change-cipher-spec", {0, 6, 20, 3, 3, 0, 1, 1});
  steps("too-short", {0, 8, 23, 3, 3, 0, 3, 1, 2, 3});
  steps("too-long-header", {0, 5, 23, 3, 3, 0x41, 1});
}
