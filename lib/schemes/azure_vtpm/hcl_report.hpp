// The report that the paravisor of an Azure confidential VM (HCL) leaves in the vTPM, NV index
// 0x01400001: the hardware's report, and the data that its report data is the SHA-256 of, which
// name the vTPM's keys (Microsoft, "Guest attestation for confidential VMs"; kinvolk,
// azure-cvm-tooling). All numbers in it are little-endian.
//
//   0 "HCLA" | 4 version | 8 size | 12 request type | 16 status | 20 zeros | 32 hardware report
//   1216 size of what follows | 1220 version | 1224 report type | 1228 hash | 1232 size of the
//   runtime data | 1236 runtime data | zeros
#pragma once

#include "core/openssl.hpp"

namespace atls {

/// What protects an Azure confidential VM from its host.
enum class azure_hardware { snp, tdx };

struct hcl_report {
  azure_hardware hardware = azure_hardware::snp;
  /// SNP: as the firmware signed it. TDX: a TDREPORT, which proves nothing away from its machine.
  bytes hardware_report;
  /// JSON, as it is hashed.
  bytes runtime_data;

  // What stands in the runtime data.

  /// The vTPM's own attestation key ("HCLAkPub"), RSA.
  pkey_ptr ak;
  std::string vm_id;
  bool secure_boot = false;
  bool console_enabled = false;

  /// What the hardware report's report data must be; 32 bytes, and zeros after them.
  bytes binder() const { return digest("SHA256", runtime_data); }
};

/// evidence_malformed: no such report, another version, report type or hash, sizes that do not fit,
/// runtime data without exactly one key of that name or without the VM's configuration.
result<hcl_report> parse_hcl_report(bytes_view input);

}  // namespace atls
