#include "schemes/sgx/quote.hpp"

#include "support/vectors.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

constexpr std::size_t signature = 48 + 384 + 4;
constexpr std::size_t enclave = signature + 64 + 64;

bytes good() {
  return read_binary_vector("sgx/quote-v3-good.bin");
}

std::string outcome(bytes_view input) {
  const auto quote = parse_sgx_quote(input);
  if (!quote) {
    return std::string(reason(quote.error().code));
  }
  const auto checked = check_signatures(*quote);
  return std::string(checked ? "ok" : reason(checked.error().code));
}

}  // namespace

TEST_CASE("SGX quotes are read and their signatures hold", "[sgx]") {
  CHECK(outcome(good()) == "ok");
  const auto quote = parse_sgx_quote(good()).value();
  CHECK(quote.report.mrenclave == bytes(32, 0x5a));
  CHECK(quote.report.mrsigner == bytes(32, 0xc3));
  CHECK(quote.report.product_id == 7);
  CHECK(quote.report.security_version == 3);
  CHECK(quote.flags() == 0x05);
  CHECK(quote.xfrm() == 0xe7);
}

TEST_CASE("SGX quotes: every signature matters", "[sgx]") {
  for (const std::size_t at :
       {48U + 64U, 30U, unsigned(signature), unsigned(signature + 64), unsigned(enclave + 64),
        unsigned(enclave + 320), unsigned(enclave + 384), unsigned(enclave + 384 + 64 + 2)}) {
    CAPTURE(at);
    auto changed = good();
    changed[at] ^= 1;
    CHECK(outcome(changed) == "sgx_signature");
  }
}

TEST_CASE("SGX quotes that are cut short or go on are malformed", "[sgx]") {
  const auto whole = good();
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    CHECK(outcome(bytes_view(whole).first(size)) == "evidence_malformed");
  }
  auto longer = whole;
  longer.push_back(0);
  CHECK(outcome(longer) == "ok");
  longer.push_back(1);
  CHECK(outcome(longer) == "evidence_malformed");
  longer = whole;
  longer.resize(longest_quote_bytes + 1);
  CHECK(outcome(longer) == "evidence_malformed");
  for (const auto& [at, expected] : {std::pair{0U, "evidence_malformed"},
                                     {2U, "signature_unsupported"},
                                     {12U, "evidence_malformed"},
                                     {enclave + 384U + 64U + 2U + 32U, "signature_unsupported"}}) {
    CAPTURE(at);
    auto changed = whole;
    changed[at] ^= 0x40;
    CHECK(outcome(changed) == expected);
  }
}
