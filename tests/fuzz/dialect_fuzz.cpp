// What a Verifier says, to every dialect: its discovery document, then an exchange about Evidence
// (or endorsements) to its end. The bytes are its answers, one after the other, with 0x1e between
// them; each is "status|content type|location|cache control|cookie|body".
#include "core/text.hpp"
#include "dialects/cache_control.hpp"
#include "dialects/veraison/challenge_response.hpp"
#include "dialects/veraison/endorsement_provisioning.hpp"
#include "dialects/veraison/provisioning_exchange.hpp"
#include "formats/ear_token.hpp"
#include "fuzz.hpp"
#include "support/software_tpm.hpp"
#include "unit/appraisal/dialects/fake_scheme.hpp"

#include <algorithm>

namespace {

using namespace atls;
namespace api = atls::challenge_response;

// Those of the seeds (make_seeds.cpp).
const bytes nonce(32, 7);
constexpr std::string_view report_data = "0707";

http_reply to_reply(std::string_view line) {
  http_reply out;
  std::string status;
  for (auto* field :
       {&status, &out.content_type, &out.location, &out.cache_control, &out.set_cookie}) {
    const auto end = std::min(line.find('|'), line.size());
    *field = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  out.status = static_cast<unsigned>(parse_number(status, 999).value_or(200));
  out.body = line;
  return out;
}

std::vector<http_reply> to_replies(bytes_view data) {
  std::vector<http_reply> out;
  for (const auto line : split(as_text(data), '\x1e')) {
    out.push_back(to_reply(line));
  }
  return out;
}

void must_be_told(const failure& why) {
  must(why.code != errc::ok && why.code != errc::internal);
}

// A request line and headers that nobody can add to.
void must_be_clean(const http_request& request) {
  const auto is_plain = [](char c) { return c > ' ' && c < 0x7f; };
  must(request.method == "GET" || request.method == "POST");
  must(request.target.starts_with('/') && std::ranges::all_of(request.target, is_plain));
  must(request.content_type.find_first_of("\r\n") == std::string::npos);
}

// A result is one about this Evidence, as far as an unsigned answer can say so.
void must_be_about_us(verifier_type type, const http_reply& answer, const std::string& token) {
  if (type == verifier_type::veraison) {
    const auto session = api::parse_session(answer.body);
    must(answer.status == 200 || answer.status == 202);
    must(session && session->status == api::session_status::complete);
    must(session->nonce == nonce && session->result == token && !token.empty());
    return;
  }
  const auto claims = read_unverified_ear(as_bytes(token));
  must(answer.status == 200 && answer.body == token && claims);
  must(std::ranges::any_of(claims->claims.submodules, [](const auto& one) {
    return string_member(one.second.annotated_evidence, "report_data") == report_data;
  }));
}

void appraise(const verifier_dialect& dialect, const test::fake_scheme& scheme,
              const std::vector<http_reply>& answers) {
  const auto evidence = test::fake_statement();
  const auto exchange = dialect.open(scheme, evidence, nonce).value();
  must_be_clean(exchange->begin());
  for (const auto& answer : answers) {
    const bool had_sent = exchange->has_sent_evidence();
    const auto step = exchange->resume(answer);
    if (!step) {
      must_be_told(step.error());
      return;
    }
    must(exchange->has_sent_evidence());
    if (const auto* const token = std::get_if<std::string>(&*step)) {
      must(had_sent);
      must_be_about_us(dialect.type(), answer, *token);
      return;
    }
    const auto& request = std::get<next_request>(*step).request;
    must_be_clean(request);
    // Once, and to a session for our nonce.
    must(request.body == (had_sent ? bytes() : evidence.evidence));
    must(api::parse_session(answer.body)->nonce == nonce);
  }
}

// A challenge to its nonce, and on to a result about this Evidence.
void be_challenged(const verifier_dialect& dialect, const test::fake_scheme& scheme,
                   const std::vector<http_reply>& answers) {
  static const bytes leaf = test::spki(test::new_key());
  const auto challenge = dialect.challenge(scheme, leaf).value();
  must_be_clean(challenge->begin());
  const auto challenged = challenge->resume(answers.front());
  if (!challenged) {
    must_be_told(challenged.error());
    return;
  }
  must(answers.front().status == 200 && challenge->nonce().size() == 48);
  const auto exchange = challenge->open(scheme, test::fake_statement()).value();
  const auto request = exchange->begin();
  must_be_clean(request);
  must(request.cookie.find_first_of("\r\n; ") == std::string::npos);
  const auto step = exchange->resume(answers.back());
  if (!step) {
    must_be_told(step.error());
    return;
  }
  const auto claims = read_unverified_ear(as_bytes(std::get<std::string>(*step)));
  must(answers.back().status == 200 && claims);
}

void discover(verifier_dialect& dialect, const http_reply& answer) {
  const auto found = dialect.discovered(answer);
  must_be_clean(dialect.discovery());
  if (!found) {
    must_be_told(found.error());
    return;
  }
  must(answer.status == 200);
  must(!found->keys || !found->keys->empty());
  must(found->keys || found->keys.error().code == errc::verifier_protocol);
  must(found->readiness || found->readiness.error().code == errc::verifier_unavailable);
}

void provision(const url& where, const std::vector<http_reply>& answers) {
  provisioning_exchange exchange(where, "application/rim+cbor", bytes(9, 1));
  must_be_clean(exchange.begin());
  for (const auto& answer : answers) {
    const auto step = exchange.resume(answer);
    if (!step) {
      must_be_told(step.error());
      return;
    }
    must(answer.status >= 200 && answer.status <= 202);
    if (std::holds_alternative<provisioning_outcome>(*step)) {
      return;
    }
    must_be_clean(std::get<next_request>(*step).request);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto where = url::parse("http://verifier:1/site").value();
  const auto answers = to_replies({data, size});
  test::fake_scheme scheme;
  scheme.tee.report_data = report_data;
  for (const auto type : {verifier_type::veraison, verifier_type::trustee}) {
    const auto dialect = make_dialect(type, where, {});
    scheme.verifier = type;
    appraise(*dialect, scheme, answers);
    discover(*dialect, answers.front());
    appraise(*dialect, scheme, {answers.begin() + 1, answers.end()});
  }
  be_challenged(*make_dialect(verifier_type::kbs, where, {}), scheme, answers);
  provision(where, answers);
  const auto path = where.resolve("/a/newSession?nonce=x", as_text({data, size}));
  must(!path || (path->starts_with('/') && path->find('\n') == std::string::npos));
  return 0;
}
