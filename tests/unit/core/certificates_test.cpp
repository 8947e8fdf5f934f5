#include "core/certificates.hpp"

#include "support/vectors.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

TEST_CASE("certificates are the same in DER and in PEM", "[core]") {
  const auto chain = read_vector("tdx/pck-chain.pem");
  const auto certificates = certificates_from_pem("text before\n" + chain);
  REQUIRE(certificates.size() == 3);
  const auto der = der_of(certificates[0].get());
  const auto again = certificate_from_der(der);
  REQUIRE(again);
  CHECK(X509_cmp(again.get(), certificates[0].get()) == 0);
  CHECK(chain.find(pem_of(again.get())) == chain.find("-----BEGIN"));
}

TEST_CASE("what is not exactly one certificate in DER is none", "[core]") {
  auto der = read_binary_vector("tdx/root.der");
  CHECK(certificate_from_der(der));
  for (std::size_t size = 0; size < der.size(); ++size) {
    CHECK(!certificate_from_der(bytes_view(der).first(size)));
  }
  der.push_back(0);
  CHECK(!certificate_from_der(der));
  CHECK(certificates_from_pem("no certificate").empty());
}
