// How far an appraisal came (ARCHITECTURE.md).
#pragma once

#include "schemes/evidence_scheme.hpp"

#include <array>
#include <optional>

namespace atls {

/// The steps in their order.
inline constexpr std::array all_appraisal_steps = {
    appraisal_step::parse,    appraisal_step::binder,   appraisal_step::key,
    appraisal_step::platform, appraisal_step::verifier, appraisal_step::result,
    appraisal_step::policy};

std::string_view to_string(appraisal_step step) noexcept;

/// The step that refuses with this reason; nullopt if none does.
std::optional<appraisal_step> step_of(errc reason);

}  // namespace atls
