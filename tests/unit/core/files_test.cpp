#include "core/files.hpp"

#include <algorithm>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace atls;
namespace fs = std::filesystem;

namespace {

// A directory of the test's own, empty at first.
class scratch {
 public:
  scratch() {
    std::string name = (fs::temp_directory_path() / "files-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~scratch() { fs::remove_all(path_); }
  fs::path operator/(const char* name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(path_)) {
      out.push_back(entry.path().filename());
    }
    std::ranges::sort(out);
    return out;
  }

 private:
  fs::path path_;
};

using names = std::vector<std::string>;

std::string content_of(const fs::path& file) {
  return read_file(file, errc::internal).value();
}

}  // namespace

TEST_CASE("a file is written as a whole, with its mode", "[core][files]") {
  const scratch at;
  REQUIRE(write_file(at / "file", "first", 0644).has_value());
  const auto mask = ::umask(0077);
  REQUIRE(write_file(at / "file", std::string(1 << 20, 'x'), 0640).has_value());
  ::umask(mask);
  CHECK(content_of(at / "file") == std::string(1 << 20, 'x'));
  CHECK(fs::status(at / "file").permissions() == fs::perms(0640));
  CHECK(at.names() == names{"file"});
  CHECK(write_file(at / "none/file", "x", 0644).has_error());
}

TEST_CASE("what is no regular file is left alone", "[core][files]") {
  const scratch at;
  REQUIRE(write_file(at / "precious", "precious", 0600).has_value());
  fs::create_symlink(at / "precious", at / "link");
  REQUIRE(::mkfifo((at / "pipe").c_str(), 0600) == 0);
  fs::create_directory(at / "directory");
  const auto before = at.names();
  for (const auto* name : {"link", "pipe", "directory"}) {
    INFO(name);
    const auto written = write_file(at / name, "x", 0644);
    REQUIRE(written.has_error());
    CHECK(written.error().detail.find("is not a regular file") != std::string::npos);
  }
  CHECK(at.names() == before);
  CHECK(fs::is_symlink(at / "link"));
  CHECK(content_of(at / "precious") == "precious");
  CHECK(fs::status(at / "precious").permissions() == fs::perms(0600));
}

TEST_CASE("no name that a file passes through can be known before", "[core][files]") {
  const scratch at;
  const auto where = held_directory::open(at.path()).value();
  names passed;
  for (int i = 0; i < 2; ++i) {
    staged_files files(where);
    REQUIRE(files.add("file", "x", 0644).has_value());
    const auto now = at.names();
    passed.insert(passed.end(), now.begin(), now.end());
  }
  REQUIRE(passed.size() == 2);
  CHECK(passed[0] != passed[1]);
  CHECK(std::ranges::find(passed, "file") == passed.end());
  CHECK(at.names().empty());
}

TEST_CASE("staged files appear together or not at all", "[core][files]") {
  const scratch at;
  const auto where = held_directory::open(at.path()).value();
  {
    staged_files files(where);
    REQUIRE(files.add("a", "1", 0644).has_value());
    REQUIRE(files.add("b", "2", 0600).has_value());
    CHECK_FALSE(fs::exists(at / "a"));
    REQUIRE(files.commit().has_value());
  }
  CHECK(at.names() == names{"a", "b"});
  {
    staged_files files(where);
    REQUIRE(files.add("c", "3", 0644).has_value());
    REQUIRE(files.add("d", "4", 0644).has_value());
    fs::create_directory(at / "d");  // a file cannot take its place
    CHECK(files.commit().has_error());
  }
  CHECK(at.names() == names{"a", "b", "d"});
  CHECK(fs::is_directory(at / "d"));
}

TEST_CASE("files go into the directory that was opened, whatever has its name now",
          "[core][files]") {
  const scratch at;
  fs::create_directory(at / "state");
  fs::create_directory(at / "elsewhere");
  const auto where = held_directory::open(at / "state").value();
  staged_files files(where);
  REQUIRE(files.add("a", "1", 0644).has_value());
  fs::rename(at / "state", at / "moved");
  fs::create_symlink(at / "elsewhere", at / "state");
  REQUIRE(files.commit().has_value());
  CHECK(content_of(at / "moved/a") == "1");
  CHECK(fs::is_empty(at / "elsewhere"));
}

TEST_CASE("one at a time holds a directory's lock", "[core][files]") {
  const scratch at;
  const auto other = held_directory::open(at.path()).value();
  {
    const auto first = held_directory::open(at.path()).value();
    REQUIRE(first.lock().has_value());
    CHECK(other.lock().error().code == errc::state_busy);
  }
  CHECK(other.lock().has_value());
}

TEST_CASE("a directory that was removed meanwhile cannot be locked", "[core][files]") {
  const scratch at;
  fs::create_directory(at / "state");
  const auto late = held_directory::open(at / "state").value();
  fs::remove(at / "state");
  CHECK(late.lock().error().code == errc::state_busy);
}
