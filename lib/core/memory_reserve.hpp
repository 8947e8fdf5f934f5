// Memory that is given up when there is no more, so that what is under way can end in order: Asio
// and nlohmann_json terminate the process where they cannot have the little that an end takes.
#pragma once

#include <cstddef>

namespace atls::memory_reserve {

/// What libcrypto and libssl allocate gives the reserve up, too. Before either has allocated
/// anything (CRYPTO_set_mem_functions(3)): the first thing in main(). The stacks of its jobs are
/// those of core/job_stacks.hpp.
void serve_libcrypto() noexcept;

/// From now on (std::set_new_handler); at most once, before threads start. Throws std::bad_alloc.
void hold(std::size_t bytes);

/// Whether the reserve is there, or could be taken again: nothing new should be begun while it is
/// not. True without hold(). From any thread.
bool is_there() noexcept;

}  // namespace atls::memory_reserve
