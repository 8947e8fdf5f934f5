#include "atlsd/sandbox.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <set>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace atls::sandbox {
namespace {

// Rights that are younger than Debian 12's header (landlock(7)).
constexpr std::uint64_t fs_truncate = 1ull << 14;   // ABI 3
constexpr std::uint64_t fs_ioctl_dev = 1ull << 15;  // ABI 5

constexpr std::uint64_t may_read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t may_use_device =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr std::uint64_t may_ask_for_reports = may_read | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                              LANDLOCK_ACCESS_FS_MAKE_DIR |
                                              LANDLOCK_ACCESS_FS_REMOVE_DIR;
constexpr std::uint64_t may_keep_files = may_read | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                         LANDLOCK_ACCESS_FS_MAKE_REG |
                                         LANDLOCK_ACCESS_FS_REMOVE_FILE | fs_truncate;
constexpr std::uint64_t may_keep_sockets =
    may_read | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE;

[[noreturn]] void fail(const std::string& what, int number = errno) {
  throw error({errc::internal, "sandbox: " + what + ": " + std::strerror(number)});
}

std::uint64_t rights_of(long abi) {
  std::uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
  all |= abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
  all |= abi >= 3 ? fs_truncate : 0;
  all |= abi >= 5 ? fs_ioctl_dev : 0;
  return all;
}

class ruleset {
 public:
  explicit ruleset(long abi) : handled_(rights_of(abi)) {
    const landlock_ruleset_attr attributes{.handled_access_fs = handled_};
    fd_ =
        static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0));
    if (fd_ < 0) {
      fail("Landlock");
    }
  }
  ~ruleset() { ::close(fd_); }
  ruleset(const ruleset&) = delete;
  ruleset& operator=(const ruleset&) = delete;

  /// What is not there needs no right.
  void allow(const std::filesystem::path& path, std::uint64_t rights) {
    const int fd = ::open(path.c_str(), O_PATH | O_CLOEXEC);
    if (fd < 0) {
      return;
    }
    std::error_code ec;
    if (!std::filesystem::is_directory(path, ec)) {
      rights &= may_use_device;
    }
    const landlock_path_beneath_attr rule{.allowed_access = rights & handled_, .parent_fd = fd};
    const auto added = ::syscall(SYS_landlock_add_rule, fd_, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    ::close(fd);
    if (added != 0) {
      fail("Landlock, " + path.string());
    }
  }

  void enforce() {
    if (::syscall(SYS_landlock_restrict_self, fd_, 0) != 0) {
      fail("Landlock");
    }
  }

 private:
  const std::uint64_t handled_;
  int fd_ = -1;
};

std::filesystem::path directory_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

// Besides its own: what libc, OpenSSL and tpm2-tss read while a server runs.
constexpr const char* systems_own[] = {"/etc",
                                       "/usr/lib",
                                       "/lib",
                                       "/usr/share/ca-certificates",
                                       "/usr/local/share/ca-certificates",
                                       "/usr/share/zoneinfo",
                                       "/run/systemd/resolve",
                                       "/proc/self",
                                       "/dev/urandom",
                                       "/dev/random"};

void allow_what_it_names(const config& from, ruleset& rules) {
  std::set<std::filesystem::path> readable{
      directory_of(std::filesystem::canonical("/proc/self/exe"))};
  for (const auto& file : from.files()) {
    readable.insert(directory_of(file));
    std::error_code ec;
    if (const auto target = std::filesystem::canonical(file, ec); !ec) {
      readable.insert(directory_of(target));
    }
  }
  if (!from.include.empty()) {
    readable.insert(from.include);
  }
  for (const auto& directory : readable) {
    rules.allow(directory, may_read);
  }
  auto sockets = std::vector{from.admin.listen};
  for (const auto& t : from.tunnels) {
    sockets.push_back(t.listen);
  }
  for (const auto& one : sockets) {
    if (one.kind == proxy::address::scheme::unix_socket && one.host.starts_with('/')) {
      rules.allow(directory_of(one.host), may_keep_sockets);
    }
  }
  if (const auto& tsm = from.identity.tsm) {
    rules.allow(tsm->entry.root / tsm->entry.entry, may_ask_for_reports);
  }
  // What endorses an Azure VM's hardware is kept there.
  if (from.identity.azure) {
    rules.allow(from.identity.tpm->state_dir, may_keep_files);
  }
  constexpr std::string_view device = "device:";
  if (from.identity.tpm && from.identity.tpm->tcti.starts_with(device)) {
    rules.allow(from.identity.tpm->tcti.substr(device.size()), may_use_device);
  }
}

