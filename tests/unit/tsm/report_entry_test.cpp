// What needs no kernel; what does is tests/integration/test_confidential_vms.py.
#include "tsm/report_entry.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>

using namespace atls;

namespace {

struct temporary_directory {
  temporary_directory() { std::filesystem::create_directories(path); }
  ~temporary_directory() { std::filesystem::remove_all(path); }

  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("tsm-" + std::to_string(::getpid()));
};

}  // namespace

TEST_CASE("a machine without configfs-tsm says what it would take", "[tsm]") {
  const temporary_directory here;
  const auto found = tsm::report_entry::open({.root = here.path / "none"});
  REQUIRE(found.has_error());
  CHECK(found.error().code == errc::tsm_unavailable);
  CHECK_THAT(found.error().detail, Catch::Contains("expected configfs-tsm"));
}

TEST_CASE("a directory that is not the kernel's is left as it was", "[tsm]") {
  const temporary_directory here;
  const auto found = tsm::report_entry::open({.root = here.path});
  REQUIRE(found.has_error());
  CHECK(found.error().code == errc::tsm_unavailable);
  CHECK(std::filesystem::is_empty(here.path));
}
