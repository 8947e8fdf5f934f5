// What can be said here of the PCRs of a peer that the Verifier does not affirm. Pure: no I/O.
#pragma once

#include "schemes/parsec_tpm/endorsements.hpp"

namespace atls {

/// For people: the quote's selection and digest, and what the reference values known here expect. A
/// quote holds a digest over all its PCRs and no value of any, so which of them differ can be told
/// only if a mixture of the known reference values has that digest. If a trust anchor tells the
/// class of `kid`, reference values of other classes do not count.
std::string describe_pcrs(const pcr_selection& quoted, bytes_view quoted_digest, const bytes& kid,
                          const parsec_tpm_endorsements& known);

}  // namespace atls
