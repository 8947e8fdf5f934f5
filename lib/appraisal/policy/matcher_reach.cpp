#include "appraisal/policy/matcher_reach.hpp"

#include <algorithm>
#include <limits>

namespace atls {
namespace {

using values = std::vector<json>;

// A matcher is tried on samples: values between which no matcher of the same constants tells more.
// Those are the constants, for numbers their neighbours and the ends of the range too, and null for
// any value that is not named.

// All constants of a matcher, and all lists of constants.
void collect(const json& matcher, values& constants, values& lists) {
  if (!matcher.is_structured()) {
    constants.push_back(matcher);
    return;
  }
  if (matcher.is_array()) {
    lists.push_back(matcher);
  }
  for (const auto& inner : matcher) {
    collect(inner, constants, lists);
  }
}

values neighbours(const json& number) {
  if (number.is_number_unsigned()) {
    const auto value = number.get<std::uint64_t>();
    const bool is_last = value == std::numeric_limits<std::uint64_t>::max();
    return {number, value == 0 ? json(-1) : json(value - 1), is_last ? number : json(value + 1)};
  }
  const auto value = number.get<std::int64_t>();
  return {number, value - 1, value + 1};
}

values sample_numbers(const fact& of, const whole_number& range, const values& constants) {
  // Not negative, it must be unsigned, or it would not be compared well with what is.
  const auto least =
      range.least < 0 ? json(range.least) : json(static_cast<std::uint64_t>(range.least));
  values out = {least, range.greatest};
  for (const auto& constant : constants) {
    for (const auto& value : neighbours(constant)) {
      if (can_be(of, value)) {
        out.push_back(value);
      }
    }
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

values sample_values(const fact& of, const values& constants) {
  if (const auto* range = std::get_if<whole_number>(&of.type)) {
    return sample_numbers(of, *range, constants);
  }
  if (std::holds_alternative<yes_no>(of.type)) {
    return {true, false};
  }
  // A list of one word will grow.
  const auto* closed = std::get_if<one_of>(&of.type);
  if (closed != nullptr && closed->words.size() > 1) {
    return {closed->words.begin(), closed->words.end()};
  }
  values out = constants;
  out.emplace_back(nullptr);
  return out;
}

// Lists (none is empty): each list of the matcher, everything, and these with one value more.
values sample_lists(const values& of_one, values lists) {
  lists.push_back(json::array());
  lists.emplace_back(of_one);
  values out;
  for (const auto& list : lists) {
    if (!list.empty()) {
      out.push_back(list);
    }
    for (const auto& value : of_one) {
      out.push_back(list);
      out.back().push_back(value);
    }
  }
  return out;
}

values samples(const fact& of, const json& matcher) {
  values constants;
  values lists;
  collect(matcher, constants, lists);
  auto of_one = sample_values(of, constants);
  return of.is_list ? sample_lists(of_one, std::move(lists)) : of_one;
}

// Of all numbers of a range that begins with 0. Those between two samples are alike.
double matching_share(const whole_number& range, const values& samples, const json& matcher) {
  double matching = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto value = samples[i].get<std::uint64_t>();
    const auto next = i + 1 < samples.size() ? samples[i + 1].get<std::uint64_t>() : value + 1;
    matching += matches(value, matcher) ? 1 : 0;
    matching +=
        next - value > 1 && matches(value + 1, matcher) ? static_cast<double>(next - value - 1) : 0;
  }
  return matching / static_cast<double>(range.greatest);
}

}  // namespace

matcher_reach reach_of(const fact& of, const json& matcher) {
  const auto tried = samples(of, matcher);
  const auto is_match = [&](const json& sample) { return matches(sample, matcher); };
  return std::ranges::none_of(tried, is_match)  ? matcher_reach::nothing
         : std::ranges::all_of(tried, is_match) ? matcher_reach::everything
                                                : matcher_reach::something;
}

bool lets_others_pass(const fact& of, const json& matcher, condition_sense sense) {
  const bool is_unwanted = sense == condition_sense::unwanted;
  const auto* range = std::get_if<whole_number>(&of.type);
  if (range == nullptr) {
    return matches(json(), matcher) != is_unwanted;
  }
  constexpr double most = 0.001;
  const auto share = matching_share(*range, samples(of, matcher), matcher);
  return (is_unwanted ? 1 - share : share) > most;
}

}  // namespace atls
