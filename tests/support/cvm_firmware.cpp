#include "support/cvm_firmware.hpp"

#include "formats/cbor.hpp"

#include <algorithm>
#include <stdexcept>

#include <openssl/ecdsa.h>

namespace atls::test {
namespace {

/// r and s of a signature over `message`, each `size` bytes, big-endian.
std::pair<bytes, bytes> sign(EVP_PKEY* key, const EVP_MD* hash, bytes_view message,
                             std::size_t size) {
  const md_ctx_ptr context(EVP_MD_CTX_new());
  std::size_t length = 0;
  EVP_DigestSignInit(context.get(), nullptr, hash, nullptr, key);
  EVP_DigestSign(context.get(), nullptr, &length, message.data(), message.size());
  bytes der(length);
  if (EVP_DigestSign(context.get(), der.data(), &length, message.data(), message.size()) != 1) {
    throw std::runtime_error("cannot sign: " + openssl_errors());
  }
  const auto* at = der.data();
  const std::unique_ptr<ECDSA_SIG, openssl_deleter<ECDSA_SIG_free>> signature(
      d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(length)));
  bytes r(size);
  bytes s(size);
  BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), r.data(), static_cast<int>(size));
  BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), s.data(), static_cast<int>(size));
  return {r, s};
}

void put(bytes& to, std::size_t at, bytes_view content) {
  std::ranges::copy(content, to.begin() + static_cast<std::ptrdiff_t>(at));
}

class snp_firmware final : public firmware {
 public:
  snp_firmware(bytes of, pkey_ptr key) : template_(std::move(of)), key_(std::move(key)) {}

  bytes report(const request_data& data, unsigned level) const override {
    constexpr std::size_t number = 72;
    bytes out = template_;
    out[0x30] = static_cast<std::uint8_t>(level);
    put(out, 0x50, data);
    auto [r, s] = sign(key_.get(), EVP_sha384(), bytes_view(out).first(0x2a0), number);
    std::ranges::reverse(r);
    std::ranges::reverse(s);
    put(out, 0x2a0, r);
    put(out, 0x2a0 + number, s);
    return out;
  }

 private:
  const bytes template_;
  const pkey_ptr key_;
};

// ECDSA quotes: a header of 48 bytes, a body, signature data.
class quote_firmware final : public firmware {
 public:
  quote_firmware(bytes of, pkey_ptr key, std::size_t body_bytes, std::size_t report_data_at)
      : signed_bytes_(48 + body_bytes),
        report_data_at_(48 + report_data_at),
        template_(std::move(of)),
        key_(std::move(key)) {}

  bytes report(const request_data& data, unsigned) const override {
    constexpr std::size_t number = 32;
    bytes out = template_;
    put(out, report_data_at_, data);
    const auto [r, s] =
        sign(key_.get(), EVP_sha256(), bytes_view(out).first(signed_bytes_), number);
    put(out, signed_bytes_ + 4, r);
    put(out, signed_bytes_ + 4 + number, s);
    return out;
  }

 private:
  const std::size_t signed_bytes_;
  const std::size_t report_data_at_;
  const bytes template_;
  const pkey_ptr key_;
};

// Tokens of tag 907. The realm's challenge is found by what it is in the template: nothing else in
// a token is 64 bytes long but the personalization value.
class cca_firmware final : public firmware {
 public:
  cca_firmware(bytes of, pkey_ptr key) : template_(std::move(of)), key_(std::move(key)) {
    const auto document = cbor::decode(template_, errc::internal).value();
    const auto& realm = document.tagged(907)->find(44241)->items.at(1).content;
    const auto token = cbor::decode(realm, errc::internal).value();
    const auto& parts = token.tagged(18)->items;
    const auto claims = cbor::decode(parts.at(2).content, errc::internal).value();
    protected_ = parts.at(0).content;
    payload_size_ = parts.at(2).content.size();
    payload_at_ = place_of(parts.at(2).content);
    challenge_at_ = place_of(claims.find(10)->content);
    signature_at_ = place_of(parts.at(3).content);
  }

  bytes report(const request_data& data, unsigned) const override {
    constexpr std::size_t number = 48;
    bytes out = template_;
    put(out, challenge_at_, data);
    // Sig_structure (RFC 9052 section 4.4).
    cbor::writer message;
    message.array(4)
        .text("Signature1")
        .byte_string(protected_)
        .byte_string({})
        .byte_string(bytes_view(out).subspan(payload_at_, payload_size_));
    const auto [r, s] = sign(key_.get(), EVP_sha384(), message.data(), number);
    put(out, signature_at_, r);
    put(out, signature_at_ + number, s);
    return out;
  }

 private:
  std::size_t place_of(bytes_view part) const {
    const auto found = std::ranges::search(template_, part);
    if (found.empty()) {
      throw std::runtime_error("the token is not as expected");
    }
    return static_cast<std::size_t>(found.begin() - template_.begin());
  }

  const bytes template_;
  const pkey_ptr key_;
  bytes protected_;
  std::size_t payload_at_ = 0;
  std::size_t payload_size_ = 0;
  std::size_t challenge_at_ = 0;
  std::size_t signature_at_ = 0;
};

}  // namespace

std::unique_ptr<firmware> make_firmware(const std::string& provider, bytes report_template,
                                        pkey_ptr key) {
  if (provider == "sev_guest") {
    return std::make_unique<snp_firmware>(std::move(report_template), std::move(key));
  }
  if (provider == "tdx_guest") {
    return std::make_unique<quote_firmware>(std::move(report_template), std::move(key), 584, 520);
  }
  if (provider == "sgx") {
    return std::make_unique<quote_firmware>(std::move(report_template), std::move(key), 384, 320);
  }
  if (provider == "arm_cca_guest") {
    return std::make_unique<cca_firmware>(std::move(report_template), std::move(key));
  }
  throw std::runtime_error("expected sev_guest, tdx_guest, arm_cca_guest or sgx");
}

}  // namespace atls::test
