#include "appraisal/policy/condition.hpp"

#include "appraisal/policy/fact_table.hpp"
#include "appraisal/policy/facts.hpp"
#include "formats/tpm_structures.hpp"

#include <algorithm>
#include <map>

namespace atls {
namespace {

bool contains(const json& list, const json& value) {
  return std::ranges::find(list, value) != list.end();
}

bool holds(const json& found, const std::string& op, const json& value) {
  const auto is_listed = [&](const json& one) { return contains(value, one); };
  const auto is_found = [&](const json& one) { return contains(found, one); };
  return op == "not"        ? !matches(found, value)
         : op == "at_least" ? found >= value
         : op == "at_most"  ? found <= value
         : op == "includes" ? std::ranges::all_of(value, is_found)
                            // "only": of an empty list nothing is proven.
                            : !found.empty() && std::ranges::all_of(found, is_listed);
}

// Why the quote is not over exactly these PCRs with these values.
std::string mismatch_of_pcrs(const json& evidence, const json& wanted) {
  std::map<unsigned, bytes> values;
  for (const auto& [pcr, value] : wanted.items()) {
    values[static_cast<unsigned>(std::stoul(pcr))] = from_hex(value.get<std::string>()).value();
  }
  std::vector<bytes> ascending;
  json numbers = json::array();
  for (const auto& [pcr, value] : values) {
    numbers.push_back(pcr);
    ascending.push_back(value);
  }
  if (numbers != evidence["pcrs"]) {
    return "the quote is over PCRs " + evidence["pcrs"].dump() + ", expected exactly " +
           numbers.dump();
  }
  const auto bank = hash_from_name(evidence["bank"].get<std::string>());
  if (!bank || json(to_hex(pcr_digest(*bank, ascending))) != evidence["pcr_digest"]) {
    return "the quote over PCRs " + evidence["pcrs"].dump() + " has the digest " +
           evidence["pcr_digest"].get<std::string>() + ", which these values do not give";
  }
  return {};
}

}  // namespace

bool matches(const json& found, const json& matcher) {
  const auto is_found = [&](const json& wanted) {
    return found.is_array() ? contains(found, wanted) : found == wanted;
  };
  if (matcher.is_array()) {
    return std::ranges::any_of(matcher, is_found);
  }
  if (!matcher.is_object()) {
    return is_found(matcher);
  }
  for (const auto& [op, value] : matcher.items()) {
    if (!holds(found, op, value)) {
      return false;
    }
  }
  return true;
}

std::string find_mismatch(const json& condition, condition_sense sense, const json& facts) {
  for (const auto& [name, matcher] : condition.items()) {
    const bool is_about_values = std::holds_alternative<pcr_values>(find_fact(name)->type);
    const auto* const found = value_of(facts, is_about_values ? "evidence.pcr_digest" : name);
    if (found == nullptr && sense == condition_sense::unwanted) {
      continue;
    }
    if (found == nullptr) {
      return name + " is not a fact of this peer, expected " + matcher.dump();
    }
    if (is_about_values) {
      if (auto mismatch = mismatch_of_pcrs(facts.at("evidence"), matcher); !mismatch.empty()) {
        return mismatch;
      }
    } else if (!matches(*found, matcher)) {
      return name + " is " + found->dump() + ", expected " + matcher.dump();
    }
  }
  return {};
}

}  // namespace atls
