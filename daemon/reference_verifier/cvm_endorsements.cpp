#include "reference_verifier/cvm_endorsements.hpp"

#include "core/certificates.hpp"
#include "core/files.hpp"

#include <algorithm>

namespace atls {
namespace {

namespace fs = std::filesystem;

result<jws_key> platform_key(bytes_view spki) {
  ATLS_TRY(auto key, key_from_spki(spki));
  ATLS_TRY(auto algorithm, algorithm_for(key.get()));
  return jws_key{std::move(algorithm), std::move(key)};
}

// Reads one document; what is wrong in it is told with its place.
class reader {
 public:
  explicit reader(const fs::path& document) : document_(document) {}

  failure problem(const std::string& place, const std::string& what) const {
    return {errc::endorsement_missing, document_.string() + ": " + place + ": " + what};
  }

  result<void> read(cvm_endorsements& to) const {
    ATLS_TRY(const auto text, read_file(document_, errc::endorsement_missing));
    ATLS_TRY(const auto whole, parse_json(text, errc::endorsement_missing));
    ATLS_CHECK(check_members(whole, "", {"snp", "tdx", "sgx", "cca", "azure"}));
    if (whole.contains("snp")) {
      ATLS_CHECK(read_snp(whole["snp"], to));
    }
    if (whole.contains("tdx")) {
      ATLS_CHECK(read_intel(whole["tdx"], "tdx", to.tdx));
    }
    if (whole.contains("sgx")) {
      ATLS_CHECK(read_intel(whole["sgx"], "sgx", to.sgx));
    }
    if (whole.contains("cca")) {
      ATLS_CHECK(read_cca(whole["cca"], to));
    }
    if (whole.contains("azure")) {
      ATLS_CHECK(read_azure(whole["azure"], to));
    }
    return {};
  }

 private:
  result<void> check_members(const json& object, const std::string& place,
                             std::initializer_list<std::string_view> known) const {
    if (!object.is_object()) {
      return problem(place, "expected an object");
    }
    for (const auto& [name, value] : object.items()) {
      if (std::ranges::find(known, name) == known.end()) {
        return problem(place, "\"" + name + "\" is not known");
      }
    }
    return {};
  }

  result<std::string> content_of(const json& object, const char* name,
                                 const std::string& place) const {
    const auto file = string_member(object, name);
    if (!file) {
      return problem(place + "." + name, "expected the name of a file");
    }
    return read_file(document_.parent_path() / *file, errc::endorsement_missing);
  }

  result<std::vector<std::string>> contents_of(const json& object, const char* name,
                                               const std::string& place) const {
    std::vector<std::string> out;
    for (const auto& one : object.value(name, json::array())) {
      if (!one.is_string()) {
        return problem(place + "." + name, "expected names of files");
      }
      ATLS_TRY(out.emplace_back(), read_file(document_.parent_path() / one.get<std::string>(),
                                             errc::endorsement_missing));
    }
    return out;
  }

  result<void> read_roots(const json& object, const std::string& place, trusted_roots& to) const {
    if (!object.contains("roots")) {
      return {};
    }
    ATLS_TRY(const auto text, content_of(object, "roots", place));
    to = {.certificates = certificates_from_pem(text), .fingerprints = {}};
    if (to.certificates.empty()) {
      return problem(place + ".roots", "no PEM certificate: " + openssl_errors());
    }
    return {};
  }

  result<void> read_lists(const json& object, const std::string& place,
                          std::vector<crl_ptr>& to) const {
    ATLS_TRY(const auto lists, contents_of(object, "crls", place));
    for (const auto& one : lists) {
      auto list = crl_from(as_bytes(one));
      if (!list) {
        return problem(place + ".crls", "not a revocation list: " + openssl_errors());
      }
      to.push_back(std::move(list));
    }
    return {};
  }

  result<void> read_references(const json& object, const std::string& place, const char* name,
                               std::vector<json>& to) const {
    for (const auto& one : object.value(name, json::array())) {
      if (!one.is_object() || one.empty()) {
        return problem(place + "." + name, "expected objects of facts");
      }
      to.push_back(one);
    }
    return {};
  }

