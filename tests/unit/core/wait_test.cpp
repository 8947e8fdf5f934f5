#include "core/wait.hpp"

#include <sys/select.h>
#include <thread>

#include <catch2/catch.hpp>
#include <openssl/async.h>

using namespace atls;
using namespace std::chrono_literals;

namespace {

struct job_input {
  pending<int>* answer;
  result<int>* seen;
};

int wait_in_job(void* argument) {
  const auto& input = *static_cast<job_input*>(argument);
  *input.seen = input.answer->wait(std::chrono::steady_clock::now() + 5s, errc::tpm_timeout);
  return 1;
}

// Runs wait_in_job until it pauses or ends.
int start(ASYNC_JOB*& job, ASYNC_WAIT_CTX* context, job_input& input) {
  int outcome = 0;
  return ASYNC_start_job(&job, context, &outcome, wait_in_job, &input, sizeof input);
}

}  // namespace

TEST_CASE("outside a job a wait blocks until the answer or the deadline", "[core][threads]") {
  pending<int> answer;
  std::thread other([&] { answer.complete(7); });
  CHECK(answer.wait(std::chrono::steady_clock::now() + 5s, errc::tpm_timeout).value() == 7);
  other.join();

  pending<int> never;
  const auto late = never.wait(std::chrono::steady_clock::now() + 10ms, errc::tpm_timeout);
  CHECK(late.error().code == errc::tpm_timeout);
}

TEST_CASE("an answer in the moment of the deadline is the answer or too late", "[core][threads]") {
  for (int i = 0; i < 200; ++i) {
    const auto answer = std::make_shared<pending<int>>();
    std::thread other([answer, i] {
      std::this_thread::sleep_for(std::chrono::microseconds(i));
      answer->complete(i);
    });
    const auto deadline = std::chrono::steady_clock::now() + 100us;
    const auto seen = answer->wait(deadline, errc::tpm_timeout);
    CHECK((seen ? *seen == i : seen.error().code == errc::tpm_timeout));
    other.join();
  }
}

TEST_CASE("inside a job a wait pauses it and the callback says when to resume", "[core]") {
  pending<int> answer;
  result<int> seen = failure(errc::internal);
  job_input input{&answer, &seen};
  ASYNC_JOB* job = nullptr;
  ASYNC_WAIT_CTX* context = ASYNC_WAIT_CTX_new();
  int woken = 0;
  ASYNC_WAIT_CTX_set_callback(
      context, [](void* count) { return ++*static_cast<int*>(count); }, &woken);

  CHECK(start(job, context, input) == ASYNC_PAUSE);
  CHECK(start(job, context, input) == ASYNC_PAUSE);  // resumed too early: pauses again
  CHECK(woken == 0);
  answer.complete(9);
  CHECK(woken == 1);
  CHECK(start(job, context, input) == ASYNC_FINISH);
  CHECK(seen.value() == 9);
  ASYNC_WAIT_CTX_free(context);
  ASYNC_cleanup_thread();
}

TEST_CASE("a job without a callback is told by a file descriptor", "[core]") {
  pending<int> answer;
  result<int> seen = failure(errc::internal);
  job_input input{&answer, &seen};
  ASYNC_JOB* job = nullptr;
  ASYNC_WAIT_CTX* context = ASYNC_WAIT_CTX_new();

  REQUIRE(start(job, context, input) == ASYNC_PAUSE);
  OSSL_ASYNC_FD fd = -1;
  std::size_t count = 1;
  REQUIRE(ASYNC_WAIT_CTX_get_all_fds(context, &fd, &count) == 1);
  REQUIRE(count == 1);
  std::thread other([&] { answer.complete(11); });
  fd_set readable;
  FD_ZERO(&readable);
  FD_SET(fd, &readable);
  CHECK(::select(fd + 1, &readable, nullptr, nullptr, nullptr) == 1);
  other.join();
  CHECK(start(job, context, input) == ASYNC_FINISH);
  CHECK(seen.value() == 11);
  ASYNC_WAIT_CTX_free(context);
  ASYNC_cleanup_thread();
}

TEST_CASE("a cancelled job unwinds, and a late answer harms nobody", "[core]") {
  pending<int> answer;
  result<int> seen = 0;
  job_input input{&answer, &seen};
  ASYNC_JOB* job = nullptr;
  ASYNC_WAIT_CTX* context = ASYNC_WAIT_CTX_new();
  int woken = 0;
  ASYNC_WAIT_CTX_set_callback(
      context, [](void* count) { return ++*static_cast<int*>(count); }, &woken);
  REQUIRE(start(job, context, input) == ASYNC_PAUSE);
  CHECK_FALSE(answer.is_abandoned());
  ASYNC_WAIT_CTX_set_status(context, ASYNC_STATUS_ERR);
  CHECK(start(job, context, input) == ASYNC_FINISH);
  CHECK(answer.is_abandoned());
  CHECK(seen.error().code == errc::cancelled);
  ASYNC_WAIT_CTX_free(context);
  answer.complete(1);
  CHECK(woken == 0);
  ASYNC_cleanup_thread();
}
