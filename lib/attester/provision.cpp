#include "attester/provision.hpp"

#include "core/files.hpp"
#include "core/openssl.hpp"
#include "evidence/parsec_tpm.hpp"

namespace atls {
namespace {

namespace fs = std::filesystem;

tpm::curve ak_curve(tpm_hash bank) {
  return bank == tpm_hash::sha256 ? tpm::curve::p256 : tpm::curve::p384;
}

// Removes what was made so far unless all of it was made.
class rollback {
 public:
  explicit rollback(tpm::device& device) : device_(device) {}
  ~rollback() {
    if (done_) {
      return;
    }
    std::error_code ignored;
    for (const auto& file : files) {
      fs::remove(file, ignored);
    }
    if (!made_directory.empty()) {
      fs::remove(made_directory, ignored);
    }
    for (const auto handle : handles) {
      (void)device_.remove_persistent(handle);
    }
  }
  void keep() noexcept { done_ = true; }

  std::vector<fs::path> files;
  fs::path made_directory;
  std::vector<std::uint32_t> handles;

 private:
  tpm::device& device_;
  bool done_ = false;
};

struct new_key {
  stored_key stored;
  tpm::key_handle loaded;
};

result<new_key> make_key(tpm::device& device, tpm::key_purpose purpose, tpm::curve curve,
                         std::uint32_t persistent_handle, rollback& undo) {
  ATLS_TRY(auto blobs, device.create_key(purpose, curve));
  ATLS_TRY(auto loaded, device.load_key(blobs));
  new_key out{{std::move(blobs), persistent_handle, loaded.spki}, std::move(loaded)};
  if (persistent_handle != 0) {
    ATLS_CHECK(device.make_persistent(out.loaded, persistent_handle));
    undo.handles.push_back(persistent_handle);
    device.flush(out.loaded);
    ATLS_TRY(out.loaded, out.stored.load(device));
  }
  return out;
}

// Writes the CoRIM in both forms and the AK's public key. `written` gets each file before it is
// there, so that a rollback finds half of it too.
result<void> write_endorsement_files(const identity& who, const pcr_selection& pcrs,
                                     const std::map<unsigned, bytes>& values, const fs::path& dir,
                                     std::vector<fs::path>& written) {
  parsec_tpm_endorsements endorsements;
  endorsements.trust_anchors.push_back({who.class_id, kid_of(who.ak.spki), who.ak.spki});
  parsec_tpm_endorsements::reference_values reference{who.class_id, {}};
  for (const auto& [pcr, value] : values) {
    reference.digests.emplace(std::pair(pcr, pcrs.bank), value);
  }
  endorsements.references.push_back(std::move(reference));

  using form = parsec_tpm_endorsements::instance_form;
  const std::pair<const char*, std::string> files[] = {
      {"endorsements.cbor", std::string(as_text(endorsements.encode(form::tagged_bytes)))},
      {"endorsements-ueid.cbor", std::string(as_text(endorsements.encode(form::ueid)))},
      {"ak.pem", spki_to_pem(who.ak.spki)}};
  for (const auto& [name, content] : files) {
    written.push_back(dir / name);
    ATLS_CHECK(write_file(dir / name, content, 0644));
  }
  return {};
}

result<std::unique_ptr<tpm::device>> open_ready(const std::string& tcti) {
  ATLS_TRY(auto device, tpm::device::open(tcti));
  ATLS_TRY(const bool locked, device->in_lockout());
  if (locked) {
    return failure(errc::tpm_lockout,
                   "wait for it to end or clear it with tpm2_dictionarylockout --clear-lockout");
  }
  return device;
}

result<void> prove(tpm::device& device, const tpm::key_handle& ak, const tpm::key_handle& tik,
                   const pcr_selection& pcrs) {
  const bytes nonce(32, 0);
  ATLS_CHECK(device.certify(tik, ak, nonce));
  ATLS_CHECK(device.quote(ak, pcrs, nonce));
  return {};
}

}  // namespace

result<provision_report> provision(const provision_options& options) {
  ATLS_TRY(const auto device, open_ready(options.tcti));
  ATLS_TRY(const auto values, device->read_pcrs(options.pcrs));

  auto existing = identity::load(options.state_dir);
  if (existing) {
    ATLS_TRY(const auto ak, existing->ak.load(*device));
    ATLS_TRY(const auto tik, existing->tik.load(*device));
    ATLS_CHECK(prove(*device, ak, tik, options.pcrs));
    return provision_report{false, kid_of(existing->ak.spki), {}};
  }
  if (existing.error().code != errc::not_provisioned) {
    return existing.error();
  }

  rollback undo(*device);
  std::error_code error;
  if (fs::create_directories(options.state_dir, error)) {
    undo.made_directory = options.state_dir;
  }
  if (error) {
    return failure(errc::identity_invalid,
                   "cannot create " + options.state_dir.string() + ": " + error.message());
  }
  const auto next_handle = options.persistent_handle != 0 ? options.persistent_handle + 1 : 0;
  ATLS_TRY(auto ak, make_key(*device, tpm::key_purpose::attestation, ak_curve(options.pcrs.bank),
                             options.persistent_handle, undo));
  ATLS_TRY(auto tik,
           make_key(*device, tpm::key_purpose::tls_identity, options.tik_curve, next_handle, undo));
  ATLS_CHECK(prove(*device, ak.loaded, tik.loaded, options.pcrs));

  const bytes kid = kid_of(ak.stored.spki);
  const identity made{std::move(ak.stored), std::move(tik.stored), options.tik_curve,
                      options.class_id.empty() ? uuid_from(kid) : options.class_id};
  ATLS_CHECK(write_endorsement_files(made, options.pcrs, values, options.state_dir, undo.files));
  undo.files.push_back(options.state_dir / identity::file_name);
  ATLS_CHECK(made.save(options.state_dir));
  undo.keep();
  return provision_report{true, kid, undo.files};
}

result<provision_report> write_endorsements(const std::string& tcti, const fs::path& state_dir,
                                            const pcr_selection& pcrs) {
  ATLS_TRY(const auto who, identity::load(state_dir));
  ATLS_TRY(const auto device, open_ready(tcti));
  ATLS_TRY(const auto values, device->read_pcrs(pcrs));
  provision_report report{false, kid_of(who.ak.spki), {}};
  ATLS_CHECK(write_endorsement_files(who, pcrs, values, state_dir, report.files));
  return report;
}

}  // namespace atls
