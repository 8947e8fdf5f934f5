#include "dialects/verifier_dialect.hpp"

#include <catch2/catch.hpp>

using namespace atls;

TEST_CASE("every kind of Verifier has its dialect, at the URL's path", "[verifier]") {
  const auto where = url::parse("https://verifier.example/site/").value();
  for (const auto type : {verifier_type::veraison, verifier_type::trustee}) {
    const auto made = make_dialect(type, where, {});
    CHECK(made->type() == type);
    CHECK(made->discovery().method == "GET");
    CHECK(made->discovery().target.starts_with("/site/.well-known/"));
  }
  CHECK(make_dialect(verifier_type::kbs, where, {})->type() == verifier_type::kbs);
  CHECK_THROWS_AS(make_dialect(static_cast<verifier_type>(9), where, {}), error);
}
