#include "attester/several_presenters.hpp"

#include <algorithm>

namespace atls {

attestation_schemes several_presenters::offers() const {
  attestation_schemes out;
  for (const auto& one : all_) {
    std::ranges::copy(one->offers(), std::back_inserter(out));
  }
  return out;
}

result<bytes> several_presenters::present(const attestation_scheme& scheme, bytes_view binder,
                                          steady_time deadline) {
  for (const auto& one : all_) {
    const auto offers = one->offers();
    if (std::ranges::find(offers, scheme) != offers.end()) {
      return one->present(scheme, binder, deadline);
    }
  }
  return failure(errc::internal, "nothing here presents " + scheme.text());
}

result<void> several_presenters::check(steady_time deadline) {
  for (const auto& one : all_) {
    ATLS_CHECK(one->check(deadline));
  }
  return {};
}

}  // namespace atls
