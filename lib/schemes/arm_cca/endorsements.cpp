#include "schemes/arm_cca/endorsements.hpp"

#include <algorithm>
#include <array>

namespace atls {
namespace {

using cbor::item;
using cbor::kind;

constexpr std::string_view platform_profile = "tag:arm.com,2025:cca_platform#1.0.0";
constexpr std::string_view realm_profile = "tag:arm.com,2025:cca_realm#1.0.0";

// Tags of draft-ietf-rats-corim section 11.
enum : std::uint64_t { ueid_tag = 550, bytes_tag = 560 };
// Members of an environment, of a measurement, of its values.
enum : std::int64_t { class_key = 0, instance_key = 1 };
enum : std::int64_t { name_key = 0, values_key = 1 };
enum : std::int64_t { digests_key = 2, raw_value_key = 4 };

failure malformed(std::string why) {
  return {errc::corim_malformed, std::move(why)};
}

result<bytes> tagged_bytes(const item* from, std::uint64_t tag, const char* what) {
  const auto* const found = from == nullptr ? nullptr : from->tagged(tag);
  if (found == nullptr || !found->is(kind::byte_string)) {
    return malformed(std::string(what) + " is absent or not tag " + std::to_string(tag) +
                     " around bytes");
  }
  return found->content;
}

// A platform's implementation id, a realm's initial measurement.
result<bytes> class_id(const item& environment) {
  const auto* const its_class = environment.find(class_key);
  return tagged_bytes(its_class == nullptr ? nullptr : its_class->find(std::int64_t{0}), bytes_tag,
                      "an environment's class id");
}

// Of the one digest that a measurement has.
result<std::string> digest_of(const item& values) {
  const auto* const digests = values.find(digests_key);
  if (digests == nullptr || !digests->is(kind::array) || digests->items.size() != 1 ||
      !digests->items[0].is(kind::array) || digests->items[0].items.size() != 2 ||
      !digests->items[0].items[1].is(kind::byte_string)) {
    return malformed("a measurement has not one digest of algorithm and bytes");
  }
  return to_hex(digests->items[0].items[1].content);
}

result<std::string> raw_value_of(const item& values) {
  ATLS_TRY(const auto value,
           tagged_bytes(values.find(raw_value_key), bytes_tag, "a measurement's raw value"));
  return to_hex(value);
}

// Calls `add` with the name and the values of each measurement.
template <class Add>
result<void> for_each_measurement(const triple& of, Add add) {
  for (const auto& one : of.said) {
    const auto* const name = one.find(name_key);
    const auto* const values = one.find(values_key);
    if (name == nullptr || !name->is(kind::text_string) || values == nullptr) {
      return malformed("a measurement has no name or no values");
    }
    ATLS_CHECK(add(name->text(), *values));
  }
  return {};
}

result<json> read_platform(const triple& of) {
  ATLS_TRY(const auto implementation, class_id(of.environment));
  json out{{"implementation_id", to_hex(implementation)}, {"components", json::array()}};
  ATLS_CHECK(
      for_each_measurement(of, [&](std::string_view name, const item& values) -> result<void> {
        if (name == "cca.software-component") {
          ATLS_TRY(auto digest, digest_of(values));
          out["components"].push_back(std::move(digest));
          return {};
        }
        if (name != "cca.platform-config") {
          return malformed("a measurement \"" + std::string(name) + "\" of a platform");
        }
        ATLS_TRY(out["config"], raw_value_of(values));
        return {};
      }));
  return out;
}

result<json> read_realm(const triple& of) {
  constexpr std::array digests{"cca.rim", "cca.rem0", "cca.rem1", "cca.rem2", "cca.rem3"};
  constexpr std::size_t prefix = 4;
  ATLS_TRY(const auto rim, class_id(of.environment));
  json out{{"rim", to_hex(rim)}};
  ATLS_CHECK(
      for_each_measurement(of, [&](std::string_view name, const item& values) -> result<void> {
        const bool is_digest = std::ranges::find(digests, name) != digests.end();
        if (!is_digest && name != "cca.rpv") {
          return malformed("a measurement \"" + std::string(name) + "\" of a realm");
        }
        ATLS_TRY(auto value, is_digest ? digest_of(values) : raw_value_of(values));
        auto& place = out[std::string(name.substr(prefix))];
        if (!place.is_null() && place != value) {
          return malformed("a realm has two values of " + std::string(name));
        }
        place = std::move(value);
        return {};
      }));
  return out;
}

}  // namespace

bool cca_endorsements::is_profile(std::string_view profile) noexcept {
  return profile == platform_profile || profile == realm_profile;
}

result<cca_endorsements> cca_endorsements::from_corim(const corim& source) {
  cca_endorsements out;
  const bool is_of_platforms = source.profile == platform_profile;
  for (const auto& comid : source.comids) {
    ATLS_TRY(const auto references, triples_of(comid, reference_values_key));
    for (const auto& one : references) {
      ATLS_TRY((is_of_platforms ? out.platforms : out.realms).emplace_back(),
               is_of_platforms ? read_platform(one) : read_realm(one));
    }
    ATLS_TRY(const auto anchors, triples_of(comid, attester_verification_keys));
    for (const auto& one : anchors) {
      ATLS_TRY(auto instance, tagged_bytes(one.environment.find(instance_key), ueid_tag,
                                           "a trust anchor's instance"));
      ATLS_TRY(auto key, verification_key(one));
      out.platform_keys.insert_or_assign(std::move(instance), std::move(key));
    }
  }
  return out;
}

}  // namespace atls
