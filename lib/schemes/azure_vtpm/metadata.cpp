#include "schemes/azure_vtpm/metadata.hpp"

#include "formats/json.hpp"

namespace atls {
namespace {

constexpr std::string_view json_type = "application/json";

failure bad_answer(std::string why) {
  return {errc::azure_metadata, std::move(why)};
}

}  // namespace

http_request endorsement_request(const hcl_report& report) {
  http_request out;
  out.accept = json_type;
  if (report.hardware == azure_hardware::snp) {
    out.method = "GET";
    out.target = "/metadata/THIM/amd/certification";
    // Of nobody who was talked into asking: the service's guard against forged requests.
    out.fields = {{"Metadata", "true"}};
  } else {
    out.method = "POST";
    out.target = "/acc/tdquote";
    out.content_type = json_type;
    const json body{{"report", to_base64url(report.hardware_report)}};
    out.body = to_bytes(as_bytes(body.dump()));
  }
  return out;
}

result<bytes> endorsement_from(azure_hardware hardware, const http_reply& answer) {
  if (answer.status != 200) {
    return bad_answer("status " + std::to_string(answer.status) + ", expected 200");
  }
  ATLS_TRY(const auto document, parse_json(answer.body, errc::azure_metadata));
  if (!document.is_object()) {
    return bad_answer("found JSON that is no object");
  }
  if (hardware == azure_hardware::tdx) {
    const auto quote = string_member(document, "quote");
    auto out = quote ? from_any_base64(*quote) : std::nullopt;
    if (!out || out->empty()) {
      return bad_answer("no \"quote\" in base64");
    }
    return std::move(*out);
  }
  const auto vcek = string_member(document, "vcekCert");
  const auto chain = string_member(document, "certificateChain");
  if (!vcek || !chain) {
    return bad_answer("no \"vcekCert\" and \"certificateChain\"");
  }
  return to_bytes(as_bytes(*vcek + "\n" + *chain));
}

}  // namespace atls
