// An Attestation Result that passed every check of the Relying Party.
#pragma once

#include "formats/ear.hpp"

#include <chrono>

namespace atls {

struct ear_expectations;

/// Only check_ear (appraisal/ear_check.hpp) makes one.
class verified_ear {
 public:
  const ear& claims() const noexcept { return claims_; }
  /// Its only submodule's.
  const ear_appraisal& appraisal() const noexcept { return claims_.submodules.begin()->second; }
  const std::string& token() const noexcept { return token_; }
  std::chrono::system_clock::time_point issued_at() const noexcept {
    return std::chrono::system_clock::from_time_t(claims_.issued_at);
  }
  /// Its expiry, or the policy's max_age after it was issued, whichever is first.
  std::chrono::system_clock::time_point valid_until() const noexcept { return valid_until_; }

 private:
  friend result<verified_ear> check_ear(std::string token, const ear_expectations& expected);
  verified_ear(ear claims, std::string token, std::chrono::seconds max_age)
      : claims_(std::move(claims)), token_(std::move(token)) {
    const auto limit = claims_.issued_at + max_age.count();
    valid_until_ = std::chrono::system_clock::from_time_t(
        claims_.expires ? std::min(limit, *claims_.expires) : limit);
  }

  ear claims_;
  std::string token_;
  std::chrono::system_clock::time_point valid_until_;
};

}  // namespace atls
