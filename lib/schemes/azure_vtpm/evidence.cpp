#include "schemes/azure_vtpm/evidence.hpp"

#include "core/certificates.hpp"
#include "formats/cbor.hpp"
#include "formats/cmw.hpp"
#include "formats/tsm_report.hpp"
#include "schemes/parsec_tpm/evidence.hpp"
#include "schemes/sev_snp/certificate_table.hpp"
#include "schemes/sev_snp/sev_snp_scheme.hpp"
#include "schemes/tdx/tdx_scheme.hpp"

#include <iterator>

namespace atls {
namespace {

constexpr std::string_view hcl_type = "application/vnd.atlsd.azure-hcl-report";
constexpr std::string_view certificates_type = "application/pem-certificate-chain";
constexpr std::string_view quote_type = "application/vnd.atlsd.tdx-quote";
constexpr std::string_view certify_type = "application/vnd.atlsd.tpm-certify+cbor";

constexpr std::size_t member_count = 4;

failure malformed(std::string why) {
  return {errc::evidence_malformed, "Azure vTPM: " + std::move(why)};
}

struct byte_member {
  std::string_view name;
  bytes ak_certification::*to;
};
constexpr byte_member certification_members[] = {{"certInfo", &ak_certification::cert_info},
                                                 {"sig", &ak_certification::signature},
                                                 {"pubArea", &ak_certification::public_area}};

// The media type of a member that is a record with something in it.
result<std::pair<std::string_view, bytes_view>> member(const cmw_collection& of,
                                                       const std::string& label) {
  const auto found = of.members.find(label);
  const auto* const record = found == of.members.end() ? nullptr : found->second.record();
  const auto* const type = record == nullptr ? nullptr : std::get_if<std::string>(&record->type);
  if (type == nullptr || record->value.empty() || record->indicator != 0) {
    return malformed("\"" + label + "\" is absent, or not a media type and a value");
  }
  return std::pair<std::string_view, bytes_view>(*type, record->value);
}

result<bytes> member_of_type(const cmw_collection& of, const std::string& label,
                             std::string_view expected) {
  ATLS_TRY(const auto found, member(of, label));
  if (found.first != expected) {
    return malformed("\"" + label + "\" is " + std::string(found.first) + ", expected " +
                     std::string(expected));
  }
  return to_bytes(found.second);
}

result<cmw_collection> read_collection(bytes_view input) {
  if (input.empty() || input.size() > azure_vtpm_message::longest_bytes) {
    return malformed("found " + std::to_string(input.size()) + " bytes, expected 1 to " +
                     std::to_string(azure_vtpm_message::longest_bytes));
  }
  // The other form of a collection.
  if (input.front() == '{') {
    return malformed("JSON, expected CBOR");
  }
  auto read = parse_cmw(input);
  if (!read) {
    return malformed(read.error().detail);
  }
  const auto* const collection = read->collection();
  if (collection == nullptr || !collection->type.empty() ||
      collection->members.size() != member_count) {
    return malformed("it is not a collection of four without a type");
  }
  return *collection;
}

result<ak_certification> read_certification(bytes_view input) {
  ATLS_TRY(const auto document, cbor::decode(input, errc::evidence_malformed));
  ak_certification out;
  if (!document.is(cbor::kind::map) ||
      document.items.size() != 2 * std::size(certification_members)) {
    return malformed("\"ak\" is not a map of three");
  }
  for (const auto& [name, to] : certification_members) {
    const auto* const found = document.find(name);
    if (found == nullptr || !found->is(cbor::kind::byte_string)) {
      return malformed("\"ak\" has no byte string \"" + std::string(name) + "\"");
    }
    out.*to = found->content;
  }
  return out;
}

result<bytes> snp_evidence_of(const hcl_report& hcl, bytes_view certificates) {
  auto sorted = sort_certificates(certificates_from_pem(as_text(certificates)));
  (void)openssl_errors();
  if (!sorted) {
    return malformed(sorted.error().detail);
  }
  return tsm_report{.provider = std::string(sev_snp_scheme::provider),
                    .outblob = hcl.hardware_report,
                    .auxblob = encode_certificate_table(*sorted)}
      .encode();
}

bytes tdx_evidence_of(bytes_view quote) {
  return tsm_report{.provider = std::string(tdx_scheme::provider), .outblob = to_bytes(quote)}
      .encode();
}

}  // namespace

result<azure_vtpm_message> azure_vtpm_message::decode(bytes_view input) {
  ATLS_TRY(const auto collection, read_collection(input));
  azure_vtpm_message out;
  ATLS_TRY(out.tpm_evidence,
           member_of_type(collection, "parsec-tpm", parsec_tpm_evidence::media_type));
  ATLS_TRY(out.hcl, member_of_type(collection, "hcl", hcl_type));
  ATLS_TRY(const auto vek, member(collection, "vek"));
  if (vek.first != certificates_type && vek.first != quote_type) {
    return malformed("\"vek\" is " + std::string(vek.first) + ", expected " +
                     std::string(certificates_type) + " or " + std::string(quote_type));
  }
  out.hardware = vek.first == quote_type ? azure_hardware::tdx : azure_hardware::snp;
  out.endorsement = to_bytes(vek.second);
  ATLS_TRY(const auto certification, member_of_type(collection, "ak", certify_type));
  ATLS_TRY(out.ak, read_certification(certification));
  return out;
}

bytes azure_vtpm_message::encode() const {
  cbor::writer certification;
  certification.map(std::size(certification_members));
  for (const auto& [name, from] : certification_members) {
    certification.text(name).byte_string(ak.*from);
  }
  cbor::writer out;
  const auto add = [&](std::string_view label, std::string_view type, bytes_view value) {
    out.text(label).array(2).text(type).byte_string(value);
  };
  out.map(member_count);
  add("parsec-tpm", parsec_tpm_evidence::media_type, tpm_evidence);
  add("hcl", hcl_type, hcl);
  add("vek", hardware == azure_hardware::tdx ? quote_type : certificates_type, endorsement);
  add("ak", certify_type, certification.data());
  return std::move(out).data();
}

result<azure_vtpm_evidence> azure_vtpm_evidence::parse(bytes_view input) {
  azure_vtpm_evidence out;
  ATLS_TRY(out.message, azure_vtpm_message::decode(input));
  ATLS_TRY(out.hcl, parse_hcl_report(out.message.hcl));
  const auto& [tpm_evidence, hcl, hardware, endorsement, ak] = out.message;
  if (out.hcl.hardware != hardware) {
    return failure(errc::azure_hardware_mismatch);
  }
  if (hardware == azure_hardware::snp) {
    ATLS_TRY(out.hardware_evidence, snp_evidence_of(out.hcl, endorsement));
  } else {
    out.hardware_evidence = tdx_evidence_of(endorsement);
  }
  ATLS_TRY(out.certification, parse_tpm_attest(ak.cert_info));
  ATLS_TRY(out.certification_signature,
           parse_tpm_rsassa(ak.signature, errc::signature_unsupported));
  ATLS_TRY(out.ak, parse_tpm_public(ak.public_area));
  return out;
}

}  // namespace atls
