// Reading a condition: everything that judging relies on is checked here, once.
#include "appraisal/policy/condition.hpp"
#include "appraisal/policy/fact_table.hpp"
#include "appraisal/policy/matcher_reach.hpp"
#include "core/openssl.hpp"
#include "core/text.hpp"

#include <algorithm>

namespace atls {
namespace {

std::size_t size_of_digest(tpm_hash bank) {
  return digest(std::string(name_of(bank).value()).c_str(), {}).size();
}

class condition_reader {
 public:
  condition_reader(condition_sense sense, const condition_scope& scope,
                   std::vector<std::string>& problems)
      : sense_(sense), scope_(scope), problems_(problems) {}

  json read(const json& condition, const std::string& place) {
    json out = condition;
    if (!condition.is_object() || condition.empty()) {
      problem(place, "found " + condition.dump() + ", expected an object of facts");
      return out;
    }
    for (const auto& [name, matcher] : out.items()) {
      const auto here = place + "[\"" + name + "\"]";
      const auto* const known = find_fact(name);
      if (known == nullptr) {
        problem(here, "is not a known fact; did you mean \"" + nearest_fact(name) + "\"?");
      } else {
        read_fact(*known, matcher, here);
      }
    }
    return out;
  }

 private:
  void problem(const std::string& place, const std::string& what) {
    problems_.push_back(place + ": " + what);
  }

  bool is_unwanted() const { return sense_ == condition_sense::unwanted; }

  void read_fact(const fact& of, json& matcher, const std::string& place) {
    const auto before = problems_.size();
    if (std::holds_alternative<fresh_value>(of.type)) {
      problem(place, "is another in every handshake: no rule can be about it");
    } else if (std::holds_alternative<pcr_values>(of.type)) {
      read_pcr_values(matcher, place);
      if (is_unwanted()) {
        refuse_evasive(of, place);
      }
    } else {
      read_matcher(of, matcher, is_unwanted(), place);
      if (problems_.size() == before) {
        check_reach(of, matcher, place);
        check_names(of, matcher, place);
      }
    }
  }

  void read_matcher(const fact& of, json& matcher, bool is_negated, const std::string& place) {
    if (matcher.is_array()) {
      read_values(of, matcher, place);
    } else if (matcher.is_object() && !matcher.empty()) {
      for (const auto& [op, value] : matcher.items()) {
        read_operation(of, op, value, is_negated, place + "." + op);
      }
    } else {
      read_value(of, matcher, place,
                 ", an array of alternatives or an object such as {\"not\": ...}");
    }
  }

  void read_values(const fact& of, json& values, const std::string& place) {
    if (!values.is_array() || values.empty()) {
      problem(place, "found " + values.dump() + ", expected a list, each " + describe_values(of));
      return;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      read_value(of, values[i], place + "[" + std::to_string(i) + "]");
    }
  }

  void read_value(const fact& of, json& value, const std::string& place,
                  const std::string& or_else = {}) {
    if (!can_be(of, value)) {
      problem(place, "found " + value.dump() + ", expected " + describe_values(of) + or_else +
                         suggestion(of, value));
    } else if (std::holds_alternative<hexadecimal>(of.type)) {
      value = to_hex(from_hex(value.get<std::string>()).value());
    }
  }

  static std::string suggestion(const fact& of, const json& value) {
    const auto* const closed = std::get_if<one_of>(&of.type);
    if (closed == nullptr || !value.is_string()) {
      return {};
    }
    return "; did you mean \"" +
           nearest(value.get<std::string>(), {closed->words.begin(), closed->words.end()}) + "\"?";
  }

  void read_operation(const fact& of, const std::string& op, json& value, bool is_negated,
                      const std::string& place) {
    const bool is_number = !of.is_list && std::holds_alternative<whole_number>(of.type);
    if (op == "not" && value.is_object() && value.contains("not")) {
      problem(place, "holds another \"not\"; leave both out");
    } else if (op == "not") {
      read_matcher(of, value, !is_negated, place);
    } else if (is_number && (op == "at_least" || op == "at_most")) {
      read_value(of, value, place);
    } else if (of.is_list && op == "only" && is_negated) {
      problem(place,
              "is asked for the opposite, and any other value in the list would do; expected "
              "\"includes\" with what must be there");
    } else if (of.is_list && (op == "includes" || op == "only")) {
      read_values(of, value, place);
    } else {
      problem(place, std::string("is not known for this fact; expected ") +
                         (is_number    ? "at_least, at_most or not"
                          : of.is_list ? "includes, only or not"
                                       : "not"));
    }
  }

  void read_pcr_values(json& values, const std::string& place) {
    if (!values.is_object() || values.empty()) {
      problem(place, "found " + values.dump() + ", expected an object of PCR numbers and values");
      return;
    }
    const auto& required = scope_.required_pcrs;
    const fact value_of_bank{.name = "", .type = hexadecimal{{size_of_digest(required.bank)}}};
    std::uint32_t named = 0;
    for (const auto& [pcr, value] : values.items()) {
      constexpr std::uint64_t last_pcr = 23;
      const auto number = parse_number(pcr, last_pcr);
      if (!number || std::to_string(*number) != pcr) {
        problem(place, "found PCR \"" + pcr + "\", expected 0 to 23");
      } else {
        named |= 1u << *number;
      }
      read_value(value_of_bank, value, place + "." + pcr);
    }
    const auto lacking = required.mask & ~resettable_pcrs & ~named;
    if (lacking != 0) {
      problem(place, "lacks values of " + to_string({required.bank, lacking}) +
                         ", which every quote must cover (\"pcrs\"): nothing can match");
    }
  }

  void check_reach(const fact& of, const json& matcher, const std::string& place) {
    const auto reach = reach_of(of, matcher);
    if (reach == matcher_reach::nothing) {
      problem(place, "found " + matcher.dump() + ", which nothing can match");
    } else if (reach == matcher_reach::everything) {
      problem(place, "found " + matcher.dump() + ", which everything matches");
    } else if (of.is_evasive && lets_others_pass(of, matcher, sense_)) {
      refuse_evasive(of, place);
    }
  }

  // A tunnel's own rules know the names that "peer" lists.
  void check_names(const fact& of, const json& matcher, const std::string& place) {
    if (of.name != "pki.name" || !scope_.pki_names) {
      return;
    }
    const auto& names = *scope_.pki_names;
    if (std::ranges::none_of(names, [&](const auto& name) { return matches(name, matcher); })) {
      problem(place, "found " + matcher.dump() + ", which none of the names in \"peer\" matches");
    }
  }

  void refuse_evasive(const fact& of, const std::string& place) {
    const bool is_number = std::holds_alternative<whole_number>(of.type);
    problem(place, std::string("lets ") +
                       (is_number ? "more than a thousandth of all numbers" : "every other value") +
                       " pass, so that a peer can step around it (" + std::string(of.worth) +
                       "); expected \"require\" or \"allow\" with " +
                       (is_number ? "bounds, such as {\"at_least\": 1, \"at_most\": 9}"
                                  : "the good values"));
  }

  const condition_sense sense_;
  const condition_scope& scope_;
  std::vector<std::string>& problems_;
};

}  // namespace

json read_condition(const json& condition, condition_sense sense, const condition_scope& scope,
                    const std::string& place, std::vector<std::string>& problems) {
  return condition_reader(sense, scope, problems).read(condition, place);
}

}  // namespace atls
