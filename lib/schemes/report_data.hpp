// The 64 bytes that a confidential VM has its hardware sign.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

namespace atls {

inline constexpr std::size_t report_data_bytes = 64;

/// The binder (32 to 64 bytes), and zeros: draft-fossati-seat-early-attestation has the TEE sign
/// the binder as its nonce, and Verifiers pad it with zeros.
bytes report_data_for(bytes_view binder);

/// report_data_mismatch unless it is what report_data_for() makes of this binder.
result<void> check_report_data(bytes_view found, bytes_view binder);

}  // namespace atls
