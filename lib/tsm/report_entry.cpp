#include "tsm/report_entry.hpp"

#include "core/descriptors.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace atls::tsm {
namespace {

namespace fs = std::filesystem;

/// Blobs of newer kernels may have 16 MiB; what a peer would take is far less.
constexpr std::size_t longest_attribute = 1u << 20;

/// An errno, and what was done.
struct system_failure {
  system_failure() = default;
  system_failure(int e, fs::path f) : number(e), file(std::move(f)) {}

  int number = 0;
  fs::path file;
};

bool is_passing(int number) {
  return number == EBUSY || number == EAGAIN || number == EINTR;
}

// What an operator can do about it.
failure explained(const system_failure& why) {
  const auto where = why.file.string() + ": " + std::strerror(why.number);
  switch (why.number) {
    case ETIMEDOUT:
      return {errc::tsm_timeout, where + ": the host did not answer"};
    case ENOTTY:
      return {errc::tsm_unavailable,
              where +
                  ": this guest's key to its firmware is wiped (after a request that the host "
                  "did not answer) until the machine boots again"};
    case ENXIO:
      return {errc::tsm_unavailable,
              where + ": no provider; is the module sev-guest, tdx-guest or arm-cca-guest loaded?"};
    case ENOENT:
      return {errc::tsm_unavailable,
              where + ": expected configfs-tsm of a confidential VM (Linux 6.7 or later)"};
    case EACCES:
    case EPERM:
    case EROFS:
      return {errc::tsm_unavailable,
              where + ": root can prepare an entry for this user (\"entry\"; tmpfiles.d)"};
    case EINVAL:
      return {errc::tsm_failed, where + ": refused; under an SVSM \"privlevel\" must be its floor"};
    default:
      return {errc::tsm_failed, where};
  }
}

template <class T>
using outcome = boost::system::result<T, system_failure>;

outcome<bytes> read_attribute(const fs::path& file) {
  const descriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened) {
    return system_failure{errno, file};
  }
  bytes out;
  std::array<std::uint8_t, 4096> chunk{};
  // Their size is 0 whatever they hold.
  for (;;) {
    const auto count = ::read(opened.get(), chunk.data(), chunk.size());
    if (count < 0) {
      return system_failure{errno, file};
    }
    if (count == 0) {
      return out;
    }
    append(out, bytes_view(chunk).first(static_cast<std::size_t>(count)));
    if (out.size() > longest_attribute) {
      return system_failure{EFBIG, file};
    }
  }
}

// In one write: what takes effect is what the last close(2) finds, and nobody is told of its
// errors.
outcome<void> write_attribute(const fs::path& file, bytes_view content) {
  const descriptor opened(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!opened) {
    return system_failure{errno, file};
  }
  const auto count = ::write(opened.get(), content.data(), content.size());
  if (count != static_cast<ssize_t>(content.size())) {
    return system_failure{count < 0 ? errno : EIO, file};
  }
  return {};
}

outcome<std::string> read_line(const fs::path& file) {
  ATLS_TRY(const auto content, read_attribute(file));
  const auto text = as_text(content);
  return std::string(text.substr(0, text.find('\n')));
}

outcome<std::uint64_t> read_number(const fs::path& file) {
  ATLS_TRY(const auto line, read_line(file));
  const auto number = parse_number(line, ~std::uint64_t{0});
  return number ? outcome<std::uint64_t>(*number) : system_failure{EIO, file};
}

// EAGAIN: another request came between, and would be answered in place of this one.
outcome<tsm_report> collect_once(const fs::path& directory, bytes_view report_data) {
  const auto generation = directory / "generation";
  ATLS_TRY(const auto before, read_number(generation));
  ATLS_CHECK(write_attribute(directory / "inblob", report_data));
  const auto check_undisturbed = [&]() -> outcome<void> {
    ATLS_TRY(const auto now, read_number(generation));
    return now == before + 1 ? outcome<void>() : system_failure{EAGAIN, generation};
  };
  ATLS_CHECK(check_undisturbed());
  tsm_report out;
  { ATLS_TRY(out.outblob, read_attribute(directory / "outblob")); }
  auto by_host = read_attribute(directory / "auxblob");
  if (by_host) {
    out.auxblob = std::move(*by_host);
  } else if (by_host.error().number != ENOENT) {
    return by_host.error();
  }
  ATLS_CHECK(check_undisturbed());
  return out;
}

// Not shared even with a predecessor in this process that is not gone yet.
std::string name_of_own() {
  static std::atomic<unsigned> count = 0;
  return "atlsd-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

}  // namespace

report_entry::report_entry(fs::path directory, bool is_own)
    : directory_(std::move(directory)), is_own_(is_own) {}

report_entry::~report_entry() {
  // It has files that cannot be unlinked: the kernel takes them with it.
  if (is_own_) {
    ::rmdir(directory_.c_str());
  }
}

result<std::unique_ptr<report_entry>> report_entry::open(const entry_options& options) {
  const bool is_own = options.entry.empty();
  const auto directory = options.root / (is_own ? name_of_own() : options.entry);
  if (is_own && ::mkdir(directory.c_str(), 0700) != 0) {
    return explained({errno, directory});
  }
  std::unique_ptr<report_entry> out(new report_entry(directory, is_own));
  auto provider = read_line(directory / "provider");
  if (!provider) {
    return explained(provider.error());
  }
  out->provider_ = std::move(*provider);
  ATLS_CHECK(out->set_privlevel(options.privlevel));
  return out;
}

// SNP's VMPL. Below the floor, which is the guest's own, the firmware refuses.
result<void> report_entry::set_privlevel(const std::optional<unsigned>& wanted) const {
  const auto floor = read_number(directory_ / "privlevel_floor");
  if (!floor && floor.error().number != ENOENT) {
    return explained(floor.error());
  }
  if (wanted && (!floor || *wanted < *floor)) {
    return failure(errc::tsm_failed,
                   "\"privlevel\" is " + std::to_string(*wanted) + ", expected " +
                       (floor ? "at least " + std::to_string(*floor) + " (privlevel_floor)"
                              : "none: provider " + provider_ + " has no such levels"));
  }
  // Level 0 is what the kernel asks for by itself.
  const auto level = wanted ? *wanted : floor ? *floor : 0;
  const auto text = std::to_string(level);
  if (const auto done =
          level == 0 ? outcome<void>() : write_attribute(directory_ / "privlevel", as_bytes(text));
      !done) {
    return explained(done.error());
  }
  return {};
}

result<tsm_report> report_entry::collect(bytes_view report_data, steady_time deadline) const {
  using std::chrono::milliseconds;
  constexpr milliseconds longest_pause{500};
  for (milliseconds pause{10};; pause = std::min(2 * pause, longest_pause)) {
    auto report = collect_once(directory_, report_data);
    if (report && report->outblob.empty()) {
      return failure(errc::tsm_failed,
                     (directory_ / "outblob").string() + " is empty: the platform made no report");
    }
    if (report) {
      report->provider = provider_;
      return std::move(*report);
    }
    if (!is_passing(report.error().number)) {
      return explained(report.error());
    }
    if (std::chrono::steady_clock::now() + pause > deadline) {
      return failure(errc::tsm_timeout, directory_.string() + " was busy until the deadline");
    }
    std::this_thread::sleep_for(pause);
  }
}

result<void> report_entry::check() const {
  const auto provider = read_line(directory_ / "provider");
  return provider ? result<void>() : explained(provider.error());
}

}  // namespace atls::tsm
