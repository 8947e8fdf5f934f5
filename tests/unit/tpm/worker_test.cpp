#include "tpm/worker.hpp"

#include <atomic>

#include <catch2/catch.hpp>

using namespace atls;
using namespace std::chrono_literals;

namespace {

constexpr const char* nobody = "swtpm:host=127.0.0.1,port=1";

result<int> ask(tpm::worker& worker, std::chrono::milliseconds patience) {
  return worker.run<int>([](tpm::device&) -> result<int> { return 1; },
                         std::chrono::steady_clock::now() + patience);
}

}  // namespace

TEST_CASE("a request to a TPM that is not there says so", "[tpm]") {
  ::setenv("TSS2_LOG", "all+NONE", 1);
  tpm::worker worker({.tcti = nobody});
  CHECK(ask(worker, 5s).error().code == errc::tpm_unavailable);
  CHECK(worker.count().requests == 1);
}

TEST_CASE("a full queue refuses, and a request past its deadline is not performed", "[tpm]") {
  tpm::worker full({.tcti = nobody, .max_queued = 0});
  CHECK(ask(full, 5s).error().code == errc::tpm_overloaded);
  tpm::worker worker({.tcti = nobody});
  CHECK(ask(worker, -1s).error().code == errc::tpm_timeout);
}

TEST_CASE("many threads ask, look on, and each gets its answer", "[tpm][threads]") {
  ::setenv("TSS2_LOG", "all+NONE", 1);
  tpm::worker worker({.tcti = nobody});
  std::atomic<int> answered = 0;
  std::vector<std::thread> askers;
  for (int i = 0; i < 4; ++i) {
    askers.emplace_back([&] {
      for (int n = 0; n < 25; ++n) {
        const bool is_late = n % 5 == 0;
        const auto why = ask(worker, is_late ? 0ms : 20s).error().code;
        answered += why == errc::tpm_unavailable ||
                    (is_late && (why == errc::tpm_timeout || why == errc::tpm_overloaded));
        (void)worker.count();
      }
    });
  }
  for (auto& asker : askers) {
    asker.join();
  }
  CHECK(answered == 100);
}
