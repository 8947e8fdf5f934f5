#include "attester/identity.hpp"

#include "core/files.hpp"
#include "evidence/corim.hpp"
#include "evidence/json.hpp"

namespace atls {
namespace {

constexpr int format_version = 1;

json to_json(const stored_key& key) {
  json out{{"spki", to_base64(key.spki)}};
  if (key.persistent_handle != 0) {
    out["handle"] = key.persistent_handle;
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
  if (const auto handle = member->find("handle"); handle != member->end()) {
    const auto number = integral(*handle);
    if (!number) {
      return std::nullopt;
    }
    out.persistent_handle = static_cast<std::uint32_t>(*number);
    return out;
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

result<tpm::key_handle> stored_key::load(tpm::device& device) const {
  auto key =
      persistent_handle != 0 ? device.open_persistent(persistent_handle) : device.load_key(blobs);
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
  if (version != format_version) {
    return failure(errc::identity_invalid, path.string() + " is not of version 1");
  }
  auto ak = key_from_json(document, "ak");
  auto tik = key_from_json(document, "tik");
  const auto curve = tpm::curve_from_name(string_member(document, "tik_curve").value_or(""));
  const auto class_id = parse_uuid(string_member(document, "class").value_or(""));
  if (!ak || !tik || !curve || !class_id) {
    return failure(errc::identity_invalid, path.string() + " lacks a key, curve or class");
  }
  return identity{std::move(*ak), std::move(*tik), *curve, *class_id};
}

std::string identity::text() const {
  const json document{{"version", format_version},
                      {"ak", to_json(ak)},
                      {"tik", to_json(tik)},
                      {"tik_curve", tpm::name_of(tik_curve)},
                      {"class", format_uuid(class_id)}};
  return document.dump(2) + "\n";
}

}  // namespace atls
