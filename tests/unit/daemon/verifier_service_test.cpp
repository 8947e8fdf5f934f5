#include "reference_verifier/verifier_service.hpp"

#include "dialects/veraison/challenge_response.hpp"
#include "formats/cmw.hpp"
#include "formats/ear.hpp"
#include "reference_verifier/parsec_tpm_appraisal.hpp"
#include "support/software_tpm.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;
namespace api = atls::challenge_response;
namespace http = boost::beast::http;

namespace {

evidence_appraisers knows(endorsement_store endorsements) {
  return {std::make_shared<parsec_tpm_appraiser>(
      std::make_shared<endorsement_store>(std::move(endorsements)),
      pcr_selection{tpm_hash::sha256, 0xff})};
}

// An Evidence type that is never good.
class refusing_appraiser final : public evidence_appraiser {
 public:
  std::string_view media_type() const noexcept override { return "application/x-refused"; }
  verdicts appraise(bytes_view evidence, bytes_view session_nonce) const override {
    ear_appraisal out;
    out.status = trust_tier::contraindicated;
    out.policy_claims = {{"problem", to_hex(evidence) + " " + to_hex(session_nonce)}};
    return {{"REFUSED", std::move(out)}};
  }
};

struct client {
  session_store::limits most = {};
  verifier_service service{{{"ES256", new_key()}, knows({})}, most};

  verifier_service::response send(http::verb method, const std::string& target,
                                  const std::string& type = "", const std::string& body = "",
                                  const std::string& accept = "") {
    verifier_service::request message(method, target, 11);
    message.body() = body;
    if (!type.empty()) {
      message.set(http::field::content_type, type);
    }
    if (!accept.empty()) {
      message.set(http::field::accept, accept);
    }
    return service.handle(message);
  }
  verifier_service::response create(const std::string& query, const std::string& accept = "") {
    return send(http::verb::post, std::string(api::new_session_path) + query, "", "", accept);
  }
  std::string new_session() {
    const auto made = create("?nonce=" + to_base64url(bytes(32, 0x5a)));
    return "/challenge-response/v1/" + std::string(made[http::field::location]);
  }
};

std::string problem(const verifier_service::response& answer) {
  CHECK(answer[http::field::content_type] == std::string(api::problem_type));
  return parse_json(answer.body(), errc::internal).value()["detail"].get<std::string>();
}

}  // namespace

TEST_CASE("new sessions", "[daemon]") {
  client c;
  const auto made = c.create("?nonce=LS4t5ztJJzUz0y5MWiYQkS1NDW1YvglhBGPwc_-PMSg%3D");
  CHECK(made.result_int() == 201);
  CHECK(made[http::field::content_type] == std::string(api::session_type));
  const auto session = api::parse_session(made.body()).value();
  CHECK(session.status == api::session_status::waiting);
  CHECK(session.nonce.size() == 32);
  CHECK(session.accept.front() == parsec_tpm_evidence::media_type);
  CHECK(api::parse_session(c.create("").body())->nonce.size() == 32);
  CHECK(api::parse_session(c.create("?nonceSize=64").body())->nonce.size() == 64);
  CHECK(c.create("", std::string(api::session_type)).result_int() == 201);

  for (const auto& [query, detail] :
       {std::pair{"?nonce=AAAA&nonceSize=32", "mutually exclusive"},
        {"?nonceSize=65", "nonceSize must be in range 8..64"},
        {"?nonceSize=7", "nonceSize must be in range 8..64"},
        {"?nonce=+/==", "nonce must be valid base64"},
        {"?nonce=AAAA", "nonce must be between 8 and 64 bytes long; got 3"}}) {
    const auto refused = c.create(query);
    CHECK(refused.result_int() == 400);
    CHECK_THAT(problem(refused),
               Catch::Contains("failed handling nonce request: ") && Catch::Contains(detail));
  }
  CHECK(c.create("", "text/html").result_int() == 406);
  CHECK(c.send(http::verb::get, "/nothing").result_int() == 404);
}

TEST_CASE("a session takes one submission, bare or in a CMW", "[daemon]") {
  client c;
  const std::string type(parsec_tpm_evidence::media_type);
  const auto evidence = evidence_maker().make().encode();
  const std::string body(as_text(evidence));
  const auto path = c.new_session();
  CHECK(c.send(http::verb::post, path, "application/cbor", body).result_int() == 415);
  CHECK(c.send(http::verb::post, path, type, "").result_int() == 400);
  CHECK(c.send(http::verb::post, path, "application/cmw", "x").result_int() == 400);
  const auto done = c.send(http::verb::post, path, type, body);
  CHECK(done.result_int() == 200);
  const auto session = api::parse_session(done.body()).value();
  CHECK(session.status == api::session_status::complete);
  CHECK(c.send(http::verb::post, path, type, body).result_int() == 409);
  CHECK(api::parse_session(c.send(http::verb::get, path).body())->result == session.result);
  CHECK(c.send(http::verb::delete_, path).result_int() == 204);
  CHECK(c.send(http::verb::get, path).result_int() == 404);

  const std::string wrapped(as_text(encode_cmw(type, evidence)));
  CHECK(c.send(http::verb::post, c.new_session(), "application/vnd.veraison.cmw+cbor", wrapped)
            .result_int() == 200);
  CHECK(c.send(http::verb::post, "/challenge-response/v1/session/7", type, body).result_int() ==
        400);
}

