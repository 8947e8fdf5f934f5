// What runs here, measured into a PCR before the first handshake, so that a changed atlsd or a
// changed configuration is another platform to the Verifier.
#pragma once

#include "tpm/device.hpp"

namespace atls {

/// PCRs that an operator may choose: not those of the firmware, nor those that can be reset.
inline constexpr unsigned first_measured_pcr = 8;
inline constexpr unsigned last_measured_pcr = 15;

/// SHA-256 of all of them, each after its length (8 bytes, big-endian), so that nothing can be
/// moved from one to another.
bytes digest_of_all(const std::vector<std::string>& contents);

/// H(SHA-256 of the running program's file || `configuration`, a digest).
result<bytes> self_measurement(tpm_hash bank, bytes_view configuration);

/// Extends the PCR by the measurement, unless that is all it holds since boot: a restart of the
/// same changes nothing. False if something else was measured there before; the PCR has then a
/// value that no reference value matches until the machine boots again.
result<bool> measure_into(tpm::device& device, unsigned pcr, tpm_hash bank, bytes_view measurement);

}  // namespace atls
