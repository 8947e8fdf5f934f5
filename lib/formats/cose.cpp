#include "formats/cose.hpp"

#include <array>

namespace atls {
namespace {

constexpr std::uint64_t sign1_tag = 18;
constexpr std::uint64_t cwt_tag = 61;
constexpr std::int64_t algorithm_label = 1;
constexpr std::int64_t critical_label = 2;

// RFC 9053 section 2 and RFC 8230, by their names in JOSE.
constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> algorithms = {
    {{"ES256", -7}, {"ES384", -35}, {"ES512", -36}, {"EdDSA", -8}, {"PS256", -37}}};

}  // namespace

std::optional<std::int64_t> cose_sign1::algorithm() const {
  const auto* found = header.find(algorithm_label);
  return found != nullptr ? found->integer() : std::nullopt;
}

result<cose_sign1> parse_cose_sign1(bytes_view input, errc error) {
  using cbor::kind;
  ATLS_TRY(const cbor::item document, cbor::decode(input, error));
  const cbor::item* content = &document;
  if (const auto* inner = document.tagged(cwt_tag)) {
    content = inner;
  }
  content = content->tagged(sign1_tag);
  if (content == nullptr || !content->is(kind::array) || content->items.size() != 4 ||
      !content->items[0].is(kind::byte_string) || !content->items[1].is(kind::map) ||
      !content->items[2].is(kind::byte_string) || !content->items[3].is(kind::byte_string)) {
    return failure(error, "it is not a COSE_Sign1");
  }
  cose_sign1 out;
  out.protected_bytes = content->items[0].content;
  ATLS_TRY(out.header, cbor::decode(out.protected_bytes, error));
  out.payload = content->items[2].content;
  out.signature = content->items[3].content;
  return out;
}

result<bytes> verify_cwt(bytes_view token, const jws_key& key) {
  ATLS_TRY(auto message, parse_cose_sign1(token, errc::ear_malformed));
  if (message.header.find(critical_label) != nullptr) {
    return failure(errc::ear_malformed, "the header has a \"crit\"");
  }
  const auto algorithm = message.algorithm();
  const auto* const known =
      std::ranges::find_if(algorithms, [&](const auto& one) { return one.first == key.algorithm; });
  if (!algorithm || known == algorithms.end() || known->second != *algorithm) {
    return failure(errc::ear_algorithm, "found " +
                                            (algorithm ? std::to_string(*algorithm) : "none") +
                                            ", the configured key is for " + key.algorithm);
  }
  // Sig_structure (section 4.4).
  cbor::writer to_sign;
  to_sign.array(4).text("Signature1").byte_string(message.protected_bytes).byte_string({});
  to_sign.byte_string(message.payload);
  if (!verify_signature(key, to_sign.data(), message.signature)) {
    return failure(errc::ear_signature);
  }
  return std::move(message.payload);
}

}  // namespace atls