  result<void> read_snp(const json& snp, cvm_endorsements& to) const {
    ATLS_CHECK(check_members(snp, "snp", {"roots", "crls", "min_tcb", "references"}));
    ATLS_CHECK(read_roots(snp, "snp", to.snp.roots));
    ATLS_CHECK(read_lists(snp, "snp", to.snp.revoked));
    const auto tcb = snp.value("min_tcb", json::object());
    ATLS_CHECK(check_members(tcb, "snp.min_tcb", {"bootloader", "tee", "snp", "microcode", "fmc"}));
    for (const auto& [name, part] : {std::pair("bootloader", &snp_tcb::bootloader),
                                     {"tee", &snp_tcb::tee},
                                     {"snp", &snp_tcb::snp},
                                     {"microcode", &snp_tcb::microcode}}) {
      ATLS_CHECK(read_version(tcb, name, to.snp.min_tcb.*part));
    }
    if (tcb.contains("fmc")) {
      ATLS_CHECK(read_version(tcb, "fmc", to.snp.min_tcb.fmc.emplace()));
    }
    return read_references(snp, "snp", "references", to.snp.references);
  }

  result<void> read_version(const json& tcb, const char* name, std::uint8_t& to) const {
    const auto found = tcb.find(name);
    if (found == tcb.end()) {
      return {};
    }
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > 255) {
      return problem("snp.min_tcb." + std::string(name), "expected 0 to 255");
    }
    to = found->get<std::uint8_t>();
    return {};
  }

  result<void> read_intel(const json& known, const std::string& place,
                          intel_endorsements& to) const {
    ATLS_CHECK(check_members(known, place, {"roots", "collateral", "accepted", "references"}));
    ATLS_CHECK(read_roots(known, place, to.roots));
    ATLS_TRY(const auto collateral, contents_of(known, "collateral", place));
    for (const auto& one : collateral) {
      auto read = pcs_collateral::read(one);
      if (!read || read->is_for_tdx() != (place == "tdx")) {
        return problem(place + ".collateral", read ? "of another TEE" : read.error().detail);
      }
      to.collateral.push_back(std::move(*read));
    }
    if (known.contains("accepted")) {
      to.accepted.clear();
    }
    for (const auto& one : known.value("accepted", json::array())) {
      if (!one.is_string()) {
        return problem(place + ".accepted", "expected names of TCB states");
      }
      to.accepted.push_back(one.get<std::string>());
    }
    return read_references(known, place, "references", to.references);
  }

  result<void> read_cca(const json& cca, cvm_endorsements& to) const {
    ATLS_CHECK(check_members(cca, "cca", {"platforms", "platform_references", "references"}));
    for (const auto& one : cca.value("platforms", json::array())) {
      ATLS_CHECK(check_members(one, "cca.platforms", {"instance_id", "key"}));
      const auto id = from_hex(string_member(one, "instance_id").value_or("-"));
      if (!id) {
        return problem("cca.platforms.instance_id", "expected hexadecimal");
      }
      ATLS_TRY(const auto text, content_of(one, "key", "cca.platforms"));
      ATLS_TRY(const auto spki, spki_from_pem(text));
      ATLS_TRY(auto key, platform_key(spki));
      to.cca.platforms.insert_or_assign(*id, std::move(key));
    }
    ATLS_CHECK(read_references(cca, "cca", "platform_references", to.cca.platform_references));
    return read_references(cca, "cca", "references", to.cca.references);
  }

  result<void> read_azure(const json& azure, cvm_endorsements& to) const {
    ATLS_CHECK(check_members(azure, "azure", {"snp", "tdx"}));
    ATLS_CHECK(read_references(azure, "azure", "snp", to.azure.snp));
    return read_references(azure, "azure", "tdx", to.azure.tdx);
  }

  const fs::path& document_;
};

bool agrees(const json& found, const json& wanted) {
  if (!found.is_array() || !wanted.is_array()) {
    return found == wanted;
  }
  return std::ranges::all_of(
      found, [&](const json& one) { return std::ranges::find(wanted, one) != wanted.end(); });
}

}  // namespace

trusted_roots amd_roots() {
  return {.certificates = {},
          .fingerprints = {"69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd",
                           "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1",
                           "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a"}};
}

trusted_roots intel_roots() {
  return {.certificates = {},
          .fingerprints = {"44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"}};
}

result<void> cvm_endorsements::add(const fs::path& document) {
  return reader(document).read(*this);
}

result<void> cvm_endorsements::add(const cca_endorsements& endorsements) {
  for (const auto& [instance, spki] : endorsements.platform_keys) {
    ATLS_TRY(auto key, platform_key(spki));
    cca.platforms.insert_or_assign(instance, std::move(key));
  }
  std::ranges::copy(endorsements.platforms, std::back_inserter(cca.platform_references));
  std::ranges::copy(endorsements.realms, std::back_inserter(cca.references));
  return {};
}

bool matches_any(const json& facts, const std::vector<json>& references) {
  return std::ranges::any_of(references, [&](const json& wanted) {
    for (const auto& [name, value] : wanted.items()) {
      if (!facts.contains(name) || !agrees(facts.at(name), value)) {
        return false;
      }
    }
    return true;
  });
}

}  // namespace atls
