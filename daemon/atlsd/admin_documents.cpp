#include "atlsd/admin_documents.hpp"

#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>

namespace atls {
namespace {

std::string to_text(std::chrono::system_clock::time_point at) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::floor<std::chrono::seconds>(at));
}

json tunnel_document(const config::tunnel_settings& t) {
  return {{"name", t.name},
          {"role", t.role == tls::role::client ? "egress" : "ingress"},
          {"listen", t.listen.text()},
          {"target", t.target.text()},
          {"attest", t.attest},
          {"require_attestation", t.require_attestation}};
}

json verifier_document(const std::vector<config::verifier_settings>& verifiers) {
  json out = json::array();
  for (const auto& one : verifiers) {
    out.push_back(one.url);
  }
  return out;
}

}  // namespace

std::string_view to_string(life stage) {
  switch (stage) {
    case life::initializing:
      return "initializing";
    case life::listening:
      return "listening";
    case life::reloading:
      return "reloading";
    default:
      return "stopping";
  }
}

json status_document(const state::snapshot& now, const std::string& why_not_ready,
                     std::size_t open_connections) {
  json out = {{"ok", why_not_ready.empty()},
              {"status", why_not_ready.empty() ? "ready" : why_not_ready},
              {"message", to_string(now.stage)},
              {"open_connections", open_connections},
              {"started", to_text(now.since)},
              {"time", to_text(std::chrono::system_clock::now())},
              {"revision", ATLS_VERSION},
              {"pid", ::getpid()},
              {"tunnels", json::array()},
              {"reloads", now.reloads},
              {"reloads_failed", now.failed_reloads}};
  if (now.last_reload) {
    out["last_reload"] = {{"time", to_text(now.last_reload->at)},
                          {"ok", !now.last_reload->problem}};
    if (now.last_reload->problem) {
      out["last_reload"]["reason"] = reason(now.last_reload->problem->code);
      out["last_reload"]["detail"] = now.last_reload->problem->detail;
    }
  }
  if (now.configuration) {
    for (const auto& t : now.configuration->tunnels) {
      out["tunnels"].push_back(tunnel_document(t));
    }
    out["verifier"] = verifier_document(now.configuration->verifiers);
  }
  if (now.parts && now.parts->tpm) {
    out["identity"] = {{"attester", "tpm"}, {"kid", to_hex(now.parts->tpm->kid())}};
  } else {
    out["identity"] = {{"attester", "none"}};
  }
  return out;
}

json configuration_document(const state::snapshot& now) {
  json out = json::array();
  if (now.configuration) {
    for (const auto& one : now.configuration->documents) {
      out.push_back({{"file", one.file.string()}, {"content", one.value}});
    }
  }
  return out;
}

json attestation_document(const state::snapshot& now) {
  if (!now.parts || !now.parts->tpm) {
    return {{"attester", "none"}};
  }
  const auto& tpm = *now.parts->tpm;
  json out = {
      {"attester", "tpm"},
      {"evidence_type", tpm.evidence_type()},
      {"kid", to_hex(tpm.kid())},
      {"pcrs", to_string(tpm.pcrs())},
      {"key", {{"curve", tpm::name_of(tpm.who().tik_curve)}, {"spki", to_hex(tpm.tik_spki())}}}};
  if (now.configuration->identity.tpm->measure_into) {
    out["measured_into"] = *now.configuration->identity.tpm->measure_into;
    out["measured_alone"] = now.parts->is_measured_alone;
  }
  if (now.parts->certificate_expires) {
    out["certificate_expires"] = to_text(*now.parts->certificate_expires);
  }
  return out;
}

}  // namespace atls
