#include "core/job_stacks.hpp"

#include <csignal>
#include <cstring>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace atls;

namespace {

constexpr std::size_t room = 128 * 1024;
constexpr std::size_t guard = 64 * 1024;

// Whether a process survives writing `depth` bytes below the end of a stack.
bool can_be_used(void* stack, std::size_t depth) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGSEGV, SIG_DFL);
    const rlimit none{};
    ::setrlimit(RLIMIT_CORE, &none);
    *(static_cast<volatile char*>(stack) + job_stacks::bytes - depth) = 1;
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status);
}

}  // namespace

TEST_CASE("a job's stack has room to spare, and a guard below", "[core]") {
  job_stacks::reserve(2);
  void* const one = job_stacks::take();
  void* const other = job_stacks::take();
  REQUIRE(one != nullptr);
  REQUIRE(other != nullptr);
  CHECK(job_stacks::take() == nullptr);
  CHECK(job_stacks::holds(one));
  CHECK_FALSE(job_stacks::holds(&one));
  for (void* const stack : {one, other}) {
    CHECK(can_be_used(stack, room));
    CHECK_FALSE(can_be_used(stack, room + 1));
    CHECK_FALSE(can_be_used(stack, room + guard));
  }
  std::memset(one, 1, job_stacks::bytes);
  job_stacks::give_back(one);
  CHECK(job_stacks::take() == one);
}