void drop_capabilities() {
  using capabilities = std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)>;
  const capabilities none(cap_init(), cap_free);
  const capabilities present(cap_get_proc(), cap_free);
  if (!none || !present ||
      (cap_compare(none.get(), present.get()) != 0 && cap_set_proc(none.get()) != 0)) {
    fail("capabilities");
  }
}

// A network server's. Threads are made, processes are not.
constexpr const char* allowed_calls[] = {
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "sendto",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "sendmmsg",
    "recvmmsg",
    "socket",
    "socketpair",
    "bind",
    "listen",
    "accept",
    "accept4",
    "connect",
    "getsockname",
    "getpeername",
    "setsockopt",
    "getsockopt",
    "shutdown",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "eventfd2",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "inotify_init1",
    "inotify_add_watch",
    "inotify_rm_watch",
    "signalfd4",
    "open",
    "openat",
    "close",
    "close_range",
    "stat",
    "fstat",
    "lstat",
    "newfstatat",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "lseek",
    "fcntl",
    "dup",
    "dup2",
    "dup3",
    "pipe",
    "pipe2",
    "mkdir",
    "rmdir",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "chmod",
    "fchmod",
    "fchmodat",
    "getcwd",
    "fstatfs",
    "statfs",
    "ioctl",
    "mmap",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "brk",
    "futex",
    "membarrier",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "exit",
    "exit_group",
    "gettid",
    "getpid",
    "getppid",
    "sched_yield",
    "sched_getaffinity",
    "getcpu",
    "nanosleep",
    "clock_nanosleep",
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "getrandom",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "sigaltstack",
    "restart_syscall",
    "uname",
    "sysinfo",
    "getrusage",
    "getrlimit",
    "prlimit64",
    "times",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "prctl",
    "capget",
#ifdef ATLS_SANITIZED
    // LeakSanitizer's, at the end.
    "clone",
    "getdents",
    "ptrace",
    "wait4",
    "sched_setaffinity",
    "arch_prctl",
    "process_vm_readv",
#endif
};

void check(int outcome) {
  if (outcome < 0) {
    fail("seccomp", -outcome);
  }
}

}  // namespace

std::string confine_files(const config& from) {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
      ::setrlimit(RLIMIT_CORE, &none) != 0) {
    fail("prctl");
  }
  std::string report = "no capabilities, no core dumps";
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi > 0) {
    ruleset rules(abi);
    for (const char* path : systems_own) {
      rules.allow(path, may_read);
    }
    allow_what_it_names(from, rules);
    rules.enforce();
    report += ", Landlock ABI " + std::to_string(abi);
  } else {
    // Without it in the kernel, or whoever started this allows no more sandboxes.
    report += std::string(", no Landlock: ") + std::strerror(errno);
  }
  drop_capabilities();
  return report;
}

std::string confine_system_calls() {
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)),
                                                                seccomp_release);
  if (!filter) {
    return "no seccomp in this kernel";
  }
  for (const char* name : allowed_calls) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number != __NR_SCMP_ERROR) {
      check(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, number, 0));
    }
  }
#ifndef ATLS_SANITIZED
  // Threads only. clone3's flags are out of a filter's sight: libc takes clone instead.
  check(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                         SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)));
#endif
  check(seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
  // abort(3) of this process.
  check(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                         SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid()))));
  check(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1));
  check(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));
  const int loaded = seccomp_load(filter.get());
  if (loaded == -EPERM || loaded == -ENOSYS || loaded == -EINVAL) {
    return std::string("no seccomp: ") + std::strerror(-loaded);
  }
  check(loaded);
  return "system calls filtered (seccomp)";
}

}  // namespace atls::sandbox
