#include "attester/tpm_attester.hpp"

#include "formats/cmw.hpp"
#include "schemes/parsec_tpm/evidence.hpp"

namespace atls {

result<std::shared_ptr<tpm_attester>> tpm_attester::create(const tpm_attester_options& options,
                                                           steady_time deadline) {
  if ((options.pcrs.mask & resettable_pcrs) != 0) {
    return failure(errc::config_invalid,
                   "PCRs 16 and 23 can be reset by anybody and prove nothing; "
                   "take them out of \"pcrs\"");
  }
  ATLS_TRY(auto who, identity::load(options.state_dir));
  ATLS_CHECK(who.check_pcrs(options.pcrs));
  ATLS_TRY(auto access, who.access());
  std::shared_ptr<tpm_attester> out(new tpm_attester(options, std::move(who), std::move(access)));
  // One round through the TPM: the keys load and the PCR bank is there.
  ATLS_CHECK(out->present(out->offers().front(), bytes(32, 0), deadline));
  return out;
}

tpm_attester::tpm_attester(const tpm_attester_options& options, identity who,
                           tpm::key_access access)
    : identity_(std::make_shared<const identity>(std::move(who))),
      pcrs_(options.pcrs),
      keys_(std::make_shared<loaded_keys>()),
      worker_(std::make_shared<tpm::worker>(tpm::worker_options{
          .tcti = options.tcti,
          .on_open = [keys = keys_, who = identity_, pcrs = pcrs_,
                      access = std::move(access)](tpm::device& device) -> result<void> {
            ATLS_CHECK(device.read_pcrs(pcrs));
            ATLS_TRY(keys->ak, who->ak.load(device, access));
            ATLS_TRY(keys->tik, who->tik.load(device, access));
            return {};
          }})) {}

tpm_attester::tpm_attester(const tpm_attester& other, const pcr_selection& pcrs)
    : identity_(other.identity_), pcrs_(pcrs), keys_(other.keys_), worker_(other.worker_) {}

result<std::shared_ptr<tpm_attester>> tpm_attester::with_pcrs(const pcr_selection& pcrs) const {
  ATLS_CHECK(identity_->check_pcrs(pcrs));
  return std::shared_ptr<tpm_attester>(new tpm_attester(*this, pcrs));
}

result<void> tpm_attester::check(steady_time deadline) {
  ATLS_CHECK(worker_->run<bool>([](tpm::device& device) { return device.in_lockout(); }, deadline));
  return {};
}

attestation_schemes tpm_attester::offers() const {
  return {attestation_scheme::evidence(parsec_tpm_evidence::media_type)};
}

bytes tpm_attester::instance() const {
  return kid_of(identity_->ak.spki);
}

json tpm_attester::describe() const {
  return {{"attester", "tpm"},
          {"kid", to_hex(instance())},
          {"evidence_type", parsec_tpm_evidence::media_type},
          {"pcrs", to_string(pcrs_)},
          {"key", {{"curve", tpm::name_of(identity_->tik_curve)}, {"spki", to_hex(spki())}}}};
}

result<bytes> tpm_attester::present(const attestation_scheme&, bytes_view binder,
                                    steady_time deadline) {
  return worker_->run<bytes>(
      [keys = keys_, pcrs = pcrs_, nonce = to_bytes(binder),
       kid = instance()](tpm::device& device) -> result<bytes> {
        ATLS_TRY(auto kat, device.certify(keys->tik, keys->ak, nonce));
        ATLS_TRY(auto pat, device.quote(keys->ak, pcrs, nonce));
        parsec_tpm_evidence evidence;
        evidence.kat = {"2.0", kid, std::move(kat.signature), keys->tik.public_area,
                        std::move(kat.attest)};
        evidence.pat = {"2.0", kid, std::move(pat.signature), std::move(pat.attest)};
        return encode_cmw(parsec_tpm_evidence::media_type, evidence.encode());
      },
      deadline);
}

result<bytes> tpm_attester::sign(tpm_hash hash, bytes_view digest, steady_time deadline) {
  return worker_->run<bytes>(
      [keys = keys_, hash, digest = to_bytes(digest)](tpm::device& device) {
        return device.sign(keys->tik, hash, digest);
      },
      deadline, tpm::worker::stage::goes_on);
}

}  // namespace atls