TEST_CASE("bad evidence is a verdict, signed with the key of the discovery document", "[daemon]") {
  client c;
  const auto discovery = c.send(http::verb::get, std::string(api::discovery_path));
  CHECK(discovery.result_int() == 200);
  const auto document = parse_json(discovery.body(), errc::internal).value();
  const auto key = parse_jwk(document["ear-verification-key"]).value();
  CHECK(document["service-state"] == "READY");

  const auto done = c.send(http::verb::post, c.new_session(),
                           std::string(parsec_tpm_evidence::media_type), "rubbish");
  CHECK(done.result_int() == 200);
  const auto token = api::parse_session(done.body())->result;
  const auto verdict = ear::parse(verify_jws(token, key).value()).value();
  CHECK(verdict.nonce == bytes(32, 0x5a));
  CHECK(verdict.submodules.at("PARSEC_TPM").status == trust_tier::contraindicated);
}

TEST_CASE("evidence of more than 64 KiB is refused, and the session is as it was", "[daemon]") {
  client c;
  const std::string type(parsec_tpm_evidence::media_type);
  const auto path = c.new_session();
  const auto before = c.service.session_bytes();
  const std::string large(64 * 1024 + 1, 'x');
  CHECK(c.send(http::verb::post, path, type, large).result_int() == 413);
  const std::string wrapped(as_text(encode_cmw(type, as_bytes(large))));
  CHECK(c.send(http::verb::post, path, "application/cmw", wrapped).result_int() == 413);
  CHECK(c.send(http::verb::post, path, "application/cbor", large).result_int() == 415);
  CHECK(c.service.session_bytes() == before);
  CHECK(api::parse_session(c.send(http::verb::get, path).body())->status ==
        api::session_status::waiting);
  CHECK(c.send(http::verb::post, path, type, large.substr(1)).result_int() == 200);
}

TEST_CASE("what many strangers post stays small", "[daemon]") {
  client c;
  const std::string type(parsec_tpm_evidence::media_type);
  const std::string rubbish(64 * 1024, 'x');
  for (int i = 0; i < 600; ++i) {
    CHECK(c.send(http::verb::post, c.new_session(), type, rubbish).result_int() == 200);
  }
  CHECK(c.service.session_bytes() < 2u << 20);
}

TEST_CASE("who asks now is served, however many sessions are left behind", "[daemon]") {
  client c{.most = {.sessions = 10}};
  const auto first = c.new_session();
  for (int i = 0; i < 10; ++i) {
    c.new_session();
  }
  CHECK(c.send(http::verb::get, first).result_int() == 404);
  CHECK(c.send(http::verb::get, c.new_session()).result_int() == 200);
}

TEST_CASE("new endorsements and another key count for sessions that are open", "[daemon]") {
  client c;
  evidence_maker machine;
  machine.binder = bytes(32, 0x5a);
  const std::string type(parsec_tpm_evidence::media_type);
  const std::string body(as_text(machine.make().encode()));
  const auto status_of = [&](const std::string& path) {
    const auto done = c.send(http::verb::post, path, type, body);
    const auto discovery = c.send(http::verb::get, std::string(api::discovery_path)).body();
    const auto key =
        parse_jwk(parse_json(discovery, errc::internal).value()["ear-verification-key"]).value();
    const auto token = api::parse_session(done.body())->result;
    return ear::parse(verify_jws(token, key).value())->submodules.at("PARSEC_TPM").status;
  };
  const auto open = c.new_session();
  CHECK(status_of(c.new_session()) == trust_tier::contraindicated);
  endorsement_store known;
  known.add(endorsements_of(machine));
  c.service.use({{"ES256", new_key()}, knows(std::move(known))});
  CHECK(status_of(open) == trust_tier::affirming);
}

TEST_CASE("each Evidence type has its own appraiser", "[daemon]") {
  client c;
  auto appraisers = knows({});
  appraisers.push_back(std::make_shared<refusing_appraiser>());
  c.service.use({{"ES256", new_key()}, appraisers});

  const std::vector<std::string> types{std::string(parsec_tpm_evidence::media_type),
                                       "application/x-refused"};
  CHECK(api::parse_session(c.create("").body())->accept == types);
  const auto discovery = c.send(http::verb::get, std::string(api::discovery_path)).body();
  CHECK(parse_json(discovery, errc::internal).value()["media-types"] == json(types));
  const auto unknown = c.send(http::verb::post, c.new_session(), "application/cbor", "x");
  CHECK(unknown.result_int() == 415);
  CHECK(unknown[http::field::accept] == types[0] + ", " + types[1]);

  const auto done = c.send(http::verb::post, c.new_session(), types[1], "x");
  CHECK(done.result_int() == 200);
  const auto token = api::parse_session(done.body())->result;
  const auto verdict =
      ear::parse(verify_jws(token, c.service.settings()->result_key).value()).value();
  REQUIRE(verdict.submodules.size() == 1);
  CHECK(verdict.submodules.at("REFUSED").policy_claims["problem"] ==
        "78 " + to_hex(bytes(32, 0x5a)));
}

TEST_CASE("who appraises nothing accepts nothing", "[daemon]") {
  client c;
  c.service.use({{"ES256", new_key()}, {}});
  CHECK(c.send(http::verb::post, c.new_session(), std::string(parsec_tpm_evidence::media_type), "x")
            .result_int() == 415);
}

TEST_CASE("Attestation Results say when they expire only if a lifetime is given", "[daemon]") {
  client c;
  const auto verdict = [&] {
    const auto done = c.send(http::verb::post, c.new_session(),
                             std::string(parsec_tpm_evidence::media_type), "rubbish");
    const auto token = api::parse_session(done.body())->result;
    return ear::parse(verify_jws(token, c.service.settings()->result_key).value()).value();
  };
  CHECK_FALSE(verdict().expires);
  c.service.use({{"ES256", new_key()}, knows({}), std::chrono::seconds(90)});
  const auto brief = verdict();
  CHECK(brief.expires == brief.issued_at + 90);
}
