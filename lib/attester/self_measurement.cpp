#include "attester/self_measurement.hpp"

#include "core/files.hpp"
#include "core/openssl.hpp"

namespace atls {
namespace {

bytes hash(tpm_hash bank, bytes_view content) {
  return digest(std::string(name_of(bank).value_or("sha256")).c_str(), content);
}

}  // namespace

bytes digest_of_all(const std::vector<std::string>& contents) {
  bytes all;
  for (const auto& content : contents) {
    append_number(all, content.size(), 8);
    append(all, as_bytes(content));
  }
  return digest("sha256", all);
}

result<bytes> self_measurement(tpm_hash bank, bytes_view configuration) {
  constexpr std::size_t max_program_bytes = 256u << 20;
  ATLS_TRY(const auto program, read_file("/proc/self/exe", errc::internal, max_program_bytes));
  bytes both = digest("sha256", as_bytes(program));
  append(both, configuration);
  return hash(bank, both);
}

result<bool> measure_into(tpm::device& device, unsigned pcr, tpm_hash bank,
                          bytes_view measurement) {
  ATLS_TRY(const auto values, device.read_pcrs({bank, 1u << pcr}));
  const bytes untouched(measurement.size(), 0);
  bytes extended = untouched;
  append(extended, measurement);
  const auto& value = values.at(pcr);
  if (value == hash(bank, extended)) {
    return true;
  }
  ATLS_CHECK(device.extend_pcr(pcr, bank, measurement));
  return value == untouched;
}

}  // namespace atls
