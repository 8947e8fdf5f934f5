#include "atlsd/admin_documents.hpp"

#include "core/text.hpp"

namespace atls {
namespace {

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

json identity_document(const assembly* parts) {
  json out = {{"attester", "none"}};
  if (parts != nullptr && !parts->presenters.empty()) {
    const auto about = parts->presenters.front()->describe();
    out["attester"] = about.at("attester");
    if (about.contains("kid")) {
      out["kid"] = about["kid"];
    }
  }
  if (parts != nullptr && parts->certificate_expires) {
    out["certificate_expires"] = rfc3339(*parts->certificate_expires);
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
              {"started", rfc3339(now.since)},
              {"time", rfc3339(std::chrono::system_clock::now())},
              {"revision", ATLS_VERSION},
              {"pid", ::getpid()},
              {"tunnels", json::array()},
              {"reloads", now.reloads},
              {"reloads_failed", now.failed_reloads}};
  if (now.last_reload) {
    out["last_reload"] = {{"time", rfc3339(now.last_reload->at)},
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
  out["identity"] = identity_document(now.parts.get());
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
  json out = identity_document(now.parts.get());
  if (!now.parts) {
    return out;
  }
  for (const auto& one : now.parts->presenters) {
    const auto about = one->describe();
    if (about.contains("passports")) {
      for (const auto& passport : about["passports"]) {
        out["passports"].push_back(passport);
      }
    } else {
      out.update(about);
    }
  }
  const auto& tpm = now.configuration->identity.tpm;
  if (tpm && tpm->measure_into) {
    out["measured_into"] = *tpm->measure_into;
    out["measured_alone"] = now.parts->is_measured_alone;
  }
  return out;
}

}  // namespace atls
