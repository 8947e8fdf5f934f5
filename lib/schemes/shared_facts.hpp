// Facts that several Evidence types show.
#pragma once

#include "schemes/fact.hpp"

namespace atls {

/// "evidence.key.resident": "tpm" or "none".
fact key_resident_fact();
/// "evidence.tee": how a confidential VM's or enclave's root of trust is called.
fact tee_fact();
/// "evidence.report_data"
fact report_data_fact();

}  // namespace atls
