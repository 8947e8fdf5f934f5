#include "core/descriptors.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace atls;

namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

// None is free while it lives.
class exhaustion {
 public:
  exhaustion() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const descriptor lowest_free(::dup(0));
    auto limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(lowest_free.get());
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  ~exhaustion() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("a descriptor is closed once, by its last owner", "[core]") {
  descriptor first(::dup(0));
  const int fd = first.get();
  descriptor second(std::move(first));
  CHECK_FALSE(first);
  first = std::move(second);
  CHECK(is_open(fd));
  { const descriptor last(std::move(first)); }
  CHECK_FALSE(is_open(fd));
}

TEST_CASE("spare descriptors are there when all others are taken", "[core]") {
  spare_descriptors spare(2);
  const exhaustion none_free;
  CHECK_FALSE(descriptor(::dup(0)));
  {
    const auto lent = spare.lend();
    const descriptor one(::dup(0));
    const descriptor two(::dup(0));
    CHECK(one);
    CHECK(two);
    CHECK_FALSE(descriptor(::dup(0)));
  }
  CHECK_FALSE(descriptor(::dup(0)));
  // What could not be taken back is taken the next time.
  descriptor taken;
  {
    const auto lent = spare.lend();
    taken = descriptor(::dup(0));
  }
  taken = {};
  { const auto lent = spare.lend(); }
  CHECK_FALSE(descriptor(::dup(0)));
}
