#include "schemes/report_data.hpp"

namespace atls {

bytes report_data_for(bytes_view binder) {
  bytes out = to_bytes(binder);
  out.resize(report_data_bytes);
  return out;
}

result<void> check_report_data(bytes_view found, bytes_view binder) {
  if (binder.size() > report_data_bytes || !equal(found, report_data_for(binder))) {
    return failure(errc::report_data_mismatch,
                   "found " + to_hex(found) + ", expected " + to_hex(binder) + " and zeros");
  }
  return {};
}

}  // namespace atls
