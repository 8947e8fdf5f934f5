#include "schemes/tdx/quote.hpp"

#include "support/vectors.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

bytes raw(const std::string& name) {
  return read_binary_vector("tdx/" + name);
}

std::string outcome(bytes_view input) {
  const auto quote = parse_tdx_quote(input);
  if (!quote) {
    return std::string(reason(quote.error().code));
  }
  const auto checked = check_signatures(*quote);
  return std::string(checked ? "ok" : reason(checked.error().code));
}

}  // namespace

TEST_CASE("TDX quotes of every version are read and their signatures hold", "[tdx]") {
  for (const auto* name :
       {"quote-v4-good.bin", "quote-v5-td10.bin", "quote-v5-td15.bin", "quote-v4-old-tcb.bin",
        "real-tdx_quote.bin", "real-tdx_quote_td15ex.bin"}) {
    INFO(name);
    CHECK(outcome(raw(name)) == "ok");
  }
  // Somebody's remark follows the quote.
  const auto remarked = raw("real-go-tdx-guest-quote-v4.bin");
  CHECK(outcome(remarked) == "evidence_malformed");
  CHECK(outcome(bytes_view(remarked).first(4935)) == "ok");
  const auto good = parse_tdx_quote(raw("quote-v4-good.bin")).value();
  CHECK(equal(good.report.report_data, raw("report-data.bin")));
  CHECK((good.report.attributes & td_attribute::under_debug) == 0);
  CHECK(good.report.mrservicetd.empty());
  CHECK(parse_tdx_quote(raw("quote-v5-td15.bin")).value().report.mrservicetd.size() == 48);
}

TEST_CASE("TDX quotes: every signature matters", "[tdx]") {
  CHECK(outcome(raw("quote-v4-bad-signature.bin")) == "tdx_signature");
  const auto good = raw("quote-v4-good.bin");
  // The TD's report, its signature, the attestation key, the enclave's report, its signature.
  for (const std::size_t at : {200U, 640U, 710U, 48U + 584U + 4U + 128U + 6U + 100U,
                               48U + 584U + 4U + 128U + 6U + 384U + 10U}) {
    INFO(at);
    auto changed = good;
    changed[at] ^= 1;
    CHECK(outcome(changed) == "tdx_signature");
  }
}

TEST_CASE("TDX quotes that are cut short or go on are malformed", "[tdx]") {
  const auto good = raw("quote-v4-good.bin");
  for (std::size_t size = 0; size < good.size(); size += 11) {
    CHECK(outcome(bytes_view(good).first(size)) == "evidence_malformed");
  }
  auto longer = good;
  longer.push_back(0);
  CHECK(outcome(longer) == "ok");
  longer.push_back(1);
  CHECK(outcome(longer) == "evidence_malformed");
  for (const auto& [at, expected] : {std::pair{0U, "evidence_malformed"},
                                     {2U, "signature_unsupported"},
                                     {4U, "evidence_malformed"},
                                     {12U, "evidence_malformed"}}) {
    auto changed = good;
    changed[at] ^= 0x40;
    CHECK(outcome(changed) == expected);
  }
}
