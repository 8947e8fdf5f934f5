#include "schemes/azure_vtpm/hcl_report.hpp"

#include "formats/jose.hpp"
#include "formats/little_endian.hpp"

namespace atls {
namespace {

constexpr std::string_view signature = "HCLA";
constexpr std::uint32_t newest_version = 2;
constexpr std::uint32_t runtime_version = 1;
constexpr std::uint32_t snp_type = 2;
constexpr std::uint32_t tdx_type = 4;
constexpr std::uint32_t sha256 = 1;
constexpr std::size_t snp_report_bytes = 1184;
constexpr std::size_t td_report_bytes = 1024;

// Where things stand.
namespace at {
constexpr std::size_t version = 4;
constexpr std::size_t hardware_report = 32;
constexpr std::size_t runtime_header = 1216;
constexpr std::size_t runtime_version = 1220;
constexpr std::size_t report_type = 1224;
constexpr std::size_t hash = 1228;
constexpr std::size_t runtime_size = 1232;
constexpr std::size_t runtime_data = 1236;
}  // namespace at

failure malformed(std::string why) {
  return {errc::evidence_malformed, "HCL report: " + std::move(why)};
}

result<void> check_number(const char* what, std::uint32_t found, std::uint32_t least,
                          std::uint32_t greatest) {
  if (found < least || found > greatest) {
    return malformed(std::string(what) + " " + std::to_string(found) + ", expected " +
                     std::to_string(least) +
                     (least == greatest ? "" : " to " + std::to_string(greatest)));
  }
  return {};
}

result<void> check_header(bytes_view input, const little_endian_fields& in) {
  if (input.size() < at::runtime_data || as_text(input.first(signature.size())) != signature) {
    return malformed("it does not begin as one");
  }
  ATLS_CHECK(check_number("version", in.u32(at::version), 1, newest_version));
  ATLS_CHECK(check_number("runtime data of version", in.u32(at::runtime_version), runtime_version,
                          runtime_version));
  return check_number("hash", in.u32(at::hash), sha256, sha256);
}

// The NV index is longer than what stands in it.
result<bytes> read_runtime_data(bytes_view input, const little_endian_fields& in) {
  constexpr std::size_t header_bytes = at::runtime_data - at::runtime_header;
  const std::size_t size = in.u32(at::runtime_size);
  if (size > input.size() - at::runtime_data || in.u32(at::runtime_header) != header_bytes + size) {
    return malformed("its sizes do not fit");
  }
  if (!in.is_zero(at::runtime_data + size, input.size())) {
    return malformed("something stands after its end");
  }
  return in.take(at::runtime_data, size);
}

result<pkey_ptr> read_ak(const json& document) {
  constexpr std::string_view ak_name = "HCLAkPub";
  const auto keys = document.value("keys", json::array());
  const json* found = nullptr;
  for (const auto& key : keys) {
    if (key.is_object() && string_member(key, "kid") == ak_name) {
      if (found != nullptr) {
        return malformed("two keys are named HCLAkPub");
      }
      found = &key;
    }
  }
  if (found == nullptr || string_member(*found, "kty") != "RSA") {
    return malformed("no RSA key is named HCLAkPub");
  }
  auto key = parse_jwk(*found);
  return key ? result<pkey_ptr>(std::move(key->key)) : malformed(key.error().detail);
}

result<void> read_document(hcl_report& to) {
  ATLS_TRY(const auto document, parse_json(as_text(to.runtime_data), errc::evidence_malformed));
  if (!document.is_object()) {
    return malformed("its runtime data are no JSON object");
  }
  { ATLS_TRY(to.ak, read_ak(document)); }
  const auto of_vm = document.value("vm-configuration", json());
  const auto flag = [&](const char* name) {
    const auto value = of_vm.is_object() ? of_vm.value(name, json()) : json();
    return value.is_boolean() ? std::optional(value.get<bool>()) : std::nullopt;
  };
  auto vm_id = of_vm.is_object() ? string_member(of_vm, "vmUniqueId") : std::nullopt;
  const auto secure_boot = flag("secure-boot");
  const auto console_enabled = flag("console-enabled");
  if (!vm_id || !secure_boot || !console_enabled) {
    return malformed("\"vm-configuration\" lacks vmUniqueId, secure-boot or console-enabled");
  }
  to.vm_id = std::move(*vm_id);
  to.secure_boot = *secure_boot;
  to.console_enabled = *console_enabled;
  return {};
}

}  // namespace

result<hcl_report> parse_hcl_report(bytes_view input) {
  const little_endian_fields in(input);
  ATLS_CHECK(check_header(input, in));
  hcl_report out;
  const auto type = in.u32(at::report_type);
  if (type != snp_type && type != tdx_type) {
    return malformed("report type " + std::to_string(type) + ", expected 2 (SNP) or 4 (TDX)");
  }
  out.hardware = type == snp_type ? azure_hardware::snp : azure_hardware::tdx;
  out.hardware_report =
      in.take(at::hardware_report, type == snp_type ? snp_report_bytes : td_report_bytes);
  ATLS_TRY(out.runtime_data, read_runtime_data(input, in));
  ATLS_CHECK(read_document(out));
  return out;
}

}  // namespace atls
