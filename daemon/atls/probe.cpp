// atls probe: one attested handshake with a server, and everything that was learned in it.
#include "appraisal/appraisal_steps.hpp"
#include "atls/commands.hpp"
#include "atls/documents.hpp"
#include "atlsd/assembly.hpp"
#include "core/certificates.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "proxy/session/dial.hpp"
#include "proxy/session/tls_stream.hpp"

#include <iostream>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <openssl/async.h>

namespace atls {
namespace {

using clock = std::chrono::steady_clock;

// The exit codes.
constexpr int accepted = 0;
constexpr int refused = 1;
constexpr int not_judged = 2;

struct probe_arguments {
  std::string target;
  std::filesystem::path config;
  std::string tunnel;
  std::string verifier;
  std::filesystem::path result_key;
  std::filesystem::path verifier_ca;
  std::filesystem::path ca;
  std::vector<std::string> names;
  std::vector<std::string> kids;
  std::string pcrs{default_pcrs};
  std::string timeout = "15s";
  std::filesystem::path evidence_out;
  std::filesystem::path result_out;
  bool as_json = false;
};

// A tunnel of the operator's configuration, or one made of the options.
config configuration(const probe_arguments& given) {
  if (!given.config.empty()) {
    auto out = config::load(given.config).value();
    std::erase_if(out.tunnels, [&](const config::tunnel_settings& one) {
      return one.role != tls::role::client || (!given.tunnel.empty() && one.name != given.tunnel);
    });
    if (out.tunnels.empty()) {
      throw error({errc::config_invalid, given.config.string() + " has no such egress tunnel"});
    }
    out.tunnels.resize(1);
    return out;
  }
  if (given.verifier.empty()) {
    throw error(
        {errc::config_invalid, "expected --config FILE, or --verifier URL and --result-key FILE"});
  }
  config out;
  auto& verifier = out.verifiers.emplace_back();
  verifier.url = given.verifier;
  if (!given.result_key.empty()) {
    verifier.result_keys = {given.result_key};
  }
  verifier.ca = given.verifier_ca;
  auto& tunnel = out.tunnels.emplace_back();
  tunnel.name = "probe";
  tunnel.require_attestation = true;
  tunnel.policy.pcrs = parse_pcr_selection(given.pcrs).value();
  tunnel.peer.ca = given.ca;
  tunnel.peer.names = given.names;
  for (const auto& kid : given.kids) {
    auto value = from_hex(kid);
    if (!value) {
      throw error({errc::config_invalid, "--kid " + kid + "; expected hexadecimal"});
    }
    tunnel.peer.kids.push_back(std::move(*value));
  }
  return out;
}

double milliseconds(clock::duration time) {
  return std::round(std::chrono::duration<double, std::milli>(time).count() * 1000) / 1000;
}

struct outcome {
  result<void> finished = failure(errc::internal);
  json report;
};

std::string subject(const X509* certificate) {
  const bio_ptr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

json texts_of(const attestation_schemes& schemes) {
  json out = json::array();
  for (const auto& one : schemes) {
    out.push_back(one.text());
  }
  return out;
}

json text_or_null(const std::optional<attestation_scheme>& scheme) {
  return scheme ? json(scheme->text()) : json();
}

json describe_connection(const tls::handshake& seen) {
  json out;
  const SSL* ssl = seen.ssl();
  if (const auto* cipher = SSL_get_current_cipher(ssl)) {
    out["version"] = SSL_get_version(ssl);
    out["cipher_suite"] = SSL_CIPHER_get_name(cipher);
    out["group"] = OBJ_nid2sn(static_cast<int>(SSL_get_negotiated_group(const_cast<SSL*>(ssl))));
  }
  if (const auto* certificate = seen.peer_certificate()) {
    out["certificate"] = {{"subject", subject(certificate)}, {"trusted_name", seen.peer()->name}};
  }
  const auto& negotiated = seen.negotiated();
  out["attestation"] = {{"accepted", texts_of(negotiated.terms().accepts)},
                        {"presentable", texts_of(negotiated.terms().presents)},
                        {"peer_presents", text_or_null(negotiated.peer())},
                        {"presented", text_or_null(negotiated.own())}};
  return out;
}

// Each step, as far as it came.
json describe_steps(const result<void>& finished, bool has_come) {
  const auto failed = finished ? std::nullopt : step_of(finished.error().code);
  bool goes_on = has_come && (finished || failed);
  json out = json::array();
  for (const auto step : all_appraisal_steps) {
    const bool is_bad = goes_on && step == failed;
    json one{{"step", to_string(step)},
             {"outcome", !goes_on ? "not reached"
                         : is_bad ? "refused"
                                  : "ok"}};
    if (is_bad) {
      one["reason"] = reason(finished.error().code);
      one["detail"] = finished.error().detail;
      goes_on = false;
    }
    out.push_back(std::move(one));
  }
  return out;
}

proxy::awaitable<> connect(proxy::executor where, proxy::handshake_turns& turns,
                           const proxy::address& target, const proxy::tunnel& through,
                           steady_time deadline, std::shared_ptr<appraisal_trace> trace,
                           outcome& out, const probe_arguments& given) {
  const auto started = clock::now();
  constexpr auto patience = std::chrono::seconds(3);
  auto dialled = co_await proxy::dial(where, target, std::min(deadline, started + patience));
  if (!dialled) {
    out.finished = dialled.error();
    co_return;
  }
  const auto connected = clock::now();
  proxy::tls_stream stream(std::move(*dialled), *through.tls, turns, nullptr);
  auto& seen = stream.attestation();
  seen.trace(trace);
  out.finished = co_await stream.handshake(deadline);

  json& report = out.report;
  report["tls"] = describe_connection(seen);
  report["times_ms"] = {{"connect", milliseconds(connected - started)},
                        {"handshake", milliseconds(clock::now() - connected)},
                        {"appraisal", milliseconds(seen.appraisal_time())},
                        {"verifier", milliseconds(trace->verifier_time)},
                        {"own_evidence", milliseconds(seen.evidence_time())}};
  const bool has_evidence = !seen.peer_evidence().empty();
  const auto& agreed = seen.negotiated().peer();
  if (has_evidence && agreed && agreed->model() == attestation_model::background_check) {
    const auto evidence = describe_evidence(seen.peer_evidence());
    report["evidence"] = evidence ? *evidence : json(evidence.error().text());
  }
  const auto& judges = through.tls->configured().appraiser;
  const bool by_certificate =
      !has_evidence && judges && judges->takes_certificates() && seen.peer_certificate();
  if (by_certificate) {
    const auto evidence = describe_certificate(der_of(seen.peer_certificate()));
    report["evidence"] = evidence ? *evidence : json(evidence.error().text());
  }
  report["steps"] = describe_steps(out.finished, has_evidence || by_certificate);
  if (!trace->token.empty()) {
    const auto told = describe_result(as_bytes(trace->token));
    report["attestation_result"] = told ? *told : json(told.error().text());
    report["verifier"] = trace->verifier;
  }
  if (!given.evidence_out.empty() && has_evidence) {
    write_file(given.evidence_out, as_text(seen.peer_evidence()), 0644).value();
  }
  if (!given.result_out.empty() && !trace->token.empty()) {
    write_file(given.result_out, trace->token + "\n", 0644).value();
  }
}

void print(const json& report) {
  const auto text = [](const json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
  };
  if (report.contains("tls") && report["tls"].contains("version")) {
    const auto& tls = report["tls"];
    std::cout << text(tls["version"]) << ", " << text(tls["cipher_suite"]) << ", "
              << text(tls["group"]) << '\n';
    if (tls.contains("certificate")) {
      std::cout << "certificate: " << text(tls["certificate"]["subject"]) << ", trusted for \""
                << text(tls["certificate"]["trusted_name"]) << "\"\n";
    }
    const auto& attestation = tls["attestation"];
    std::cout << "attestation: " << text(attestation["peer_presents"]) << " of "
              << text(attestation["accepted"]) << '\n';
  }
  for (const char* part : {"evidence", "attestation_result"}) {
    if (report.contains(part)) {
      std::cout << part << ": " << report[part].dump(2) << '\n';
    }
  }
  if (report.contains("steps")) {
    int number = 0;
    for (const auto& step : report["steps"]) {
      std::cout << "  " << ++number << ' ' << text(step["step"]) << ": " << text(step["outcome"])
                << (step.contains("reason")
                        ? ", " + text(step["reason"]) + " (" + text(step["detail"]) + ")"
                        : "")
                << '\n';
    }
  }
  if (report.contains("times_ms")) {
    std::cout << "times in ms: " << report["times_ms"].dump() << '\n';
  }
  std::cout << "verdict: " << text(report["verdict"])
            << (report.contains("reason")
                    ? ", " + text(report["reason"]) + ": " + text(report["detail"])
                    : "")
            << '\n';
  if (report.contains("hint")) {
    std::cout << text(report["hint"]) << '\n';
  }
}

int run_probe(const probe_arguments& given) {
  const auto target = proxy::address::parse_target(given.target).value();
  const auto timeout = parse_duration(given.timeout);
  if (!timeout) {
    throw error({errc::config_invalid, "--timeout " + given.timeout + "; expected such as \"5s\""});
  }
  assembler maker;
  const auto parts = maker.assemble(configuration(given));
  boost::asio::io_context io(1);
  proxy::handshake_turns turns(io.get_executor());
  outcome out;
  boost::asio::co_spawn(
      io.get_executor(),
      connect(io.get_executor(), turns, target, *parts->tunnels->begin()->second,
              clock::now() + *timeout, std::make_shared<appraisal_trace>(), out, given),
      [](const std::exception_ptr& thrown) {
        if (thrown) {
          std::rethrow_exception(thrown);
        }
      });
  io.run();
  ASYNC_cleanup_thread();

  // Whether the peer was found wanting, or nobody could tell.
  const auto step = out.finished ? std::nullopt : step_of(out.finished.error().code);
  const auto code = out.finished ? errc::ok : out.finished.error().code;
  const bool unjudged = code == errc::target_unreachable || code == errc::handshake_timeout ||
                        code == errc::internal || step == appraisal_step::verifier;
  const int verdict = out.finished ? accepted : unjudged ? not_judged : refused;
  constexpr const char* verdicts[] = {"accepted", "refused", "not judged"};
  out.report["target"] = target.text();
  out.report["verdict"] = verdicts[verdict];
  if (!out.finished) {
    out.report["reason"] = reason(code);
    out.report["detail"] = out.finished.error().detail;
  }
  // A server that demands attestation says handshake_failure to whom offers none.
  if (code == errc::handshake_failed && given.config.empty() &&
      out.finished.error().detail.find("alert handshake failure") != std::string::npos) {
    out.report["hint"] =
        "the server may demand that its clients attest: give this one an identity, --config FILE";
  }
  if (given.as_json) {
    std::cout << out.report.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
  } else {
    print(out.report);
  }
  return verdict;
}

}  // namespace

command add_probe(CLI::App& app) {
  const auto given = std::make_shared<probe_arguments>();
  auto* added = app.add_subcommand(
      "probe",
      "connect to a server that attests and show its Evidence, each step of the appraisal and the "
      "verdict; exit code 0 accepted, 1 refused, 2 not judged");
  added->add_option("HOST:PORT", given->target)->required();
  added->add_option("--config", given->config, "use an egress tunnel of this configuration");
  added->add_option("--tunnel", given->tunnel, "its name (default: the first)");
  added->add_option("--verifier", given->verifier, "URL of the Verifier");
  added->add_option("--result-key", given->result_key, "its keys: JWK, JWK Set or PEM");
  added->add_option("--verifier-ca", given->verifier_ca, "PEM trust anchors for its https");
  added->add_option("--ca", given->ca, "PEM trust anchors of the server");
  added->add_option("--name", given->names, "the name its certificate must be for");
  added->add_option("--kid", given->kids, "only this machine");
  added->add_option("--pcrs", given->pcrs, "PCRs that the quote must cover")->capture_default_str();
  added->add_option("--timeout", given->timeout)->capture_default_str();
  added->add_option("--evidence-out", given->evidence_out, "keep the Evidence (CMW) in a file");
  added->add_option("--ear-out", given->result_out, "keep the Attestation Result in a file");
  added->add_flag("--json", given->as_json, "print one JSON document");
  return {added, [given] { return run_probe(*given); }};
}

}  // namespace atls
