// The seven steps of an appraisal (ARCHITECTURE.md), for those who want to see how far one came.
#pragma once

#include "core/error.hpp"

#include <array>
#include <chrono>
#include <optional>

namespace atls {

inline constexpr std::array<std::string_view, 7> appraisal_steps = {
    "parse", "binder", "key statement", "platform statement", "Verifier", "Attestation Result",
    "policy"};

/// The index of the step that refuses with this reason; nullopt if none does.
std::optional<std::size_t> step_of(errc reason) noexcept;

/// What an appraisal learned on its way, refused or not.
struct appraisal_trace {
  /// The Verifier that answered, and its Attestation Result as it came.
  std::string verifier;
  std::string token;
  std::chrono::nanoseconds verifier_time{0};
};

}  // namespace atls
