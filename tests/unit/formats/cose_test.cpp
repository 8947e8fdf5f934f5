#include "formats/cose.hpp"

#include "support/cwt.hpp"
#include "support/jws_keys.hpp"
#include "support/software_tpm.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

TEST_CASE("a CWT is read if the configured key signed it with its algorithm", "[evidence]") {
  const jws_key key{"ES256", new_key()};
  const jws_key other{"ES256", new_key()};
  const bytes payload = {0xa0};
  const bytes good = sign_cwt(payload, key);
  CHECK(verify_cwt(good, key).value() == payload);
  // Without the CWT tag too.
  CHECK(verify_cwt(bytes_view(good).subspan(2), key).value() == payload);
  CHECK(verify_cwt(good, other).error().code == errc::ear_signature);
  for (std::size_t i = good.size() - 70; i < good.size(); ++i) {
    bytes bad = good;
    bad[i] ^= 1;
    CHECK_FALSE(verify_cwt(bad, key).has_value());
  }
  CHECK(verify_cwt(sign_cwt(payload, key, -35), key).error().code == errc::ear_algorithm);
  CHECK(verify_cwt(bytes{0xd2, 0x80}, key).error().code == errc::ear_malformed);
  bytes longer = good;
  longer.push_back(0);
  CHECK(verify_cwt(longer, key).error().code == errc::ear_malformed);
}

TEST_CASE("each algorithm goes by its number in COSE", "[evidence]") {
  const bytes payload = {0xa0};
  for (const auto& [type, algorithm] :
       {std::pair{"P-256", -7}, {"P-384", -35}, {"P-521", -36}, {"ED25519", -8}, {"RSA", -37}}) {
    INFO(type);
    const auto key = new_jws_key(type);
    CHECK(verify_cwt(sign_cwt(payload, key, algorithm), key).value() == payload);
    CHECK(verify_cwt(sign_cwt(payload, key, algorithm), new_jws_key(type)).error().code ==
          errc::ear_signature);
    CHECK(verify_cwt(sign_cwt(payload, key, -999), key).error().code == errc::ear_algorithm);
  }
}
