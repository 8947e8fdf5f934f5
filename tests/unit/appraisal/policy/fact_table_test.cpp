// The table of facts is what is shown, and what the schema for editors (and so the manual) says.
#include "appraisal/policy/fact_table.hpp"

#include "schemes/arm_cca/arm_cca_scheme.hpp"
#include "schemes/sample/sample_scheme.hpp"
#include "schemes/sev_snp/facts.hpp"
#include "schemes/sgx/sgx_scheme.hpp"
#include "support/appraised_facts.hpp"
#include "support/azure_evidence.hpp"
#include "support/cvm_evidence.hpp"
#include "support/vectors.hpp"

#include <fstream>
#include <set>

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

void collect_names(const json& document, const std::string& path, std::set<std::string>& to) {
  for (const auto& [name, value] : document.items()) {
    const auto full = path.empty() ? name : path + "." + name;
    if (value.is_object()) {
      collect_names(value, full, to);
    } else {
      to.insert(full);
    }
  }
}

}  // namespace

namespace {

// One of each Evidence type, those facts among them that only some machines have.
std::vector<json> documents_of_facts() {
  auto turin = sev_snp_evidence::parse(snp_evidence("report-good.bin")).value();
  turin.endorsed_by.product = snp_product::turin;
  const auto sample = sample_scheme().read(sample_scheme::encode(bytes(32, 1))).value();
  std::vector<json> out = {appraised_facts()};
  for (const auto& evidence :
       {sample, facts_of(turin), tdx_scheme({}).read(tdx_evidence_of("quote-v5-td15.bin")).value(),
        sgx_scheme({}).read(read_binary_vector("sgx/quote-v3-good.bin")).value(),
        arm_cca_scheme({}).read(read_binary_vector("cca/token-907-good.cbor")).value(),
        azure_scheme().read(azure_evidence_maker().make()).value()}) {
    out.push_back({{"evidence", evidence}});
  }
  return out;
}

// Whether it is shown somewhere, and everywhere as the table says.
void check_shown(const fact& of, const std::vector<json>& documents) {
  std::size_t count = 0;
  for (const auto& document : documents) {
    if (const auto* const found = value_of(document, of.name)) {
      ++count;
      CHECK(found->is_array() == of.is_list);
      for (const auto& one : found->is_array() ? *found : json::array({*found})) {
        CAPTURE(one);
        CHECK(can_be(of, one));
      }
    }
  }
  CHECK(count > 0);
}

}  // namespace

TEST_CASE("the table has exactly the facts that are shown, each of its type", "[verifier]") {
  const auto documents = documents_of_facts();
  std::set<std::string> shown;
  for (const auto& document : documents) {
    collect_names(document, "", shown);
  }
  std::set<std::string> in_table;
  for (const auto& fact : fact_table()) {
    CAPTURE(fact.name);
    CHECK_FALSE(fact.meaning.empty());
    CHECK_FALSE(fact.worth.empty());
    if (std::holds_alternative<pcr_values>(fact.type)) {
      continue;
    }
    CHECK(in_table.emplace(fact.name).second);
    if (!std::holds_alternative<fresh_value>(fact.type)) {
      check_shown(fact, documents);
    }
  }
  CHECK(in_table == shown);
}

namespace {

// What the schema says of one value.
struct value_schema {
  json operator()(const any_text&) const { return {{"type", "string"}}; }
  json operator()(const yes_no&) const { return {{"type", "boolean"}}; }
  json operator()(const one_of& type) const { return {{"enum", type.words}}; }
  json operator()(const hexadecimal& type) const {
    std::string sizes;
    for (const auto size : type.sizes_bytes) {
      const auto digits = 2 * size - type.prefix.size();
      sizes += (sizes.empty() ? "" : "|") + ("[0-9a-fA-F]{" + std::to_string(digits) + "}");
    }
    return {{"type", "string"}, {"pattern", "^" + std::string(type.prefix) + "(" + sizes + ")$"}};
  }
  json operator()(const whole_number& type) const {
    return {{"type", "integer"}, {"minimum", type.least}, {"maximum", type.greatest}};
  }
  json operator()(const pcr_values&) const { return {{"type", "object"}}; }
  json operator()(const fresh_value&) const { return nullptr; }
};

json schema_of(const fact& of) {
  auto out = std::visit(value_schema(), of.type);
  if (!std::holds_alternative<pcr_values>(of.type)) {
    const json matcher = {{"type", {"array", "object"}}};
    out = {{"anyOf", json::array({std::move(out), matcher})}};
  }
  out["description"] = std::string(of.meaning) + ". " + std::string(of.worth);
  return out;
}

}  // namespace

TEST_CASE("the schema describes every fact as the table does", "[verifier]") {
  std::ifstream file(source_directory() / "config/atlsd.schema.json");
  const auto described = json::parse(file)["$defs"]["condition"]["properties"];
  std::size_t count = 0;
  for (const auto& fact : fact_table()) {
    if (!std::holds_alternative<fresh_value>(fact.type)) {
      CHECK(described.value(std::string(fact.name), json()) == schema_of(fact));
      ++count;
    }
  }
  CHECK(described.size() == count);
}
