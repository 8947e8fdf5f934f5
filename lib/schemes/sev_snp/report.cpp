#include "schemes/sev_snp/report.hpp"

#include "core/openssl.hpp"
#include "formats/little_endian.hpp"

#include <algorithm>

#include <openssl/bn.h>
#include <openssl/ecdsa.h>

namespace atls {
namespace {

constexpr std::uint32_t min_version = 2;
constexpr std::uint32_t max_version = 5;
constexpr std::uint32_t first_version_with_product = 3;
constexpr std::uint32_t first_version_with_mit_vectors = 5;
constexpr std::uint32_t ecdsa_p384_sha384 = 1;
constexpr std::uint64_t known_policy_bits = (std::uint64_t{1} << 26) - 1;
constexpr std::size_t number_bytes = 72;

// Where things stand.
namespace at {
constexpr std::size_t version = 0x00;
constexpr std::size_t guest_svn = 0x04;
constexpr std::size_t policy = 0x08;
constexpr std::size_t family_id = 0x10;
constexpr std::size_t image_id = 0x20;
constexpr std::size_t vmpl = 0x30;
constexpr std::size_t signature_algorithm = 0x34;
constexpr std::size_t current_tcb = 0x38;
constexpr std::size_t platform_info = 0x40;
constexpr std::size_t key_info = 0x48;
constexpr std::size_t report_data = 0x50;
constexpr std::size_t measurement = 0x90;
constexpr std::size_t host_data = 0xc0;
constexpr std::size_t id_key_digest = 0xe0;
constexpr std::size_t author_key_digest = 0x110;
constexpr std::size_t report_id = 0x140;
constexpr std::size_t report_id_ma = 0x160;
constexpr std::size_t reported_tcb = 0x180;
constexpr std::size_t cpuid_family = 0x188;
constexpr std::size_t cpuid_model = 0x189;
constexpr std::size_t chip_id = 0x1a0;
constexpr std::size_t committed_tcb = 0x1e0;
constexpr std::size_t launch_tcb = 0x1f0;
constexpr std::size_t mit_vectors = 0x1f8;
constexpr std::size_t signature = 0x2a0;
}  // namespace at

struct range {
  std::size_t begin;
  std::size_t end;
};
constexpr range always_zero[] = {{0x4c, 0x50},   {0x18b, 0x1a0}, {0x1eb, 0x1ec},
                                 {0x1ef, 0x1f0}, {0x208, 0x2a0}, {0x330, 0x4a0}};

failure malformed(std::string why) {
  return {errc::evidence_malformed, "SNP report: " + std::move(why)};
}

// The processor's family and model, as CPUID names them.
snp_product product_of(std::uint8_t family, std::uint8_t model) noexcept {
  if (family == 0x19) {
    if (model <= 0x0f) {
      return snp_product::milan;
    }
    return model <= 0x1f || (model >= 0xa0 && model <= 0xaf) ? snp_product::genoa
                                                             : snp_product::unknown;
  }
  return family == 0x1a && model <= 0x11 ? snp_product::turin : snp_product::unknown;
}

result<void> check_reserved(const little_endian_fields& in, std::uint32_t version,
                            std::uint64_t policy) {
  for (const auto& one : always_zero) {
    if (!in.is_zero(one.begin, one.end)) {
      return malformed("bytes " + std::to_string(one.begin) + " to " + std::to_string(one.end - 1) +
                       " are not all zero");
    }
  }
  if (version < first_version_with_mit_vectors && !in.is_zero(at::mit_vectors, 0x208)) {
    return malformed("mitigation vectors before version 5");
  }
  if ((policy & snp_policy::must_be_one) == 0 || (policy & ~known_policy_bits) != 0) {
    return malformed("reserved bits of POLICY");
  }
  return {};
}

result<void> read_key_info(std::uint32_t info, snp_report& to) {
  constexpr std::uint32_t known_bits = 0x1f;
  const auto key = info >> 2 & 7;
  if ((info & ~known_bits) != 0) {
    return malformed("reserved bits beside SIGNING_KEY");
  }
  if (key > 1) {
    return failure(
        errc::signature_unsupported,
        "SNP report: SIGNING_KEY is " + std::to_string(key) + ", expected 0 (VCEK) or 1 (VLEK)");
  }
  to.has_author_key = (info & 1) != 0;
  to.is_chip_masked = (info & 2) != 0;
  to.signed_by = key == 0 ? snp_signing_key::vcek : snp_signing_key::vlek;
  return {};
}

// r and s, 72 bytes each, little-endian.
result<bytes> read_signature(bytes_view raw) {
  using number = std::unique_ptr<BIGNUM, openssl_deleter<BN_free>>;
  using der_signature = std::unique_ptr<ECDSA_SIG, openssl_deleter<ECDSA_SIG_free>>;
  der_signature made(ECDSA_SIG_new());
  number r(BN_lebin2bn(raw.data(), number_bytes, nullptr));
  number s(BN_lebin2bn(raw.data() + number_bytes, number_bytes, nullptr));
  if (!made || !r || !s || ECDSA_SIG_set0(made.get(), r.get(), s.get()) != 1) {
    return failure(errc::internal, openssl_errors());
  }
  (void)r.release();
  (void)s.release();
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(made.get(), &der);
  if (size <= 0) {
    return malformed("its signature is none");
  }
  bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

}  // namespace

bool snp_tcb::covers(const snp_tcb& other) const noexcept {
  return bootloader >= other.bootloader && tee >= other.tee && snp >= other.snp &&
         microcode >= other.microcode && fmc.value_or(0) >= other.fmc.value_or(0);
}

std::string to_string(const snp_tcb& tcb) {
  std::string out = tcb.fmc ? "fmc " + std::to_string(*tcb.fmc) + ", " : "";
  return out + "bootloader " + std::to_string(tcb.bootloader) + ", tee " + std::to_string(tcb.tee) +
         ", snp " + std::to_string(tcb.snp) + ", microcode " + std::to_string(tcb.microcode);
}

std::string_view name_of(snp_product product) noexcept {
  switch (product) {
    case snp_product::milan:
      return "Milan";
    case snp_product::genoa:
      return "Genoa";
    case snp_product::turin:
      return "Turin";
    case snp_product::unknown:
      break;
  }
  return "";
}

snp_product product_from_name(std::string_view name) noexcept {
  for (const auto product : {snp_product::milan, snp_product::genoa, snp_product::turin}) {
    if (name.starts_with(name_of(product))) {
      return product;
    }
  }
  return snp_product::unknown;
}

bool snp_report::has_migration_agent() const noexcept {
  return std::ranges::any_of(report_id_of_migration_agent, [](auto byte) { return byte != 0xff; });
}

snp_tcb tcb_from(std::uint64_t tcb_version, snp_product product) noexcept {
  const auto byte = [&](unsigned at) { return static_cast<std::uint8_t>(tcb_version >> 8 * at); };
  if (product == snp_product::turin) {
    return {byte(1), byte(2), byte(3), byte(7), byte(0)};
  }
  return {byte(0), byte(1), byte(6), byte(7), std::nullopt};
}

result<snp_report> parse_snp_report(bytes_view input) {
  if (input.size() != snp_report::size_bytes) {
    return malformed("found " + std::to_string(input.size()) + " bytes, expected " +
                     std::to_string(snp_report::size_bytes));
  }
  const little_endian_fields in(input);
  snp_report out;
  out.version = in.u32(at::version);
  if (out.version < min_version || out.version > max_version) {
    return malformed("version " + std::to_string(out.version) + ", expected 2 to 5");
  }
  out.policy = in.u64(at::policy);
  ATLS_CHECK(check_reserved(in, out.version, out.policy));
  if (in.u32(at::signature_algorithm) != ecdsa_p384_sha384) {
    return malformed("signature algorithm " + std::to_string(in.u32(at::signature_algorithm)) +
                     ", expected 1 (ECDSA P-384 with SHA-384)");
  }
  ATLS_CHECK(read_key_info(in.u32(at::key_info), out));
  out.guest_svn = in.u32(at::guest_svn);
  out.family_id = in.take(at::family_id, 16);
  out.image_id = in.take(at::image_id, 16);
  out.vmpl = in.u32(at::vmpl);
  out.current_tcb = in.u64(at::current_tcb);
  out.platform_info = in.u64(at::platform_info);
  out.report_data = in.take(at::report_data, snp_report::report_data_bytes);
  out.measurement = in.take(at::measurement, snp_report::measurement_bytes);
  out.host_data = in.take(at::host_data, 32);
  out.id_key_digest = in.take(at::id_key_digest, 48);
  out.author_key_digest = in.take(at::author_key_digest, 48);
  out.report_id = in.take(at::report_id, 32);
  out.report_id_of_migration_agent = in.take(at::report_id_ma, 32);
  out.reported_tcb = in.u64(at::reported_tcb);
  if (out.version >= first_version_with_product) {
    out.product = product_of(input[at::cpuid_family], input[at::cpuid_model]);
  } else if (!in.is_zero(at::cpuid_family, 0x18b)) {
    return malformed("a processor's name before version 3");
  }
  out.chip_id = in.take(at::chip_id, snp_report::chip_id_bytes);
  out.committed_tcb = in.u64(at::committed_tcb);
  out.launch_tcb = in.u64(at::launch_tcb);
  out.signed_part = to_bytes(input.first(at::signature));
  ATLS_TRY(out.signature, read_signature(input.subspan(at::signature, 2 * number_bytes)));
  return out;
}

}  // namespace atls
