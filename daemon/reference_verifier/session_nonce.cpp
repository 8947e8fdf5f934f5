#include "reference_verifier/session_nonce.hpp"

#include "core/text.hpp"

#include <openssl/rand.h>

namespace atls {
namespace {

constexpr std::size_t min_nonce_size = 8;
constexpr std::size_t max_nonce_size = 64;
constexpr std::size_t default_nonce_size = 32;

failure bad(const std::string& why) {
  return {errc::verifier_protocol, "failed handling nonce request: " + why};
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto escaped =
        text[i] == '%' && i + 2 < text.size() ? from_hex(text.substr(i + 1, 2)) : std::nullopt;
    if (escaped) {
      out += static_cast<char>(escaped->front());
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

struct parameters {
  std::optional<std::string> nonce;
  std::optional<std::string> size;
};

// The last of a name counts.
parameters read(std::string_view query) {
  parameters out;
  for (const auto parameter : split(query, '&')) {
    const auto equals = parameter.find('=');
    const auto name = parameter.substr(0, equals);
    const auto value = equals == std::string_view::npos
                           ? std::string()
                           : percent_decoded(parameter.substr(equals + 1));
    if (name == "nonce") {
      out.nonce = value;
    } else if (name == "nonceSize") {
      out.size = value;
    }
  }
  return out;
}

result<bytes> given_nonce(const std::string& text) {
  const bool is_std = text.find_first_of("+/ ") != std::string::npos;
  auto value = is_std ? std::nullopt : from_any_base64(text);
  if (!value) {
    return bad("nonce must be valid base64");
  }
  if (value->size() < min_nonce_size || value->size() > max_nonce_size) {
    return bad("nonce must be between 8 and 64 bytes long; got " + std::to_string(value->size()));
  }
  return std::move(*value);
}

}  // namespace

result<bytes> session_nonce(std::string_view query) {
  const auto [nonce, size] = read(query);
  if (nonce && size) {
    return bad("nonce and nonceSize are mutually exclusive");
  }
  if (nonce) {
    return given_nonce(*nonce);
  }
  std::size_t count = default_nonce_size;
  if (size) {
    const auto number = parse_number(*size, max_nonce_size);
    if (!number || *number < min_nonce_size) {
      return bad("nonceSize must be in range 8..64");
    }
    count = *number;
  }
  bytes value(count);
  if (RAND_bytes(value.data(), static_cast<int>(value.size())) != 1) {
    throw error({errc::internal, "no random bytes"});
  }
  return value;
}

}  // namespace atls
