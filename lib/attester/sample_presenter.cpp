#include "attester/sample_presenter.hpp"

#include "formats/cmw.hpp"
#include "schemes/sample/sample_scheme.hpp"

namespace atls {

attestation_schemes sample_presenter::offers() const {
  return {attestation_scheme::evidence(sample_scheme::type)};
}

result<bytes> sample_presenter::present(const attestation_scheme&, bytes_view binder, steady_time) {
  return encode_cmw(sample_scheme::type, sample_scheme::encode(binder));
}

}  // namespace atls
