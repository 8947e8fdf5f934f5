// What appraisals say, in the words of AR4SI (draft-ietf-rats-ar4si section 2.3.4).
#pragma once

#include "formats/ear.hpp"

namespace atls::verdict {

inline constexpr int affirmed = 2;
inline constexpr int unsafe_hardware = 32;
inline constexpr int unrecognised_executables = 33;
inline constexpr int contraindicated = 96;
inline constexpr int crypto_failed = 99;

/// These entries (indices into trust_claims) are affirmed. `policy` names the scheme.
ear_appraisal affirming(std::string_view policy, const std::vector<std::size_t>& entries);

/// One entry is not; why stands in the policy claim "problem".
ear_appraisal refused(std::string_view policy, std::size_t entry, int value, std::string problem);

/// It could not be told who made the Evidence: every entry says so.
ear_appraisal unauthentic(std::string_view policy, std::string problem);

}  // namespace atls::verdict
