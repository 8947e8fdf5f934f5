// One TLS connection without a socket: records in, records out. The handshake runs in an ASYNC_JOB
// and is suspended while the TPM or the Verifier works.
#pragma once

#include "core/buffers.hpp"
#include "tls/context.hpp"
#include "tls/handshake.hpp"

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

  /// `on_resumable` is called from any thread, and must not call back into the engine. `source`
  /// must outlive the engine.
  engine(const context& source, std::function<void()> on_resumable);
  /// Unwinds a suspended handshake.
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  /// Goes on with the handshake as far as it can.
  step advance_handshake();
  /// Why it failed.
  failure handshake_failure() const;
  handshake& attestation() noexcept { return handshake_; }

  /// Room for bytes from the peer, then how many were put there. Only after needs_input, or when
  /// read() gave 0: whatever was there before has been taken.
  std::span<std::uint8_t> input_space();
  void input_filled(std::size_t size) noexcept { input_end_ = size; }

  bool has_output() const noexcept { return !output_.empty(); }
  /// Records for the peer; return_pooled_bytes() when they are sent.
  bytes take_output() noexcept { return std::exchange(output_, bytes()); }

  /// Decrypts into `to`: how many bytes; 0 if more input is needed or the stream has ended.
  result<std::size_t> read(std::span<std::uint8_t> to);
  /// The peer sent close_notify.
  bool peer_finished() const noexcept;
  /// Encrypts all of `from` into the output.
  result<void> write(bytes_view from);
  /// Ends our direction: close_notify into the output.
  void finish();

 private:
  static int bio_read(BIO* bio, char* to, int size) noexcept;
  static int bio_write(BIO* bio, const char* from, int size) noexcept;
  static long bio_control(BIO* bio, int command, long number, void* pointer) noexcept;
  static const BIO_METHOD* bio_method();
  static int run_handshake(void* self) noexcept;
  step finish_step(int outcome);

  ssl_ptr ssl_;
  handshake handshake_;
  std::function<void()> on_resumable_;
  ASYNC_WAIT_CTX* wait_context_ = nullptr;
  ASYNC_JOB* job_ = nullptr;
  failure failure_;

  read_buffer input_;
  std::size_t input_begin_ = 0;
  std::size_t input_end_ = 0;
  bytes output_;
};

}  // namespace atls::tls
