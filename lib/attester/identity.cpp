#include "attester/identity.hpp"

#include "core/files.hpp"
#include "core/text.hpp"
#include "formats/corim.hpp"
#include "formats/json.hpp"

#include <cstdlib>

namespace atls {
namespace {

constexpr int format_version = 2;
constexpr const char* credential_name = "atlsd-key-authorization";
constexpr std::size_t authorization_size = 32;

json to_json(const stored_key& key) {
  json out{{"spki", to_base64(key.spki)}};
  if (key.persistent_handle != 0) {
    out["handle"] = key.persistent_handle;
  } else if (key.made_from != 0) {
    out["template"] = key.made_from;
  } else {
    out["public"] = to_base64(key.blobs.public_area);
    out["private"] = to_base64(key.blobs.private_area);
  }
  return out;
}

std::optional<bytes> byte_member(const json& object, const char* name) {
  const auto text = string_member(object, name);
  return text ? from_any_base64(*text) : std::nullopt;
}

std::optional<bytes> authorization_from(std::string_view text) {
  auto value = from_hex(text);
  return value && value->size() == authorization_size ? value : std::nullopt;
}

// Version 1 said it by the AK's curve.
std::optional<tpm_hash> bank_from_json(const json& document, const stored_key& ak) {
  if (const auto name = string_member(document, "bank")) {
    return hash_from_name(*name);
  }
  return curve_of(ak.spki) == "P-256" ? tpm_hash::sha256 : tpm_hash::sha384;
}

std::optional<stored_key> key_from_json(const json& document, const char* name) {
  const auto member = document.find(name);
  if (member == document.end() || !member->is_object()) {
    return std::nullopt;
  }
  stored_key out;
  auto spki = byte_member(*member, "spki");
  if (!spki) {
    return std::nullopt;
  }
  out.spki = std::move(*spki);
  for (const auto& [place, number] : {std::pair("handle", &stored_key::persistent_handle),
                                      std::pair("template", &stored_key::made_from)}) {
    if (const auto found = member->find(place); found != member->end()) {
      const auto value = integral(*found);
      if (!value) {
        return std::nullopt;
      }
      out.*number = static_cast<std::uint32_t>(*value);
      return out;
    }
  }
  auto public_area = byte_member(*member, "public");
  auto private_area = byte_member(*member, "private");
  if (!public_area || !private_area) {
    return std::nullopt;
  }
  out.blobs = {std::move(*public_area), std::move(*private_area)};
  return out;
}

}  // namespace

result<tpm::key_handle> stored_key::load(tpm::device& device, const tpm::key_access& access) const {
  auto key = persistent_handle != 0
                 ? device.open_persistent(persistent_handle, access.authorization)
             : made_from != 0 ? device.create_from_template(made_from)
                              : device.load_key(blobs, access);
  if (key && key->spki != spki) {
    return failure(errc::identity_invalid,
                   "the key in the TPM is not the one that was provisioned; another program may "
                   "have replaced it: run atls provision with a new state directory");
  }
  return key;
}

result<identity> identity::load(const std::filesystem::path& state_dir) {
  const auto path = state_dir / file_name;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return failure(errc::not_provisioned,
                   path.string() +
                       " does not exist; run \"atls provision\" with this state "
                       "directory first");
  }
  ATLS_TRY(const auto text, read_file(path, errc::identity_invalid));
  ATLS_TRY(const json document, parse_json(text, errc::identity_invalid));
  const auto version =
      document.is_object() ? integral(document.value("version", json())) : std::nullopt;
  if (!version || *version < 1 || *version > format_version) {
    return failure(errc::identity_invalid, path.string() + " is not of version 1 or 2");
  }
  auto ak = key_from_json(document, "ak");
  auto tik = key_from_json(document, "tik");
  const auto curve = tpm::curve_from_name(string_member(document, "tik_curve").value_or(""));
  const auto class_id = parse_uuid(string_member(document, "class").value_or(""));
  const auto bank = ak ? bank_from_json(document, *ak) : std::nullopt;
  if (!ak || !tik || !curve || !class_id || !bank) {
    return failure(errc::identity_invalid, path.string() + " lacks a key, curve, class or bank");
  }
  bytes authorization;
  if (const auto secret = string_member(document, "authorization")) {
    auto value = authorization_from(*secret);
    if (!value) {
      return failure(errc::identity_invalid,
                     path.string() + ": authorization, expected 64 hexadecimal digits");
    }
    authorization = std::move(*value);
  }
  return identity{std::move(*ak), std::move(*tik), std::move(authorization), *curve, *bank,
                  *class_id,      *version == 1};
}

std::string identity::text() const {
  json document{{"version", format_version},
                {"ak", to_json(ak)},
                {"tik", to_json(tik)},
                {"tik_curve", tpm::name_of(tik_curve)},
                {"bank", name_of(bank).value_or("")},
                {"class", format_uuid(class_id)}};
  if (!authorization.empty()) {
    document["authorization"] = to_hex(authorization);
  }
  return document.dump(2) + "\n";
}

result<tpm::key_access> identity::access() const {
  if (is_outdated) {
    return tpm::key_access{tpm::hierarchy::owner, {}};
  }
  tpm::key_access out{tpm::hierarchy::endorsement, authorization};
  if (out.authorization.empty()) {
    ATLS_TRY(out.authorization, read_authorization_credential());
  }
  return out;
}

result<void> identity::check_pcrs(const pcr_selection& pcrs) const {
  if (pcrs.bank == bank) {
    return {};
  }
  const auto have = std::string(name_of(bank).value_or("another hash"));
  return failure(errc::config_invalid,
                 "found the PCRs " + to_string(pcrs) + ", expected the bank " + have +
                     ": the attestation key signs with " + have +
                     ", and Verifiers refuse its quote over another bank; a key for this one is "
                     "made by \"atls provision --pcrs " +
                     to_string(pcrs) + "\" in a new state directory");
}

std::filesystem::path authorization_credential() {
  const char* const directory = ::secure_getenv("CREDENTIALS_DIRECTORY");
  const auto file = std::filesystem::path(directory != nullptr ? directory : "") / credential_name;
  std::error_code ignored;
  return directory != nullptr && std::filesystem::exists(file, ignored) ? file
                                                                        : std::filesystem::path();
}

result<bytes> read_authorization_credential() {
  const auto file = authorization_credential();
  if (file.empty()) {
    return failure(errc::identity_invalid, std::string("the keys' authorisation is not in ") +
                                               std::string(identity::file_name) +
                                               ", and there is no systemd credential \"" +
                                               credential_name + "\" (LoadCredential=)");
  }
  ATLS_TRY(const auto text, read_file(file, errc::identity_invalid));
  auto value = authorization_from(split(text, '\n').front());
  if (!value) {
    return failure(errc::identity_invalid, file.string() + ": expected 64 hexadecimal digits");
  }
  return std::move(*value);
}

}  // namespace atls
