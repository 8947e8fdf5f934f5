#include "reference_verifier/session_store.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace std::chrono_literals;

namespace {

const std::chrono::system_clock::time_point start(1000s);

appraisal_session session(std::size_t evidence_bytes = 0) {
  appraisal_session out;
  out.expiry = start + 150s;
  out.evidence = std::string(evidence_bytes, 'e');
  return out;
}

}  // namespace

TEST_CASE("too many sessions: the oldest go", "[daemon]") {
  session_store store({.sessions = 3, .bytes = 1'000'000});
  for (const char* id : {"a", "b", "c", "d"}) {
    store.add(id, session());
  }
  CHECK(store.size() == 3);
  CHECK(store.find("a") == nullptr);
  CHECK(store.find("b") != nullptr);
  CHECK(store.find("d") != nullptr);
}

TEST_CASE("too many bytes: the oldest go, also when one grows", "[daemon]") {
  session_store store({.sessions = 100, .bytes = 10'000});
  store.add("a", session(4000));
  store.add("b", session());
  CHECK(store.find("a") != nullptr);
  store.replace("b", session(8000));
  CHECK(store.find("a") == nullptr);
  CHECK(store.find("b")->evidence.size() == 8000);
  CHECK(store.size_bytes() <= 10'000);
  store.add("large", session(20'000));
  CHECK(store.size() == 0);
  CHECK(store.size_bytes() == 0);
}

TEST_CASE("expired and deleted sessions cost nothing", "[daemon]") {
  session_store store;
  store.add("a", session(100));
  auto later = session(100);
  later.expiry = start + 151s;
  store.add("b", later);
  store.drop_expired(start + 149s);
  CHECK(store.size() == 2);
  store.drop_expired(start + 150s);
  CHECK(store.find("a") == nullptr);
  CHECK(store.find("b") != nullptr);
  store.erase("b");
  store.erase("b");
  store.replace("b", session());
  CHECK(store.size() == 0);
  CHECK(store.size_bytes() == 0);
}
