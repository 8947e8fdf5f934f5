// One TLS handshake without a socket: records in, records out. It runs in an ASYNC_JOB and is
// suspended while the TPM or the Verifier works.
#pragma once

#include "core/buffers.hpp"
#include "tls/context.hpp"
#include "tls/handshake.hpp"
#include "tls/record_layer.hpp"

#include <functional>

typedef struct async_job_st ASYNC_JOB;
typedef struct async_wait_ctx_st ASYNC_WAIT_CTX;

namespace atls::tls {

/// All calls from one thread: a job resumes on the thread that started it.
class engine {
 public:
  enum class step {
    done,
    /// Give it records, then call again.
    needs_input,
    /// Call again after `on_resumable`.
    suspended,
    failed
  };

  /// Consumes `input`, of which bytes behind the handshake are left. `on_resumable` is called from
  /// any thread, and must not call back into the engine. `source` and `input` must outlive it.
  engine(const context& source, receive_buffer& input, std::function<void()> on_resumable);
  /// Unwinds a suspended handshake.
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  /// Goes on with the handshake as far as it can.
  step advance();
  /// Why it failed.
  const failure& why_failed() const noexcept { return failure_; }
  /// Records for the peer, those of a failure included.
  bytes take_output() noexcept { return std::exchange(output_, bytes()); }

  handshake& attestation() noexcept { return handshake_; }
  /// After `done`: what carries on.
  record_layer establish() const;
  /// Whether the peer's first record after the handshake may be a ticket, for take_ticket().
  bool awaits_ticket() const noexcept;
  /// Keeps the session of a ticket; any other record is ignored.
  void take_ticket(bytes_view record);

 private:
  static int bio_read(BIO* bio, char* to, int size) noexcept;
  static int bio_write(BIO* bio, const char* from, int size) noexcept;
  static long bio_control(BIO* bio, int command, long number, void* pointer) noexcept;
  static const BIO_METHOD* bio_method();
  static int run_handshake(void* self) noexcept;
  step finish_step(int outcome);

  const context& source_;
  receive_buffer& input_;
  ssl_ptr ssl_;
  handshake handshake_;
  std::function<void()> on_resumable_;
  ASYNC_WAIT_CTX* wait_context_ = nullptr;
  ASYNC_JOB* job_ = nullptr;
  failure failure_;
  bytes output_;
};

}  // namespace atls::tls
