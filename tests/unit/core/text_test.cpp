#include "core/text.hpp"

#include "core/error.hpp"

#include <set>

#include <catch2/catch.hpp>

using namespace atls;
using namespace std::chrono_literals;

TEST_CASE("durations", "[core]") {
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("5s") == 5000ms);
  CHECK(parse_duration("2m") == 120000ms);
  CHECK(parse_duration("1h") == 3600000ms);
  for (const auto* bad : {"", "5", "s", "-1s", "1.5s", "5 s", "5S", "99999999999h"}) {
    CHECK_FALSE(parse_duration(bad));
  }
}

TEST_CASE("every reason has a name and a sentence of its own", "[core]") {
  std::set<std::string_view> names;
  std::set<std::string_view> sentences;
  for (std::size_t i = 1; i <= reason_count(); ++i) {
    names.insert(reason(static_cast<errc>(i)));
    sentences.insert(describe(static_cast<errc>(i)));
  }
  CHECK(names.size() == reason_count());
  CHECK(sentences.size() == reason_count());
  CHECK(failure(errc::kat_type, "found 1").text() ==
        "kat_type: the key statement is not a TPM2_Certify (found 1)");
}
