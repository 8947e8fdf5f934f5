#include "tpm/device.hpp"

#include "tpm/templates.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <unistd.h>

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

namespace atls::tpm {
namespace {

template <class T>
struct tss_free {
  void operator()(T* object) const noexcept { Esys_Free(object); }
};
template <class T>
using esys_ptr = std::unique_ptr<T, tss_free<T>>;

// Calls a tss2-mu marshaller into a byte string.
template <class T>
bytes marshal(TSS2_RC (*function)(const T*, std::uint8_t*, std::size_t, std::size_t*),
              const T& value) {
  bytes out(sizeof(T) + 64);
  std::size_t offset = 0;
  if (function(&value, out.data(), out.size(), &offset) != TSS2_RC_SUCCESS) {
    throw error({errc::internal, "a TPM structure cannot be marshalled"});
  }
  out.resize(offset);
  return out;
}

template <class T>
bool unmarshal(TSS2_RC (*function)(const std::uint8_t*, std::size_t, std::size_t*, T*),
               bytes_view input, T& value) {
  std::size_t offset = 0;
  return function(input.data(), input.size(), &offset, &value) == TSS2_RC_SUCCESS &&
         offset == input.size();
}

template <class Tpm2b>
result<Tpm2b> filled(bytes_view from) {
  Tpm2b to{};
  if (from.size() > sizeof to.buffer) {
    return failure(errc::tpm_failed, std::to_string(from.size()) + " bytes, at most " +
                                         std::to_string(sizeof to.buffer) + " fit");
  }
  to.size = static_cast<UINT16>(from.size());
  std::ranges::copy(from, to.buffer);
  return to;
}

constexpr std::string_view owner_password =
    "the owner hierarchy has a password, atlsd expects it empty (tpm2_changeauth -c owner -p "
    "PASSWORD empties it)";
constexpr std::string_view endorsement_password =
    "the endorsement hierarchy has a password, atlsd expects it empty (tpm2_changeauth -c "
    "endorsement -p PASSWORD empties it)";

TPML_PCR_SELECTION to_tpml(const pcr_selection& pcrs) {
  TPML_PCR_SELECTION out{};
  out.count = 1;
  auto& one = out.pcrSelections[0];
  one.hash = static_cast<TPMI_ALG_HASH>(pcrs.bank);
  one.sizeofSelect = 3;
  for (unsigned byte = 0; byte < 3; ++byte) {
    one.pcrSelect[byte] = static_cast<BYTE>(pcrs.mask >> (8 * byte));
  }
  return out;
}

TPMT_SIG_SCHEME keys_own_scheme() {
  TPMT_SIG_SCHEME out{};
  out.scheme = TPM2_ALG_NULL;
  return out;
}

// Frees what ESYS allocated.
statement take_statement(TPM2B_ATTEST* attest, TPMT_SIGNATURE* signature) {
  const esys_ptr<TPM2B_ATTEST> attest_owner(attest);
  const esys_ptr<TPMT_SIGNATURE> signature_owner(signature);
  return {{attest->attestationData, attest->attestationData + attest->size},
          marshal(Tss2_MU_TPMT_SIGNATURE_Marshal, *signature)};
}

// What goes wrong most often when opening a TCTI, in words an operator can act on.
failure cannot_open(const std::string& tcti, TSS2_RC code) {
  std::string why = Tss2_RC_Decode(code);
  if (tcti.starts_with("device:")) {
    const std::string path = tcti.substr(7);
    if (::access(path.c_str(), F_OK) != 0) {
      return {errc::tpm_unavailable, path +
                                         " does not exist; check that this machine has a TPM 2.0 "
                                         "and name its device in \"tcti\", such as "
                                         "\"device:/dev/tpmrm0\""};
    }
    if (::access(path.c_str(), R_OK | W_OK) != 0) {
      return {errc::tpm_permission, path + ": " + std::strerror(errno) +
                                        "; add this user to the group that owns it (usually "
                                        "\"tss\")"};
    }
  }
  return {errc::tpm_unavailable,
          "cannot open TCTI \"" + tcti + "\": " + why +
              "; expected \"device:PATH\", \"tabrmd:\" or \"swtpm:host=HOST,port=PORT\" and a TPM "
              "that answers there"};
}

}  // namespace

std::string_view name_of(curve c) noexcept {
  return c == curve::p256 ? "P-256" : "P-384";
}

std::optional<curve> curve_from_name(std::string_view name) noexcept {
  for (const auto c : {curve::p256, curve::p384}) {
    if (name == name_of(c)) {
      return c;
    }
  }
  return std::nullopt;
}

tpm_hash hash_of(curve c) noexcept {
  return c == curve::p256 ? tpm_hash::sha256 : tpm_hash::sha384;
}

result<std::unique_ptr<device>> device::open(const std::string& tcti) {
  std::unique_ptr<device> out(new device);
  out->name_ = tcti;
  TSS2_TCTI_CONTEXT* tcti_context = nullptr;
  if (const auto code = Tss2_TctiLdr_Initialize(tcti.c_str(), &tcti_context);
      code != TSS2_RC_SUCCESS) {
    return cannot_open(tcti, code);
  }
  out->tcti_ = tcti_context;
  if (const auto code = Esys_Initialize(&out->esys_, tcti_context, nullptr);
      code != TSS2_RC_SUCCESS) {
    return cannot_open(tcti, code);
  }
  // A TPM that nobody has started yet (a simulator, a bare firmware) needs it; others say so.
  const auto code = Esys_Startup(out->esys_, TPM2_SU_CLEAR);
  if (code != TSS2_RC_SUCCESS && code != TPM2_RC_INITIALIZE) {
    return cannot_open(tcti, code);
  }
  return out;
}

device::~device() {
  if (esys_ != nullptr) {
    end_sessions();
    for (const auto handle : loaded_) {
      Esys_FlushContext(esys_, handle);
    }
    Esys_Finalize(&esys_);
  }
  if (tcti_ != nullptr) {
    auto* tcti = static_cast<TSS2_TCTI_CONTEXT*>(tcti_);
    Tss2_TctiLdr_Finalize(&tcti);
  }
}

failure device::failed(const char* command, std::uint32_t code, std::string_view if_denied) const {
  const std::string text = std::string(command) + " on " + name_ + ": " + Tss2_RC_Decode(code);
  if ((code & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER) {
    return {errc::tpm_unavailable, text};
  }
  if (code == TPM2_RC_LOCKOUT) {
    return {errc::tpm_lockout,
            text + "; wait for it to end or clear it with tpm2_dictionarylockout --clear-lockout"};
  }
  if (code == TPM2_RC_OBJECT_MEMORY || code == TPM2_RC_OBJECT_HANDLES ||
      code == TPM2_RC_SESSION_MEMORY || code == TPM2_RC_SESSION_HANDLES) {
    return {errc::tpm_overloaded,
            text +
                "; use a resource manager (device:/dev/tpmrm0 or tabrmd:), or clear what other "
                "programs left with tpm2_flushcontext --transient-object and --loaded-session"};
  }
  if (code == TPM2_RC_RETRY || code == TPM2_RC_YIELDED || code == TPM2_RC_TESTING) {
    return {errc::tpm_overloaded, text};
  }
  if ((code & 0xff) == TPM2_RC_AUTH_FAIL || (code & 0xff) == (TPM2_RC_BAD_AUTH & 0xff)) {
    return {errc::tpm_failed, text + "; " + std::string(if_denied)};
  }
  return {errc::tpm_failed, text};
}

result<std::uint32_t> device::primary_key(hierarchy parent) {
  return create_primary(parent, storage_template());
}

result<std::uint32_t> device::create_primary(hierarchy parent, const TPM2B_PUBLIC& area) {
  const bool is_owner = parent == hierarchy::owner;
  const TPM2B_SENSITIVE_CREATE sensitive{};
  const TPM2B_DATA outside{};
  const TPML_PCR_SELECTION no_pcrs{};
  ESYS_TR handle = ESYS_TR_NONE;
  ++commands_;
  const auto code =
      Esys_CreatePrimary(esys_, is_owner ? ESYS_TR_RH_OWNER : ESYS_TR_RH_ENDORSEMENT,
                         ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &area, &outside,
                         &no_pcrs, &handle, nullptr, nullptr, nullptr, nullptr);
  if (code != TSS2_RC_SUCCESS) {
    return failed("TPM2_CreatePrimary", code, is_owner ? owner_password : endorsement_password);
  }
  return handle;
}

result<std::uint32_t> device::start_session(std::uint32_t salt_key, std::uint8_t type) {
  TPMT_SYM_DEF symmetric{};
  symmetric.algorithm = TPM2_ALG_AES;
  symmetric.keyBits.aes = 128;
  symmetric.mode.aes = TPM2_ALG_CFB;
  ESYS_TR session = ESYS_TR_NONE;
  ++commands_;
  auto code =
      Esys_StartAuthSession(esys_, salt_key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                            nullptr, type, &symmetric, TPM2_ALG_SHA256, &session);
  if (code == TSS2_RC_SUCCESS) {
    constexpr TPMA_SESSION kept = TPMA_SESSION_CONTINUESESSION;
    code = Esys_TRSess_SetAttributes(esys_, session, kept, kept);
  }
  return code == TSS2_RC_SUCCESS ? result<std::uint32_t>(session)
                                 : failed("TPM2_StartAuthSession", code);
}

result<void> device::need_sessions() {
  if (sessions_) {
    return {};
  }
  ATLS_TRY(const ESYS_TR salt_key, primary_key(hierarchy::endorsement));
  sessions_ = sessions{ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE};
  const auto start = [&]() -> result<void> {
    ATLS_TRY(sessions_->object, start_session(salt_key, TPM2_SE_HMAC));
    ATLS_TRY(sessions_->signer, start_session(salt_key, TPM2_SE_HMAC));
    ATLS_TRY(sessions_->policy, start_session(salt_key, TPM2_SE_POLICY));
    return {};
  };
  const auto started = start();
  ++commands_;
  Esys_FlushContext(esys_, salt_key);
  if (!started) {
    end_sessions();
  }
  return started;
}

void device::end_sessions() noexcept {
  if (!sessions_) {
    return;
  }
  for (ESYS_TR session : {sessions_->object, sessions_->signer, sessions_->policy}) {
    if (session != ESYS_TR_NONE && Esys_FlushContext(esys_, session) != TSS2_RC_SUCCESS) {
      Esys_TR_Close(esys_, &session);  // the TPM has lost it
    }
  }
  sessions_.reset();
}

std::uint32_t device::session_for_object(const key_handle& key) const noexcept {
  return key.is_authorized && sessions_ ? sessions_->object : ESYS_TR_PASSWORD;
}

result<std::uint32_t> device::session_for_signer(const key_handle& key) {
  if (!key.is_authorized) {
    return ESYS_TR_PASSWORD;
  }
  if (!key.has_policy) {
    return sessions_->signer;
  }
  ++commands_;
  const auto code =
      Esys_PolicyAuthValue(esys_, sessions_->policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE);
  return code == TSS2_RC_SUCCESS ? result<std::uint32_t>(sessions_->policy)
                                 : failed("TPM2_PolicyAuthValue", code);
}

// Sessions are kept. A resource manager may lose one that nobody has used for long: a command that
// fails is tried once more with new ones.
template <class Command>
auto device::authorized(const key_handle& key, Command command) -> decltype(command()) {
  if (!key.is_authorized) {
    return command();
  }
  const bool are_new = !sessions_;
  ATLS_CHECK(need_sessions());
  auto outcome = command();
  if (outcome || are_new || outcome.error().code != errc::tpm_failed) {
    return outcome;
  }
  end_sessions();
  ATLS_CHECK(need_sessions());
  return command();
}

result<key_blobs> device::create_key(key_purpose purpose, curve c, tpm_hash hash,
                                     const key_access& access) {
  TPM2B_SENSITIVE_CREATE sensitive{};
  ATLS_TRY(sensitive.sensitive.userAuth, filled<TPM2B_AUTH>(access.authorization));
  const TPM2B_PUBLIC area = key_template(purpose, c, hash);
  const TPM2B_DATA outside{};
  const TPML_PCR_SELECTION no_pcrs{};
  ATLS_CHECK(need_sessions());
  ATLS_TRY(const ESYS_TR parent, primary_key(access.parent));
  // The first parameter, in which the authorisation is, goes over the bus encrypted.
  Esys_TRSess_SetAttributes(esys_, sessions_->object, TPMA_SESSION_DECRYPT, TPMA_SESSION_DECRYPT);
  TPM2B_PRIVATE* private_part = nullptr;
  TPM2B_PUBLIC* public_part = nullptr;
  commands_ += 2;
  const auto code =
      Esys_Create(esys_, parent, sessions_->object, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &area,
                  &outside, &no_pcrs, &private_part, &public_part, nullptr, nullptr, nullptr);
  Esys_TRSess_SetAttributes(esys_, sessions_->object, 0, TPMA_SESSION_DECRYPT);
  Esys_FlushContext(esys_, parent);
  const esys_ptr<TPM2B_PRIVATE> private_owner(private_part);
  const esys_ptr<TPM2B_PUBLIC> public_owner(public_part);
  if (code != TSS2_RC_SUCCESS) {
    return failed("TPM2_Create", code);
  }
  return key_blobs{marshal(Tss2_MU_TPM2B_PUBLIC_Marshal, *public_part),
                   marshal(Tss2_MU_TPM2B_PRIVATE_Marshal, *private_part)};
}

result<key_handle> device::load_key(const key_blobs& blobs, const key_access& access) {
  TPM2B_PUBLIC public_part{};
  TPM2B_PRIVATE private_part{};
  if (!unmarshal(Tss2_MU_TPM2B_PUBLIC_Unmarshal, blobs.public_area, public_part) ||
      !unmarshal(Tss2_MU_TPM2B_PRIVATE_Unmarshal, blobs.private_area, private_part)) {
    return failure(errc::identity_invalid, "a stored key is not a TPM2B_PUBLIC and TPM2B_PRIVATE");
  }
  ATLS_TRY(const ESYS_TR parent, primary_key(access.parent));
  ESYS_TR handle = ESYS_TR_NONE;
  commands_ += 2;
  const auto code = Esys_Load(esys_, parent, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                              &private_part, &public_part, &handle);
  Esys_FlushContext(esys_, parent);
  if (code != TSS2_RC_SUCCESS) {
    failure f = failed("TPM2_Load", code);
    if (f.code == errc::tpm_failed) {
      f = failure(errc::identity_invalid, f.detail +
                                              "; the stored keys belong to another TPM, or "
                                              "its hierarchies were cleared");
    }
    return f;
  }
  loaded_.push_back(handle);
  return describe_key(handle, access.authorization);
}

result<key_handle> device::open_persistent(std::uint32_t handle, bytes_view authorization) {
  ESYS_TR esys = ESYS_TR_NONE;
  ++commands_;
  const auto code =
      Esys_TR_FromTPMPublic(esys_, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &esys);
  if (code != TSS2_RC_SUCCESS) {
    return failed("TPM2_ReadPublic", code);
  }
  return describe_key(esys, authorization);
}

result<key_handle> device::describe_key(std::uint32_t esys, bytes_view authorization) {
  if (!authorization.empty()) {
    ATLS_TRY(const auto value, filled<TPM2B_AUTH>(authorization));
    if (const auto code = Esys_TR_SetAuth(esys_, esys, &value); code != TSS2_RC_SUCCESS) {
      return failed("Esys_TR_SetAuth", code);
    }
  }
  TPM2B_PUBLIC* public_part = nullptr;
  ++commands_;
  const auto code = Esys_ReadPublic(esys_, esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                    &public_part, nullptr, nullptr);
  const esys_ptr<TPM2B_PUBLIC> owner(public_part);
  if (code != TSS2_RC_SUCCESS) {
    return failed("TPM2_ReadPublic", code);
  }
  key_handle out;
  out.esys = esys;
  out.public_area = marshal(Tss2_MU_TPMT_PUBLIC_Marshal, public_part->publicArea);
  ATLS_TRY(auto parsed, parse_tpm_public(out.public_area, errc::identity_invalid));
  out.spki = std::move(parsed.spki);
  out.is_authorized = !authorization.empty();
  out.has_policy = !parsed.auth_policy.empty();
  return out;
}

result<void> device::make_persistent(const key_handle& key, std::uint32_t handle) {
  ESYS_TR kept = ESYS_TR_NONE;
  ++commands_;
  const auto code = Esys_EvictControl(esys_, ESYS_TR_RH_OWNER, key.esys, ESYS_TR_PASSWORD,
                                      ESYS_TR_NONE, ESYS_TR_NONE, handle, &kept);
  if (code != TSS2_RC_SUCCESS) {
    return failed("TPM2_EvictControl", code, owner_password);
  }
  Esys_TR_Close(esys_, &kept);
  return {};
}

result<void> device::remove_persistent(std::uint32_t handle) {
  ATLS_TRY(const key_handle key, open_persistent(handle));
  ESYS_TR gone = ESYS_TR_NONE;
  ++commands_;
  const auto code = Esys_EvictControl(esys_, ESYS_TR_RH_OWNER, key.esys, ESYS_TR_PASSWORD,
                                      ESYS_TR_NONE, ESYS_TR_NONE, handle, &gone);
  return code == TSS2_RC_SUCCESS ? result<void>()
                                 : failed("TPM2_EvictControl", code, owner_password);
}

void device::flush(const key_handle& key) noexcept {
  ++commands_;
  if (std::erase(loaded_, key.esys) != 0) {
    Esys_FlushContext(esys_, key.esys);
  }
}

result<statement> device::certify(const key_handle& object, const key_handle& signer,
                                  bytes_view qualifying_data) {
  ATLS_TRY(const auto qualifying, filled<TPM2B_DATA>(qualifying_data));
  return authorized(signer.is_authorized ? signer : object, [&]() -> result<statement> {
    ATLS_TRY(const ESYS_TR session, session_for_signer(signer));
    const auto scheme = keys_own_scheme();
    TPM2B_ATTEST* attest = nullptr;
    TPMT_SIGNATURE* signature = nullptr;
    ++commands_;
    const auto code =
        Esys_Certify(esys_, object.esys, signer.esys, session_for_object(object), session,
                     ESYS_TR_NONE, &qualifying, &scheme, &attest, &signature);
    return code == TSS2_RC_SUCCESS ? take_statement(attest, signature)
                                   : result<statement>(failed("TPM2_Certify", code));
  });
}

result<statement> device::quote(const key_handle& signer, const pcr_selection& pcrs,
                                bytes_view qualifying_data) {
  ATLS_TRY(const auto qualifying, filled<TPM2B_DATA>(qualifying_data));
  return authorized(signer, [&]() -> result<statement> {
    ATLS_TRY(const ESYS_TR session, session_for_signer(signer));
    const auto scheme = keys_own_scheme();
    const auto selection = to_tpml(pcrs);
    TPM2B_ATTEST* attest = nullptr;
    TPMT_SIGNATURE* signature = nullptr;
    ++commands_;
    const auto code = Esys_Quote(esys_, signer.esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
                                 &qualifying, &scheme, &selection, &attest, &signature);
    return code == TSS2_RC_SUCCESS ? take_statement(attest, signature)
                                   : result<statement>(failed("TPM2_Quote", code));
  });
}

result<bytes> device::sign(const key_handle& key, tpm_hash hash, bytes_view digest) {
  ATLS_TRY(const auto to_sign, filled<TPM2B_DIGEST>(digest));
  TPMT_SIG_SCHEME scheme{};
  scheme.scheme = TPM2_ALG_ECDSA;
  scheme.details.ecdsa.hashAlg = static_cast<TPMI_ALG_HASH>(hash);
  TPMT_TK_HASHCHECK not_from_tpm{};
  not_from_tpm.tag = TPM2_ST_HASHCHECK;
  not_from_tpm.hierarchy = TPM2_RH_NULL;
  return authorized(key, [&]() -> result<bytes> {
    ATLS_TRY(const ESYS_TR session, session_for_signer(key));
    TPMT_SIGNATURE* signature = nullptr;
    ++commands_;
    const auto code = Esys_Sign(esys_, key.esys, session, ESYS_TR_NONE, ESYS_TR_NONE, &to_sign,
                                &scheme, &not_from_tpm, &signature);
    const esys_ptr<TPMT_SIGNATURE> owner(signature);
    if (code != TSS2_RC_SUCCESS) {
      return failed("TPM2_Sign", code);
    }
    ATLS_TRY(
        const auto parsed,
        parse_tpm_signature(marshal(Tss2_MU_TPMT_SIGNATURE_Marshal, *signature), errc::tpm_failed));
    return parsed.der();
  });
}

result<void> device::extend_pcr(unsigned pcr, tpm_hash bank, bytes_view digest) {
  TPML_DIGEST_VALUES values{};
  values.count = 1;
  values.digests[0].hashAlg = static_cast<TPMI_ALG_HASH>(bank);
  if (digest.size() > sizeof values.digests[0].digest) {
    return failure(errc::tpm_failed, "a digest of " + std::to_string(digest.size()) + " bytes");
  }
  std::memcpy(&values.digests[0].digest, digest.data(), digest.size());
  ++commands_;
  const auto code = Esys_PCR_Extend(esys_, ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                    ESYS_TR_NONE, &values);
  return code == TSS2_RC_SUCCESS ? result<void>() : failed("TPM2_PCR_Extend", code);
}

result<std::map<unsigned, bytes>> device::read_pcrs(const pcr_selection& pcrs) {
  std::map<unsigned, bytes> out;
  pcr_selection left = pcrs;
  while (left.mask != 0) {
    const auto selection = to_tpml(left);
    TPML_PCR_SELECTION* read = nullptr;
    TPML_DIGEST* values = nullptr;
    ++commands_;
    const auto code = Esys_PCR_Read(esys_, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &selection,
                                    nullptr, &read, &values);
    const esys_ptr<TPML_PCR_SELECTION> read_owner(read);
    const esys_ptr<TPML_DIGEST> values_owner(values);
    if (code != TSS2_RC_SUCCESS && (code & TSS2_RC_LAYER_MASK) != 0) {
      return failed("TPM2_PCR_Read", code);
    }
    std::uint32_t got = 0;
    if (code == TSS2_RC_SUCCESS && read->count == 1) {
      for (unsigned byte = 0; byte < 3; ++byte) {
        got |= static_cast<std::uint32_t>(read->pcrSelections[0].pcrSelect[byte]) << (8 * byte);
      }
    }
    if (got == 0 || values->count != static_cast<UINT32>(std::popcount(got))) {
      return failure(errc::tpm_pcr_bank, "PCRs " + to_string(left) + " on " + name_ +
                                             "; \"tpm2_getcap pcrs\" lists the banks there are");
    }
    for (unsigned pcr = 0, i = 0; pcr < 24; ++pcr) {
      if ((got >> pcr & 1) != 0) {
        const auto& value = values->digests[i++];
        out.emplace(pcr, bytes(value.buffer, value.buffer + value.size));
      }
    }
    left.mask &= ~got;
  }
  return out;
}

result<bool> device::in_lockout() {
  TPMI_YES_NO more = 0;
  TPMS_CAPABILITY_DATA* data = nullptr;
  ++commands_;
  const auto code = Esys_GetCapability(esys_, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                       TPM2_CAP_TPM_PROPERTIES, TPM2_PT_PERMANENT, 1, &more, &data);
  const esys_ptr<TPMS_CAPABILITY_DATA> owner(data);
  if (code != TSS2_RC_SUCCESS) {
    return failed("TPM2_GetCapability", code);
  }
  return (data->data.tpmProperties.tpmProperty[0].value & TPMA_PERMANENT_INLOCKOUT) != 0;
}

}  // namespace atls::tpm
