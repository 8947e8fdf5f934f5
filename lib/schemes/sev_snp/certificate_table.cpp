#include "schemes/sev_snp/certificate_table.hpp"

#include "core/certificates.hpp"
#include "schemes/sev_snp/endorsement_key.hpp"

#include <algorithm>
#include <array>

namespace atls {
namespace {

constexpr std::size_t guid_size = 16;
constexpr std::size_t entry_size = 24;

using guid = std::array<std::uint8_t, guid_size>;

struct known_entry {
  guid id;
  x509_ptr snp_certificates::*certificate;
};
constexpr known_entry known_entries[] = {{{0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97,
                                           0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae},
                                          &snp_certificates::root},
                                         {{0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0,
                                           0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82},
                                          &snp_certificates::intermediate},
                                         {{0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad,
                                           0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd},
                                          &snp_certificates::vcek},
                                         {{0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa,
                                           0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1},
                                          &snp_certificates::vlek}};

failure malformed(std::string why) {
  return {errc::evidence_malformed, "SNP certificate table: " + std::move(why)};
}

std::uint32_t little_endian(bytes_view raw) {
  return std::uint32_t{raw[0]} | std::uint32_t{raw[1]} << 8 | std::uint32_t{raw[2]} << 16 |
         std::uint32_t{raw[3]} << 24;
}

void append_little_endian(bytes& to, std::uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) {
    to.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

// In PEM or DER; null if it is not exactly one.
x509_ptr read_certificate(bytes_view content) {
  if (!as_text(content).starts_with("-----")) {
    return certificate_from_der(content);
  }
  auto all = certificates_from_pem(as_text(content));
  return all.size() == 1 ? std::move(all.front()) : nullptr;
}

result<void> read_entry(snp_certificates& to, bytes_view id, bytes_view content) {
  const auto* const known =
      std::ranges::find_if(known_entries, [&](const auto& one) { return equal(one.id, id); });
  if (known == std::end(known_entries)) {
    return {};
  }
  auto& certificate = to.*known->certificate;
  if (certificate) {
    return malformed("an entry stands twice");
  }
  certificate = read_certificate(content);
  if (!certificate) {
    return malformed("an entry is not a certificate: " + openssl_errors());
  }
  return {};
}

// Those before the one of zeros.
result<bytes_view> entries_of(bytes_view table) {
  const guid end{};
  for (std::size_t at = 0; table.size() - at >= entry_size; at += entry_size) {
    if (equal(table.subspan(at, guid_size), end)) {
      return table.first(at);
    }
  }
  return malformed("it has no end");
}

}  // namespace

result<snp_certificates> read_certificate_table(bytes_view table) {
  snp_certificates out;
  if (table.empty()) {
    return out;
  }
  ATLS_TRY(const auto entries, entries_of(table));
  for (std::size_t at = 0; at < entries.size(); at += entry_size) {
    const auto entry = entries.subspan(at, entry_size);
    const std::uint64_t offset = little_endian(entry.subspan(guid_size, 4));
    const std::uint64_t length = little_endian(entry.subspan(guid_size + 4, 4));
    // Hosts leave entries empty for what they do not have.
    if (length == 0) {
      continue;
    }
    if (offset < entries.size() + entry_size || offset + length > table.size()) {
      return malformed("an entry points outside");
    }
    ATLS_CHECK(read_entry(out, entry.first(guid_size), table.subspan(offset, length)));
  }
  return out;
}

result<snp_certificates> sort_certificates(std::vector<x509_ptr> given) {
  snp_certificates out;
  for (auto& one : given) {
    const auto key = read_endorsement_key(one.get());
    const bool is_root =
        X509_NAME_cmp(X509_get_subject_name(one.get()), X509_get_issuer_name(one.get())) == 0;
    auto& place = key && key->kind == snp_signing_key::vcek ? out.vcek
                  : key                                     ? out.vlek
                  : is_root                                 ? out.root
                                                            : out.intermediate;
    if (place) {
      return failure(errc::certificate_invalid,
                     "two SNP certificates of one kind; expected one VCEK or VLEK, its "
                     "intermediate (ASK or ASVK) and AMD's root (ARK)");
    }
    place = std::move(one);
  }
  return out;
}

bytes encode_certificate_table(const snp_certificates& certificates) {
  bytes header;
  bytes contents;
  const auto count = std::ranges::count_if(
      known_entries, [&](const auto& one) { return (certificates.*one.certificate) != nullptr; });
  const auto start = static_cast<std::size_t>(count + 1) * entry_size;
  for (const auto& [id, member] : known_entries) {
    if (const auto& certificate = certificates.*member) {
      const auto text = pem_of(certificate.get());
      append(header, id);
      append_little_endian(header, static_cast<std::uint32_t>(start + contents.size()));
      append_little_endian(header, static_cast<std::uint32_t>(text.size()));
      append(contents, as_bytes(text));
    }
  }
  header.resize(start);
  append(header, contents);
  return header;
}

}  // namespace atls
