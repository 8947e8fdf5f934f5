// What the files of this folder share: the provider's context, its keys, and the tables that
// OpenSSL calls through. Every function behind a table is noexcept and reports to OpenSSL's queue.
#pragma once

#include "provider/services.hpp"

#include <atomic>
#include <mutex>
#include <unistd.h>

#include <openssl/core.h>
#include <openssl/core_dispatch.h>

namespace atls::provider {

/// What one process works with. A forked child has its parent's memory without its threads, and
/// locks in whatever state they were: it begins anew and leaves its parent's as it is.
struct process {
  const pid_t id = ::getpid();
  std::mutex mutex;
  std::shared_ptr<const attestation_services> services;  // under the mutex
};

struct context {
  context() = default;
  context(const context&) = delete;
  context& operator=(const context&) = delete;
  ~context();

  const OSSL_CORE_HANDLE* core = nullptr;
  OSSL_FUNC_core_get_params_fn* get_params = nullptr;
  OSSL_FUNC_core_get_libctx_fn* get_library = nullptr;
  OSSL_FUNC_core_new_error_fn* new_error = nullptr;
  OSSL_FUNC_core_vset_error_fn* vset_error = nullptr;

  /// The services given at load time, or made from the settings at first use in this process.
  /// Throws atls::error.
  std::shared_ptr<const attestation_services> services();
  process& this_process();

  /// Lets `default` stand before us for the algorithm names that we share with it. Before anybody
  /// fetches ours.
  void step_back() noexcept;

  /// Puts the failure on OpenSSL's error queue: the errc is the reason, its detail the data.
  void raise(const failure& why) const noexcept;

  std::atomic<process*> newest = new process;
  std::atomic<bool> settled = false;
  /// KEYMGMT and SIGNATURE have been asked for once.
  std::atomic<bool> asked_keymgmt = false;
  std::atomic<bool> asked_signature = false;
};

/// The most Evidence that `sign` of an ATTESTATION key gives; callers allocate it.
inline constexpr int max_evidence_bytes = 16 * 1024;

/// The key object of both key types.
struct key {
  context* provider;
  /// What it was loaded with: to look at, in a forked child too.
  std::shared_ptr<const attestation_services> services;
  pid_t loaded_by = ::getpid();

  /// To work with: those services, in a forked child its own. Throws atls::error.
  std::shared_ptr<const attestation_services> working_services() const;
};

/// KEYMGMT's load: takes the key out of the slot that the STORE's reference points to.
void* adopt_key(const void* reference, std::size_t size) noexcept;
/// KEYMGMT's free.
void release_key(void* k) noexcept;

inline context& to_context(void* p) {
  return *static_cast<context*>(p);
}
inline key& to_key(void* p) {
  return *static_cast<key*>(p);
}
inline const key& to_key(const void* p) {
  return *static_cast<const key*>(p);
}

/// One entry of a dispatch table; does not compile if `function` is not of the type `Fn`.
template <class Fn>
OSSL_DISPATCH entry(int id, std::type_identity_t<Fn>* function) {
  return {id, reinterpret_cast<void (*)(void)>(function)};
}

/// Services from openssl.cnf and the environment (ATLS_TCTI, ...). They end in the process that
/// made them only: a forked child has no threads to end.
result<std::shared_ptr<const attestation_services>> services_from_settings(const context& provider);

const OSSL_DISPATCH* store_functions();
const OSSL_DISPATCH* tik_keymgmt_functions();
const OSSL_DISPATCH* tik_signature_functions();
const OSSL_DISPATCH* attestation_keymgmt_functions();
const OSSL_DISPATCH* attestation_signature_functions();

/// OSSL_provider_init_fn.
int initialize(const OSSL_CORE_HANDLE* core, const OSSL_DISPATCH* in, const OSSL_DISPATCH** out,
               void** provider_context) noexcept;

/// An exception must not cross into OpenSSL: runs `body`, raises what it throws, gives `otherwise`.
template <class Body, class Result>
Result guarded(const context& provider, Result otherwise, Body body) noexcept {
  try {
    return body();
  } catch (const error& e) {
    provider.raise(e.why());
  } catch (const std::exception& e) {
    provider.raise({errc::internal, e.what()});
  }
  return otherwise;
}

}  // namespace atls::provider
