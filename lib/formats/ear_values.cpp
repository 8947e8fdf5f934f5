#include "formats/ear_values.hpp"

namespace atls {
namespace {

failure malformed(std::string why) {
  return {errc::ear_malformed, std::move(why)};
}

struct tag {
  std::string_view name;
  int value;
};
// Names that Veraison writes for vector entries; each stands for one value wherever it appears.
constexpr tag claim_tags[] = {{"verifier_malfunction", -1},
                              {"no_claim", 0},
                              {"unexpected_evidence", 1},
                              {"unexected_evidence", 1},  // as the Go library spells it
                              {"crypto_failed", 99},
                              {"recognized_instance", 2},
                              {"untrustworthy_instance", 96},
                              {"unrecognized_instance", 97},
                              {"approved_config", 2},
                              {"safe_config", 3},
                              {"unsafe_config", 32},
                              {"unsupportable_config", 96},
                              {"approved_rt", 2},
                              {"approved_boot", 3},
                              {"unsafe_rt", 32},
                              {"unrecognized_rt", 33},
                              {"contraindicated_rt", 96},
                              {"approved_fs", 2},
                              {"unrecognized_fs", 32},
                              {"contraindicated_fs", 96},
                              {"genuine_hw", 2},
                              {"unsafe_hw", 32},
                              {"contraindicated_hw", 96},
                              {"unrecognized_hw", 97},
                              {"encrypted_rt", 2},
                              {"isolated_rt", 32},
                              {"visible_rt", 96},
                              {"hw_encrypted_secrets", 2},
                              {"sw_encrypted_secrets", 32},
                              {"unencrypted_secrets", 96},
                              {"trusted_sources", 2},
                              {"untrusted_sources", 32},
                              {"contraindicated_sources", 96}};

constexpr std::array tiers = {trust_tier::none, trust_tier::affirming, trust_tier::warning,
                              trust_tier::contraindicated};

}  // namespace

std::string_view to_string(trust_tier tier) noexcept {
  switch (tier) {
    case trust_tier::none:
      return "none";
    case trust_tier::affirming:
      return "affirming";
    case trust_tier::warning:
      return "warning";
    case trust_tier::contraindicated:
      break;
  }
  return "contraindicated";
}

trust_tier tier_of(int claim) noexcept {
  if (claim >= -1 && claim <= 1) {
    return trust_tier::none;
  }
  if (claim >= -32 && claim <= 31) {
    return trust_tier::affirming;
  }
  if (claim >= -96 && claim <= 95) {
    return trust_tier::warning;
  }
  return trust_tier::contraindicated;
}

result<trust_tier> tier_from_number(std::int64_t value) {
  for (const auto tier : tiers) {
    if (static_cast<std::int64_t>(tier) == value) {
      return tier;
    }
  }
  return malformed("status " + std::to_string(value) + " is not 0, 2, 32 or 96");
}

result<trust_tier> parse_status(const json& value) {
  if (const auto number = integral(value)) {
    return tier_from_number(*number);
  }
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    for (const auto tier : tiers) {
      if (text == to_string(tier) || text == std::to_string(static_cast<int>(tier))) {
        return tier;
      }
    }
  }
  return malformed("status " + value.dump() + " is not a tier");
}

result<int> check_claim(std::int64_t value) {
  if (value < -128 || value > 127) {
    return malformed("vector entry " + std::to_string(value) + " is not an int8");
  }
  return static_cast<int>(value);
}

result<int> parse_claim(const json& value) {
  if (const auto number = integral(value)) {
    return check_claim(*number);
  }
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    for (const auto& [name, number] : claim_tags) {
      if (text == name) {
        return number;
      }
    }
  }
  return malformed("vector entry " + value.dump() + " is neither a number nor a known name");
}

}  // namespace atls
