// The values inside an EAR: statuses and entries of the trust vector, in all their spellings. For
// ear's readers. Failures are ear_malformed.
#pragma once

#include "formats/ear.hpp"

namespace atls {

result<trust_tier> tier_from_number(std::int64_t value);
/// A number, its digits as text, or a tier's name.
result<trust_tier> parse_status(const json& value);

/// An int8 (draft-ietf-rats-ar4si section 2.3.1).
result<int> check_claim(std::int64_t value);
/// A number, or one of the names that Veraison writes.
result<int> parse_claim(const json& value);

}  // namespace atls
