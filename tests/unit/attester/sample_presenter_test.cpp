#include "attester/sample_presenter.hpp"

#include "formats/cmw.hpp"
#include "schemes/sample/sample_scheme.hpp"

#include <catch2/catch.hpp>

using namespace atls;

namespace {

const bytes binder(48, 0x5c);

bytes presented() {
  sample_presenter machine;
  return machine.present(machine.offers().at(0), binder, steady_time::max()).value();
}

result<statement> judged(const bytes& message, const bytes& expected) {
  ATLS_TRY(const auto record, parse_cmw_record(message));
  if (std::get<std::string>(record.type) != sample_scheme::type) {
    return failure(errc::evidence_type_unexpected);
  }
  return sample_scheme().check(record.value, {.binder = expected, .leaf_spki = {}});
}

}  // namespace

TEST_CASE("a sample machine presents one kind of Evidence", "[attester][sample]") {
  sample_presenter machine;
  CHECK(machine.offers() ==
        attestation_schemes{attestation_scheme::evidence("application/vnd.atlsd.sample-tee+json")});
  CHECK(machine.check(steady_time::max()).has_value());
  CHECK(machine.instance().empty());
  CHECK(machine.describe() == json{{"attester", "sample"}});
}

TEST_CASE("what a sample machine presents is bound to its handshake", "[attester][sample]") {
  const auto message = presented();
  CHECK(judged(message, binder).value().facts.at("sample").at("report_data") == to_hex(binder));
  bytes other = binder;
  other.back() ^= 1;
  CHECK(judged(message, other).error().code == errc::report_data_mismatch);
}

TEST_CASE("tampered messages of a sample machine are refused", "[attester][sample]") {
  const auto message = presented();
  for (std::size_t size = 0; size < message.size(); ++size) {
    CAPTURE(size);
    CHECK(
        judged(bytes(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size)), binder)
            .has_error());
  }
  auto longer = message;
  longer.push_back(0);
  CHECK(judged(longer, binder).error().code == errc::cmw_malformed);
}
