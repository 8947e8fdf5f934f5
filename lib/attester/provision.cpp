#include "attester/provision.hpp"

#include "core/files.hpp"
#include "core/openssl.hpp"
#include "schemes/parsec_tpm/endorsements.hpp"
#include "schemes/parsec_tpm/evidence.hpp"

#include <openssl/rand.h>

namespace atls {
namespace {

namespace fs = std::filesystem;

tpm::curve ak_curve(tpm_hash bank) {
  return bank == tpm_hash::sha256 ? tpm::curve::p256 : tpm::curve::p384;
}

// The state directory, made if need be, and locked. What was made goes away again, while it is
// still locked, as long as nothing is in it. A directory that another process has locked is that
// process's: it may be empty because its files are about to be written.
class state_directory {
 public:
  explicit state_directory(const fs::path& path) : path_(fs::absolute(path).lexically_normal()) {}
  state_directory(const state_directory&) = delete;
  state_directory& operator=(const state_directory&) = delete;
  ~state_directory() {
    std::error_code ignored;
    for (const auto& made : made_) {
      fs::remove(made, ignored);
    }
  }

  result<void> open() {
    std::error_code error;
    for (auto missing = path_; !fs::exists(missing, error); missing = missing.parent_path()) {
      made_.push_back(missing);
    }
    if (fs::create_directories(path_, error); error) {
      return failure(errc::identity_invalid,
                     "cannot create " + path_.string() + ": " + error.message());
    }
    ATLS_TRY(auto opened, held_directory::open(path_));
    directory_.emplace(std::move(opened));
    auto locked = directory_->lock();
    if (!locked) {
      made_.clear();
    }
    return locked;
  }
  const held_directory& get() const { return *directory_; }

 private:
  fs::path path_;
  std::optional<held_directory> directory_;
  std::vector<fs::path> made_;  // the innermost first
};

// Keys that were made persistent are taken out of the TPM again unless everything else is done.
class persistent_keys {
 public:
  explicit persistent_keys(tpm::device& device) : device_(device) {}
  persistent_keys(const persistent_keys&) = delete;
  persistent_keys& operator=(const persistent_keys&) = delete;
  ~persistent_keys() {
    for (const auto handle : handles_) {
      (void)device_.remove_persistent(handle);
    }
  }
  void add(std::uint32_t handle) { handles_.push_back(handle); }
  void keep() noexcept { handles_.clear(); }

