// What the maker of a machine left in its TPM: keys at persistent handles, values in NV indices.
#include "tpm/device.hpp"

#include <algorithm>

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>

namespace atls::tpm {
namespace {

// Of any TPM: what one command gives may be less than its buffer.
constexpr std::uint16_t bytes_at_once = 512;

// An object of the TPM as ESYS knows it; ESYS forgets it at the end.
class esys_object {
 public:
  explicit esys_object(ESYS_CONTEXT* esys) : esys_(esys) {}
  esys_object(const esys_object&) = delete;
  esys_object& operator=(const esys_object&) = delete;
  ~esys_object() {
    if (handle_ != ESYS_TR_NONE) {
      Esys_TR_Close(esys_, &handle_);
    }
  }

  TSS2_RC open(std::uint32_t handle) {
    return Esys_TR_FromTPMPublic(esys_, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &handle_);
  }
  ESYS_TR get() const noexcept { return handle_; }

 private:
  ESYS_CONTEXT* esys_;
  ESYS_TR handle_ = ESYS_TR_NONE;
};

}  // namespace

result<statement> device::certify_by(std::uint32_t signer, const key_handle& object,
                                     bytes_view qualifying_data) {
  esys_object key(esys_);
  ++commands_;
  if (const auto code = key.open(signer); code != TSS2_RC_SUCCESS) {
    return failed("TPM2_ReadPublic", code);
  }
  key_handle as_signer;
  as_signer.esys = key.get();
  return certify(object, as_signer, qualifying_data);
}

result<bytes> device::read_nv(std::uint32_t index) {
  constexpr std::string_view if_denied = "its owner may not read it";
  esys_object nv(esys_);
  commands_ += 2;
  if (const auto code = nv.open(index); code != TSS2_RC_SUCCESS) {
    return failed("TPM2_NV_ReadPublic", code);
  }
  TPM2B_NV_PUBLIC* described = nullptr;
  if (const auto code = Esys_NV_ReadPublic(esys_, nv.get(), ESYS_TR_NONE, ESYS_TR_NONE,
                                           ESYS_TR_NONE, &described, nullptr);
      code != TSS2_RC_SUCCESS) {
    return failed("TPM2_NV_ReadPublic", code);
  }
  const std::uint16_t size = described->nvPublic.dataSize;
  Esys_Free(described);

  bytes out;
  while (out.size() < size) {
    const auto at = static_cast<std::uint16_t>(out.size());
    const auto count =
        std::min<std::uint16_t>(static_cast<std::uint16_t>(size - at), bytes_at_once);
    TPM2B_MAX_NV_BUFFER* part = nullptr;
    ++commands_;
    const auto code = Esys_NV_Read(esys_, ESYS_TR_RH_OWNER, nv.get(), ESYS_TR_PASSWORD,
                                   ESYS_TR_NONE, ESYS_TR_NONE, count, at, &part);
    if (code != TSS2_RC_SUCCESS) {
      return failed("TPM2_NV_Read", code, if_denied);
    }
    out.insert(out.end(), part->buffer, part->buffer + part->size);
    const bool is_empty = part->size == 0;
    Esys_Free(part);
    if (is_empty) {
      return failure(errc::tpm_failed, "TPM2_NV_Read on " + name_ + " gives nothing");
    }
  }
  return out;
}

result<key_handle> device::create_from_template(std::uint32_t index) {
  ATLS_TRY(const auto content, read_nv(index));
  TPM2B_PUBLIC area{};
  std::size_t read = 0;
  if (Tss2_MU_TPMT_PUBLIC_Unmarshal(content.data(), content.size(), &read, &area.publicArea) !=
          TSS2_RC_SUCCESS ||
      read != content.size()) {
    return failure(errc::tpm_failed, "NV index " + std::to_string(index) + " on " + name_ +
                                         " holds no TPMT_PUBLIC, expected a key's template");
  }
  ATLS_TRY(const auto handle, create_primary(hierarchy::endorsement, area));
  loaded_.push_back(handle);
  return describe_key(handle, {});
}

}  // namespace atls::tpm
