// How deep the stacks of OpenSSL's jobs (ASYNC_start_job(3)) are used: libcrypto allocates 32 KiB
// for each, without a guard page.
#pragma once

#include <cstddef>

namespace atls::test {

inline constexpr std::size_t job_stack_bytes = 32 * 1024;

/// To be called before anything of OpenSSL is.
void watch_job_stacks();

/// The deepest use, in bytes, of the stacks that were freed (ASYNC_cleanup_thread()) since the last
/// call; 0 if there was none.
std::size_t take_deepest_job_stack();

}  // namespace atls::test
