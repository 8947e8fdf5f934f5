#include "appraisal/policy/fact_table.hpp"

#include "core/text.hpp"
#include "formats/ear.hpp"
#include "schemes/table.hpp"

#include <algorithm>
#include <limits>

namespace atls {
namespace {

constexpr std::string_view by_verifier = "The Verifier's word";
constexpr auto any_number_32 = whole_number{0, std::numeric_limits<std::uint32_t>::max()};

// "evidence.type" is common to all types; what several share stands once
// (schemes/shared_facts.hpp).
std::vector<fact> evidence_rows() {
  std::vector<fact> out = {{.name = "evidence.type",
                            .type = one_of{known_evidence_types()},
                            .meaning = "Media type of the Evidence",
                            .worth = "Negotiated, and always checked"}};
  for (const auto& scheme : known_schemes()) {
    std::ranges::copy_if(scheme->facts(), std::back_inserter(out), [&](const fact& one) {
      return std::ranges::find(out, one.name, &fact::name) == out.end();
    });
  }
  return out;
}

std::vector<fact> result_rows() {
  std::vector<fact> out = {
      {.name = "ear.profile",
       .type = one_of{{ear::veraison_profile, ear::ietf_profile, ear::ietf_profile_04,
                       ear::trustee_profile}},
       .meaning = "Profile of the Attestation Result",
       .worth = by_verifier},
      {.name = "ear.developer",
       .type = any_text{},
       .meaning = "Developer of the Verifier; may be empty",
       .worth = by_verifier},
      {.name = "ear.build",
       .type = any_text{},
       .meaning = "Build of the Verifier; may be empty",
       .worth = by_verifier},
      {.name = "ear.age_s",
       .type = any_number_32,
       .meaning = "Seconds since the Verifier made the result",
       .worth = "The Verifier's word and this host's clock"},
      {.name = "ear.submodule",
       .type = any_text{},
       .meaning = "What was appraised",
       .worth = "The Verifier's word; always checked"},
      {.name = "ear.status",
       .type = one_of{{to_string(trust_tier::none), to_string(trust_tier::affirming),
                       to_string(trust_tier::warning), to_string(trust_tier::contraindicated)}},
       .meaning = "Tier of the whole result",
       .worth = "The Verifier's word; always checked to be affirming"},
      {.name = "ear.policy_ids",
       .type = any_text{},
       .meaning = "The policies that the Verifier appraised by, a list",
       .worth = by_verifier,
       .is_list = true},
  };
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto claim : trust_claims) {
      all.push_back("ear.vector." + std::string(claim));
    }
    return all;
  }();
  for (const auto& name : names) {
    out.push_back({.name = name,
                   .type = whole_number{-128, 127},
                   .meaning = "AR4SI claim: 2 to 31 affirming, 32 to 95 warning, 96 and more "
                              "contraindicated, 0 no claim",
                   .worth = by_verifier});
  }
  return out;
}

// What can be, and how that is said.
struct acceptance {
  const json& value;

  bool operator()(const any_text&) const { return value.is_string(); }
  bool operator()(const yes_no&) const { return value.is_boolean(); }
  bool operator()(const one_of& type) const {
    return value.is_string() &&
           std::ranges::find(type.words, value.get_ref<const std::string&>()) != type.words.end();
  }
  bool operator()(const hexadecimal& type) const {
    const auto raw = value.is_string() ? from_hex(value.get<std::string>()) : std::nullopt;
    return raw && std::ranges::find(type.sizes_bytes, raw->size()) != type.sizes_bytes.end() &&
           to_hex(*raw).starts_with(type.prefix);
  }
  bool operator()(const whole_number& type) const {
    if (value.is_number_unsigned()) {
      return value.get<std::uint64_t>() <= type.greatest;
    }
    return value.is_number_integer() && value.get<std::int64_t>() >= type.least &&
           (value.get<std::int64_t>() < 0 || value.get<std::uint64_t>() <= type.greatest);
  }
  bool operator()(const pcr_values&) const { return false; }
  bool operator()(const fresh_value&) const { return false; }
};

struct description {
  std::string operator()(const any_text&) const { return "text"; }
  std::string operator()(const yes_no&) const { return "true or false"; }
  std::string operator()(const one_of& type) const {
    std::string out = "one of";
    for (const auto word : type.words) {
      out.append(out.ends_with("of") ? " \"" : ", \"").append(word).append("\"");
    }
    return out;
  }
  std::string operator()(const hexadecimal& type) const {
    std::string out;
    for (const auto size : type.sizes_bytes) {
      const bool is_last = size == type.sizes_bytes.back();
      out.append(out.empty() ? "" : is_last ? " or " : ", ").append(std::to_string(2 * size));
    }
    out += " hexadecimal digits";
    return type.prefix.empty() ? out : out + " that begin with " + std::string(type.prefix);
  }
  std::string operator()(const whole_number& type) const {
    return "a whole number from " + std::to_string(type.least) + " to " +
           std::to_string(type.greatest);
  }
  std::string operator()(const pcr_values&) const {
    return "an object of PCR numbers and their values";
  }
  std::string operator()(const fresh_value&) const { return "nothing"; }
};

}  // namespace

const std::vector<fact>& fact_table() {
  static const std::vector<fact> table = [] {
    auto rows = evidence_rows();
    std::ranges::move(result_rows(), std::back_inserter(rows));
    rows.push_back({.name = "pki.name",
                    .type = any_text{},
                    .meaning = "The first of peer.names that the certificate bears; empty without "
                               "peer.ca",
                    .worth = "The certification authority's word; a certificate may bear several",
                    .is_evasive = true});
    return rows;
  }();
  return table;
}

const fact* find_fact(std::string_view name) {
  const auto found = std::ranges::find(fact_table(), name, &fact::name);
  return found != fact_table().end() ? &*found : nullptr;
}

std::string nearest_fact(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& one : fact_table()) {
    names.emplace_back(one.name);
  }
  return nearest(name, names);
}

bool can_be(const fact& of, const json& value) {
  return std::visit(acceptance{value}, of.type);
}

std::string describe_values(const fact& of) {
  return std::visit(description{}, of.type);
}

}  // namespace atls
