#include "atlsd/config/readers.hpp"
#include "formats/url.hpp"
#include "schemes/table.hpp"

#include <algorithm>

namespace atls {
namespace {

using settings = config::verifier_settings;

// What passports name it by.
void read_name(object_reader& in, settings& to) {
  constexpr std::size_t max_bytes = 255;
  if (const auto where = url::parse(to.url)) {
    to.identity = where->host;
  }
  in.text("identity", to.identity);
  if (to.identity.size() > max_bytes || (in.has("identity") && to.identity.empty())) {
    in.problem("identity", "found " + std::to_string(to.identity.size()) +
                               " bytes, expected 1 to " + std::to_string(max_bytes));
  }
}

// Media types that a Verifier of this kind can be sent.
std::vector<std::string> appraisable_types(const settings& of) {
  std::vector<std::string> out;
  for (const auto& scheme : make_schemes({.unsafe_sample = of.unsafe_sample_tee})) {
    if (scheme->is_for(of.type)) {
      out.emplace_back(scheme->media_type());
    }
  }
  return out;
}

void read_evidence_types(object_reader& in, settings& to) {
  const auto possible = appraisable_types(to);
  if (!in.has("evidence")) {
    to.evidence_types = possible;
    return;
  }
  std::string known;
  for (const auto& one : possible) {
    known.append(known.empty() ? "\"" : ", \"").append(one).append("\"");
  }
  std::vector<std::string> given;
  in.texts("evidence", given);
  for (const auto& one : given) {
    if (std::ranges::find(possible, one) == possible.end()) {
      in.problem("evidence", "found \"" + one +
                                 "\", which such a Verifier does not appraise; "
                                 "expected some of " +
                                 known);
    } else if (std::ranges::find(to.evidence_types, one) != to.evidence_types.end()) {
      in.problem("evidence", "\"" + one + "\" appears twice");
    } else {
      to.evidence_types.push_back(one);
    }
  }
  if (given.empty()) {
    in.problem("evidence", "names no media type, expected some of " + known);
  }
}

void read_kind(object_reader& in, settings& to) {
  std::size_t type = 0;
  in.choice("type", {"veraison", "trustee", "kbs"}, type);
  to.type = static_cast<verifier_type>(type);
  in.texts("policy_ids", to.policy_ids);
  in.boolean("unsafe_sample_tee", to.unsafe_sample_tee);
  if (to.type != verifier_type::trustee && in.has("policy_ids")) {
    in.problem("policy_ids", "is given, but \"type\" is not \"trustee\"");
  }
  if (to.type == verifier_type::veraison && in.has("unsafe_sample_tee")) {
    in.problem("unsafe_sample_tee", "is given, but \"type\" is neither \"trustee\" nor \"kbs\"");
  }
  read_evidence_types(in, to);
}

void read_limits(object_reader& in, settings& to) {
  constexpr unsigned limit = 100'000;
  in.duration("retired_key_grace", to.retired_key_grace);
  in.duration("timeout", to.timeout);
  in.number("max_concurrent", 1, limit, to.max_concurrent);
  in.number("max_waiting", 0, limit, to.max_waiting);
}

}  // namespace

void read_verifier(object_reader in, const std::filesystem::path& directory, settings& to) {
  read_kind(in, to);
  in.required("url");
  in.parsed("url", to.url, [](const std::string& text) -> result<std::string> {
    ATLS_CHECK(url::parse(text));
    return text;
  });
  read_name(in, to);
  in.paths("result_key", directory, to.result_keys);
  in.path("ca", directory, to.ca);
  in.path("certificate", directory, to.certificate);
  in.path("key", directory, to.key);
  in.path("authorization_file", directory, to.authorization_file);
  read_limits(in, to);
  if (!in.has("result_key") && to.type == verifier_type::kbs) {
    in.problem("result_key", "is missing, and a Key Broker Service does not show its keys");
  } else if (!in.has("result_key") && to.url.starts_with("http://")) {
    in.problem("result_key",
               "is missing, and the Verifier's own word for it is believed over https only");
  }
  if (to.certificate.empty() != to.key.empty()) {
    in.problem("", "\"certificate\" and \"key\" go together");
  }
  in.refuse_unknown();
}

}  // namespace atls