 private:
  tpm::device& device_;
  std::vector<std::uint32_t> handles_;
};

struct new_key {
  stored_key stored;
  tpm::key_handle loaded;
};

result<new_key> make_key(tpm::device& device, tpm::key_purpose purpose, tpm::curve curve,
                         tpm_hash hash, const tpm::key_access& access,
                         std::uint32_t persistent_handle, persistent_keys& made) {
  ATLS_TRY(auto blobs, device.create_key(purpose, curve, hash, access));
  ATLS_TRY(auto loaded, device.load_key(blobs, access));
  new_key out{
      {.blobs = std::move(blobs), .persistent_handle = persistent_handle, .spki = loaded.spki},
      std::move(loaded)};
  if (persistent_handle != 0) {
    ATLS_CHECK(device.make_persistent(out.loaded, persistent_handle));
    made.add(persistent_handle);
    device.flush(out.loaded);
    ATLS_TRY(out.loaded, out.stored.load(device, access));
  }
  return out;
}

// An AK that the machine's maker has certified.
result<new_key> makers_key(tpm::device& device, std::uint32_t index) {
  ATLS_TRY(auto loaded, device.create_from_template(index));
  ATLS_TRY(const auto area, parse_tpm_public(loaded.public_area, errc::identity_invalid));
  constexpr auto wanted =
      tpm_attribute::fixed_tpm | tpm_attribute::restricted | tpm_attribute::sign;
  if ((area.attributes & wanted) != wanted) {
    return failure(errc::identity_invalid,
                   "the template is not that of an attestation key, which is fixed to its TPM and "
                   "signs only what the TPM made (fixedTPM, restricted, sign)");
  }
  stored_key stored;
  stored.made_from = index;
  stored.spki = loaded.spki;
  return new_key{std::move(stored), std::move(loaded)};
}

parsec_tpm_endorsements trust_anchor_of(const identity& who) {
  parsec_tpm_endorsements out;
  out.trust_anchors.push_back({who.class_id, kid_of(who.ak.spki), who.ak.spki});
  return out;
}

parsec_tpm_endorsements reference_values_of(const identity& who, tpm_hash bank,
                                            const std::map<unsigned, bytes>& pcrs) {
  parsec_tpm_endorsements out;
  auto& reference = out.references.emplace_back();
  reference.class_id = who.class_id;
  for (const auto& [pcr, value] : pcrs) {
    reference.digests.emplace(std::pair(pcr, bank), value);
  }
  return out;
}

// Reference values that stood in the state directory are only compared with: what cannot be read
// is as good as none.
std::vector<endorse_report::change> changes_since(
    const fs::path& file, const parsec_tpm_endorsements::reference_values& now) {
  std::vector<endorse_report::change> out;
  const auto content = read_file(file, errc::corim_malformed);
  const auto document = content ? parse_corim(as_bytes(*content)) : content.error();
  const auto before = document ? parsec_tpm_endorsements::from_corim(*document) : document.error();
  if (!before || before->references.empty()) {
    return out;
  }
  for (const auto& [of, value] : now.digests) {
    const auto& known = before->references.front().digests;
    const auto old = known.find(of);
    if (old != known.end() && old->second != value) {
      out.push_back({of.first, old->second, value});
    }
  }
  return out;
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

result<bytes> new_authorization() {
  bytes out(32);
  if (RAND_priv_bytes(out.data(), static_cast<int>(out.size())) != 1) {
    return failure(errc::internal, "no random numbers: " + openssl_errors());
  }
  return out;
}

result<void> prove(tpm::device& device, const tpm::key_handle& ak, const tpm::key_handle& tik,
                   const pcr_selection& pcrs) {
  const bytes nonce(32, 0);
  ATLS_CHECK(device.certify(tik, ak, nonce));
  ATLS_CHECK(device.quote(ak, pcrs, nonce));
  ATLS_CHECK(device.sign(tik, tpm_hash::sha256, nonce));
  return {};
}

}  // namespace

result<provision_report> provision(const provision_options& options) {
  state_directory state(options.state_dir);
  ATLS_CHECK(state.open());
  ATLS_TRY(const auto device, open_ready(options.tcti));
  ATLS_TRY(const auto values, device->read_pcrs(options.pcrs));

  auto existing = identity::load(options.state_dir);
  if (existing) {
    ATLS_CHECK(existing->check_pcrs(options.pcrs));
    ATLS_TRY(const auto access, existing->access());
    ATLS_TRY(const auto ak, existing->ak.load(*device, access));
    ATLS_TRY(const auto tik, existing->tik.load(*device, access));
    ATLS_CHECK(prove(*device, ak, tik, options.pcrs));
    return provision_report{false, kid_of(existing->ak.spki), {}};
  }
  if (existing.error().code != errc::not_provisioned) {
    return existing.error();
  }

  persistent_keys persistent(*device);
  identity made;
  made.tik_curve = options.tik_curve;
  made.bank = options.pcrs.bank;
  if (authorization_credential().empty()) {
    ATLS_TRY(made.authorization, new_authorization());
  }
  ATLS_TRY(const auto access, made.access());
  const auto next_handle = options.persistent_handle != 0 ? options.persistent_handle + 1 : 0;
  ATLS_TRY(auto ak, options.ak_template != 0
                        ? makers_key(*device, options.ak_template)
                        : make_key(*device, tpm::key_purpose::attestation, ak_curve(made.bank),
                                   made.bank, access, options.persistent_handle, persistent));
  ATLS_TRY(auto tik, make_key(*device, tpm::key_purpose::tls_identity, made.tik_curve,
                              tpm::hash_of(made.tik_curve), access, next_handle, persistent));
  ATLS_CHECK(prove(*device, ak.loaded, tik.loaded, options.pcrs));

  made.ak = std::move(ak.stored);
  made.tik = std::move(tik.stored);
  const bytes kid = kid_of(made.ak.spki);
  made.class_id = options.class_id.empty() ? uuid_from(kid) : options.class_id;
  const bytes anchor = trust_anchor_of(made).encode(options.form);
  const bytes reference = reference_values_of(made, options.pcrs.bank, values).encode(options.form);

  provision_report report{true, kid, {}};
  staged_files files(state.get());
  const auto add = [&](const std::string& name, std::string_view content, unsigned mode) {
    report.files.push_back(options.state_dir / name);
    return files.add(name, content, mode);
  };
  ATLS_CHECK(add(trust_anchor_file, as_text(anchor), 0644));
  ATLS_CHECK(add(reference_values_file, as_text(reference), 0644));
  ATLS_CHECK(add(public_key_file, spki_to_pem(made.ak.spki), 0644));
  ATLS_CHECK(add(std::string(identity::file_name), made.text(), 0600));
  ATLS_CHECK(files.commit());
  persistent.keep();
  return report;
}

result<endorse_report> endorse(const endorse_options& options) {
  ATLS_TRY(const auto who, identity::load(options.state_dir));
  ATLS_CHECK(who.check_pcrs(options.pcrs));
  ATLS_TRY(const auto where, held_directory::open(options.state_dir));
  ATLS_CHECK(where.lock());
  ATLS_TRY(const auto device, open_ready(options.tcti));
  ATLS_TRY(const auto values, device->read_pcrs(options.pcrs));
  const auto reference = reference_values_of(who, options.pcrs.bank, values);

  endorse_report report{kid_of(who.ak.spki), {}, {}};
  staged_files files(where);
  const auto add = [&](const char* name, const parsec_tpm_endorsements& endorsements) {
    report.files.push_back({options.state_dir / name, endorsements.encode(options.form)});
    return files.add(name, as_text(report.files.back().content), 0644);
  };
  if (options.with_trust_anchor) {
    ATLS_CHECK(add(trust_anchor_file, trust_anchor_of(who)));
    ATLS_CHECK(files.add(public_key_file, spki_to_pem(who.ak.spki), 0644));
  }
  ATLS_CHECK(add(reference_values_file, reference));
  report.changes =
      changes_since(options.state_dir / reference_values_file, reference.references.front());
  ATLS_CHECK(files.commit());
  return report;
}

}  // namespace atls
