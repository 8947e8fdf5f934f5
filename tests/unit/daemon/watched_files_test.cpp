#include "atlsd/watched_files.hpp"

#include <fstream>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace atls;

namespace {

// A directory for one test, and how often watched_files says that something has changed.
class watching {
 public:
  watching() { std::filesystem::create_directories(directory); }
  ~watching() { std::filesystem::remove_all(directory); }

  void write(const std::string& name, const std::string& content) const {
    std::ofstream(directory / name) << content;
  }

  void watch(file_digests in_use, std::chrono::milliseconds poll_interval = std::chrono::hours(1)) {
    files.watch(std::move(in_use), poll_interval);
  }

  bool changes_within(std::chrono::milliseconds patience) {
    changed = 0;
    io.restart();
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (changed == 0 && std::chrono::steady_clock::now() < deadline) {
      io.run_one_until(deadline);
    }
    return changed != 0;
  }

  const std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("watched-" + std::to_string(::getpid()));
  boost::asio::io_context io;
  spare_descriptors spare{1};
  int changed = 0;
  watched_files files{io, spare, [this] { ++changed; }};
};

constexpr auto soon = std::chrono::seconds(10);
constexpr auto a_while = std::chrono::milliseconds(600);

}  // namespace

TEST_CASE("a file that changed while it was being loaded has changed", "[daemon]") {
  watching w;
  w.write("loaded", "new");
  w.watch({{w.directory / "loaded", digest_of("old")}});
  CHECK(w.changes_within(soon));
  // It has been told.
  CHECK_FALSE(w.changes_within(a_while));
}

TEST_CASE("files that are as they were loaded have not changed", "[daemon]") {
  watching w;
  w.write("loaded", "same");
  w.write("listed", "");
  w.watch({{w.directory / "loaded", digest_of("same")},
           {w.directory / "absent", ""},
           {w.directory, digest_of_file(w.directory)}});
  CHECK_FALSE(w.changes_within(a_while));
  SECTION("nor when they are touched") {
    w.write("loaded", "same");
    CHECK_FALSE(w.changes_within(a_while));
  }
  SECTION("until one does") {
    w.write("loaded", "other");
    CHECK(w.changes_within(soon));
  }
  SECTION("until one comes") {
    w.write("absent", "");
    CHECK(w.changes_within(soon));
  }
}

TEST_CASE("what others write beside it all the time does not hide a change", "[daemon]") {
  watching w;
  w.write("loaded", "old");
  w.watch({{w.directory / "loaded", digest_of("old")}}, std::chrono::milliseconds(500));
  boost::asio::steady_timer noise(w.io);
  std::function<void()> make_noise = [&] {
    w.write("beside", "noise");
    noise.expires_after(std::chrono::milliseconds(20));
    noise.async_wait([&](auto ec) {
      if (!ec) {
        make_noise();
      }
    });
  };
  make_noise();
  w.write("loaded", "new");
  CHECK(w.changes_within(soon));
}

TEST_CASE("digests of what can and cannot be read", "[daemon]") {
  watching w;
  CHECK(digest_of_file(w.directory / "absent").empty());
  w.write("empty", "");
  CHECK(digest_of_file(w.directory / "empty") == digest_of(""));
  const auto before = digest_of_file(w.directory);
  w.write("empty", "no more");
  CHECK(digest_of_file(w.directory) == before);
  w.write("another", "");
  CHECK(digest_of_file(w.directory) != before);
}
