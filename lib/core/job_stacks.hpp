// The stacks of libcrypto's jobs (ASYNC_start_job), with room to spare and a guard below. libcrypto
// takes 32 KiB of its allocator for each, with the heap next to it: a frame too many would go
// unnoticed into what others own.
#pragma once

#include <cstddef>

namespace atls::job_stacks {

/// What libcrypto asks its allocator for (openssl: crypto/async/arch/async_posix.c, STACKSIZE).
inline constexpr std::size_t bytes = 32 * 1024;

/// Address space for this many stacks at a time; no memory yet. At most once, before take().
/// Without it, or where there is none, take() has none to give.
void reserve(std::size_t most) noexcept;

/// A stack's last `bytes`, which it is used from the end of; below are 96 KiB more, and then 64 KiB
/// that end the process. Null if all are taken. From any thread.
void* take() noexcept;

/// Whether `block` came from take().
bool holds(const void* block) noexcept;

/// Takes back what came from take(). From any thread.
void give_back(void* block) noexcept;

}  // namespace atls::job_stacks
