// What the running process may still do: as little as its configuration needs. Where the kernel
// lacks a means, the others are taken.
#pragma once

#include "atlsd/config.hpp"

namespace atls::sandbox {

/// Before any thread starts, after what needs privileges: no capability, no new privileges, no core
/// dump, no tracing by other processes, and of the file system only what the configuration names
/// and what the system's libraries read (Landlock). What later reloads name must lie in the same
/// directories. The text says what there is, such as "Landlock ABI 7"; throws atls::error if the
/// kernel has something and it cannot be used.
std::string confine_files(const config& from);

/// After all files and threads of the start: system calls of a network server and no others, for
/// all threads (seccomp(2)).
std::string confine_system_calls();

}  // namespace atls::sandbox
