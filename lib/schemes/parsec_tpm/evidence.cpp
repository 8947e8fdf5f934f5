#include "schemes/parsec_tpm/evidence.hpp"

#include "core/openssl.hpp"
#include "formats/cbor.hpp"

namespace atls {
namespace {

constexpr std::size_t max_size_bytes = 64 * 1024;

failure malformed(std::string why) {
  return {errc::evidence_malformed, std::move(why)};
}

bool is_ueid(bytes_view kid) {
  if (kid.empty()) {
    return false;
  }
  const auto size = kid.size() - 1;
  switch (kid[0]) {
    case 1:
      return size == 16 || size == 24 || size == 32;
    case 2:
      return size == 6 || size == 8;
    case 3:
      return size == 14;
    default:
      return false;
  }
}

// Where a member of one of the two maps is read from: CBOR or JSON.
struct cbor_source {
  const cbor::item& evidence;

  const cbor::item* statement(std::string_view name) const {
    const auto* found = evidence.find(name);
    return found != nullptr && found->is(cbor::kind::map) ? found : nullptr;
  }
  static std::optional<std::string> text(const cbor::item& map, std::string_view name) {
    const auto* found = map.find(name);
    return found != nullptr && found->is(cbor::kind::text_string)
               ? std::optional(std::string(found->text()))
               : std::nullopt;
  }
  static std::optional<bytes> byte_string(const cbor::item& map, std::string_view name) {
    const auto* found = map.find(name);
    return found != nullptr && found->is(cbor::kind::byte_string) ? std::optional(found->content)
                                                                  : std::nullopt;
  }
};

struct json_source {
  const json& evidence;

  const json* statement(std::string_view name) const {
    const auto found = evidence.find(name);
    return found != evidence.end() && found->is_object() ? &*found : nullptr;
  }
  static std::optional<std::string> text(const json& map, std::string_view name) {
    return string_member(map, std::string(name).c_str());
  }
  static std::optional<bytes> byte_string(const json& map, std::string_view name) {
    const auto value = text(map, name);
    return value ? from_any_base64(*value) : std::nullopt;
  }
};

template <class Source>
result<parsec_tpm_evidence> read(const Source& source) {
  parsec_tpm_evidence out;
  const auto* kat = source.statement("kat");
  const auto* pat = source.statement("pat");
  if (kat == nullptr || pat == nullptr) {
    return malformed(std::string(kat == nullptr ? "kat" : "pat") + " is absent or not a map");
  }
  struct field {
    bool in_kat;
    std::string_view name;
    bytes* target;
  };
  const field fields[] = {{true, "kid", &out.kat.kid},
                          {true, "sig", &out.kat.signature},
                          {true, "pubArea", &out.kat.public_area},
                          {true, "certInfo", &out.kat.cert_info},
                          {false, "kid", &out.pat.kid},
                          {false, "sig", &out.pat.signature},
                          {false, "attestInfo", &out.pat.attest_info}};
  for (const auto& [in_kat, name, target] : fields) {
    auto value = Source::byte_string(in_kat ? *kat : *pat, name);
    if (!value || value->empty()) {
      return malformed((in_kat ? "kat." : "pat.") + std::string(name) +
                       " is absent, empty or not a byte string");
    }
    *target = std::move(*value);
  }
  out.kat.tpm_version = Source::text(*kat, "tpmVer").value_or("");
  out.pat.tpm_version = Source::text(*pat, "tpmVer").value_or("");
  if (out.kat.tpm_version.empty() || out.pat.tpm_version.empty()) {
    return malformed("tpmVer is absent, empty or not text");
  }
  if (!is_ueid(out.kat.kid) || !is_ueid(out.pat.kid)) {
    return failure(errc::kid_malformed,
                   "expected 01 and 16, 24 or 32 bytes, 02 and 6 or 8, or 03 "
                   "and 14");
  }
  return out;
}

}  // namespace

result<parsec_tpm_evidence> parsec_tpm_evidence::decode(bytes_view cbor) {
  ATLS_TRY(const auto item, cbor::decode(cbor, errc::evidence_malformed,
                                         {.size_bytes = max_size_bytes, .depth = 8, .items = 256}));
  return read(cbor_source{item});
}

result<parsec_tpm_evidence> parsec_tpm_evidence::from_json(const json& value) {
  return read(json_source{value});
}

bytes parsec_tpm_evidence::encode() const {
  cbor::writer out;
  out.map(2);
  out.text("kat").map(5);
  out.text("tpmVer").text(kat.tpm_version);
  out.text("kid").byte_string(kat.kid);
  out.text("sig").byte_string(kat.signature);
  out.text("pubArea").byte_string(kat.public_area);
  out.text("certInfo").byte_string(kat.cert_info);
  out.text("pat").map(4);
  out.text("tpmVer").text(pat.tpm_version);
  out.text("kid").byte_string(pat.kid);
  out.text("sig").byte_string(pat.signature);
  out.text("attestInfo").byte_string(pat.attest_info);
  return std::move(out).data();
}

json parsec_tpm_evidence::to_json() const {
  return {{"kat",
           {{"tpmVer", kat.tpm_version},
            {"kid", to_base64(kat.kid)},
            {"sig", to_base64(kat.signature)},
            {"pubArea", to_base64(kat.public_area)},
            {"certInfo", to_base64(kat.cert_info)}}},
          {"pat",
           {{"tpmVer", pat.tpm_version},
            {"kid", to_base64(pat.kid)},
            {"sig", to_base64(pat.signature)},
            {"attestInfo", to_base64(pat.attest_info)}}}};
}

bytes kid_of(bytes_view ak_spki) {
  bytes kid{1};
  append(kid, digest("SHA256", ak_spki));
  return kid;
}

}  // namespace atls
