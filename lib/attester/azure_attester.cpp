#include "attester/azure_attester.hpp"

#include "attester/azure_endorsement.hpp"
#include "core/files.hpp"
#include "formats/cmw.hpp"
#include "schemes/azure_vtpm/azure_vtpm_scheme.hpp"

namespace atls {
namespace {

// Of Azure's vTPMs: the HCL report, and the key that it names.
constexpr std::uint32_t hcl_index = 0x01400001;
constexpr std::uint32_t ak_handle = 0x81000003;

// Of the deadline: as much is left for what was kept.
constexpr auto metadata_timeout = std::chrono::seconds(4);

result<azure_vtpm_message> read_tpm(const tpm_attester& tpm, steady_time deadline) {
  return tpm.with_ak<azure_vtpm_message>(
      [](tpm::device& device, const tpm::key_handle& ak) -> result<azure_vtpm_message> {
        azure_vtpm_message out;
        auto hcl = device.read_nv(hcl_index);
        if (!hcl) {
          return failure(hcl.error().code, "NV index 0x01400001: " + hcl.error().detail +
                                               "; is this an Azure confidential VM?");
        }
        out.hcl = std::move(*hcl);
        ATLS_TRY(auto certified, device.certify_by(ak_handle, ak, {}));
        out.ak = {std::move(certified.attest), std::move(certified.signature), ak.public_area};
        return out;
      },
      deadline);
}

}  // namespace

result<std::shared_ptr<azure_attester>> azure_attester::create(
    std::shared_ptr<tpm_attester> tpm, const azure_attester_options& options,
    steady_time deadline) {
  ATLS_TRY(auto parts, read_tpm(*tpm, deadline));
  ATLS_TRY(const auto hcl, parse_hcl_report(parts.hcl));
  parts.hardware = hcl.hardware;
  const auto file = azure_endorsement_file(options.state_dir);
  const auto until = std::min(
      deadline, std::chrono::steady_clock::now() + steady_time::duration(metadata_timeout));
  auto fetched = fetch_azure_endorsement(options.metadata, hcl, until);
  if (fetched) {
    parts.endorsement = std::move(*fetched);
  } else {
    const auto kept = read_file(file, errc::azure_metadata);
    if (!kept) {
      return fetched.error();
    }
    parts.endorsement = to_bytes(as_bytes(*kept));
  }
  std::shared_ptr<azure_attester> out(new azure_attester(std::move(tpm), std::move(parts)));
  if (const auto checked = out->check_own(deadline); !checked) {
    // What was kept is of another boot, or of other firmware.
    return fetched ? checked.error() : fetched.error();
  }
  if (fetched) {
    // Where it cannot be kept, the next start asks again.
    (void)write_file(file, as_text(out->parts_.endorsement), 0600);
  }
  return out;
}

attestation_schemes azure_attester::offers() const {
  return {attestation_scheme::evidence(azure_vtpm_scheme::type)};
}

result<bytes> azure_attester::evidence_over(bytes_view binder, steady_time deadline) const {
  ATLS_TRY(const auto wrapped, tpm_->present(tpm_->offers().front(), binder, deadline));
  ATLS_TRY(auto record, parse_cmw_record(wrapped));
  auto out = parts_;
  out.tpm_evidence = std::move(record.value);
  return out.encode();
}

// A machine does not judge itself: what peers may allow is allowed.
result<void> azure_attester::check_own(steady_time deadline) const {
  const bytes binder(32, 0);
  ATLS_TRY(const auto evidence, evidence_over(binder, deadline));
  const azure_vtpm_scheme scheme({}, {.required_pcrs = tpm_->pcrs(), .known = {}},
                                 {.max_vmpl = 3, .unsafe_debug = true, .unsafe_migration = true},
                                 {.unsafe_debug = true});
  ATLS_CHECK(scheme.check(evidence, {binder, tpm_->spki()}));
  return {};
}

result<bytes> azure_attester::present(const attestation_scheme&, bytes_view binder,
                                      steady_time deadline) {
  ATLS_TRY(const auto evidence, evidence_over(binder, deadline));
  return encode_cmw(azure_vtpm_scheme::type, evidence);
}

json azure_attester::describe() const {
  auto out = tpm_->describe();
  out["attester"] = "azure";
  out["evidence_type"] = azure_vtpm_scheme::type;
  out["hardware"] = parts_.hardware == azure_hardware::snp ? "snp" : "tdx";
  return out;
}

std::shared_ptr<azure_attester> azure_attester::with_tpm(std::shared_ptr<tpm_attester> tpm) const {
  return std::shared_ptr<azure_attester>(new azure_attester(std::move(tpm), parts_));
}

}  // namespace atls
