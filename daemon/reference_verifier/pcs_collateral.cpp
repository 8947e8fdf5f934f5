#include "reference_verifier/pcs_collateral.hpp"

#include "core/certificates.hpp"
#include "core/text.hpp"
#include "formats/jose.hpp"

#include <algorithm>

namespace atls {
namespace {

failure wrong(std::string what) {
  return {errc::endorsement_missing, "collateral: " + std::move(what)};
}

// Worst last.
constexpr std::string_view states[] = {"UpToDate",
                                       "SWHardeningNeeded",
                                       "ConfigurationNeeded",
                                       "ConfigurationAndSWHardeningNeeded",
                                       "OutOfDate",
                                       "OutOfDateConfigurationNeeded",
                                       "Revoked"};

std::size_t rank_of(std::string_view state) {
  return static_cast<std::size_t>(std::ranges::find(states, state) - std::begin(states));
}

std::string worse(const std::string& a, const std::string& b) {
  return rank_of(a) < rank_of(b) ? b : a;
}

std::uint64_t number(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>()
                                                              : ~std::uint64_t{0};
}

// No component from the `first` on is older than the level's.
bool reaches(const json& level, const char* name, bytes_view svn, std::size_t first = 0) {
  const auto& components = level.at("tcb").at(name);
  for (std::size_t i = first; i < svn.size(); ++i) {
    if (components.size() != svn.size() || number(components.at(i), "svn") > svn[i]) {
      return false;
    }
  }
  return true;
}

bool reaches_sgx(const json& level, const pck_extension& platform) {
  return reaches(level, "sgxtcbcomponents", platform.component_svn) &&
         number(level.at("tcb"), "pcesvn") <= platform.pce_svn;
}

// The first level that is reached: they stand newest first.
template <class IsReached>
result<std::string> state_of(const json& levels, IsReached is_reached) {
  for (const auto& level : levels) {
    if (is_reached(level)) {
      return level.at("tcbStatus").get<std::string>();
    }
  }
  return failure(errc::evidence_malformed, "older than any TCB level that is known");
}

bool equal_under(const json& of, const char* value, const char* mask, bytes_view found) {
  const auto wanted = from_hex(of.at(value).get<std::string>());
  const auto bits = from_hex(of.at(mask).get<std::string>());
  if (!wanted || !bits || wanted->size() != found.size() || bits->size() != found.size()) {
    return false;
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    if ((found[i] & (*bits)[i]) != (*wanted)[i]) {
      return false;
    }
  }
  return true;
}

bool is_signed_by(const json& of, bytes_view signer) {
  const auto wanted = from_hex(of.at("mrsigner").get<std::string>());
  return wanted && equal(*wanted, signer);
}

result<std::string> platform_state(const json& info, const tdx_quote& quote,
                                   const pck_extension& platform) {
  const bytes_view tdx = quote.report.tee_tcb_svn;
  // Since TDX 1.5 the first two are the module's, whose identity says more (module_state).
  const std::size_t first = tdx[1] > 0 ? 2 : 0;
  return state_of(info.at("tcbLevels"), [&](const json& level) {
    return reaches_sgx(level, platform) && reaches(level, "tdxtcbcomponents", tdx, first);
  });
}

result<std::string> module_state(const json& info, const tdx_quote& quote) {
  const auto& report = quote.report;
  if (report.tee_tcb_svn[1] == 0) {
    if (!is_signed_by(info.at("tdxModule"), report.mrsignerseam)) {
      return failure(errc::evidence_malformed, "another TDX module");
    }
    return std::string(states[0]);
  }
  const auto id = "TDX_" + to_hex(bytes_view(report.tee_tcb_svn).subspan(1, 1));
  for (const auto& one : info.at("tdxModuleIdentities")) {
    if (one.at("id") == id && is_signed_by(one, report.mrsignerseam)) {
      return state_of(one.at("tcbLevels"), [&](const json& level) {
        return number(level.at("tcb"), "isvsvn") <= report.tee_tcb_svn[0];
      });
    }
  }
  return failure(errc::evidence_malformed, "TDX module " + id + " is not known");
}

result<std::string> enclave_state(const json& identity, const enclave_report& enclave) {
  bytes misc(4);
  for (std::size_t i = 0; i < misc.size(); ++i) {
    misc[i] = static_cast<std::uint8_t>(enclave.misc_select >> 8 * i);
  }
  if (!is_signed_by(identity, enclave.mrsigner) ||
      number(identity, "isvprodid") != enclave.product_id ||
      !equal_under(identity, "attributes", "attributesMask", enclave.attributes) ||
      !equal_under(identity, "miscselect", "miscselectMask", misc)) {
    return failure(errc::evidence_malformed, "another Quoting Enclave");
  }
  return state_of(identity.at("tcbLevels"), [&](const json& level) {
    return number(level.at("tcb"), "isvsvn") <= enclave.security_version;
  });
}

}  // namespace

result<pcs_collateral::signed_document> pcs_collateral::read_signed(const json& from,
                                                                    const std::string& name) {
  signed_document out;
  auto text = string_member(from, name.c_str());
  const auto signature = from_hex(string_member(from, (name + "_signature").c_str()).value_or("-"));
  const auto chain = string_member(from, (name + "_issuer_chain").c_str());
  if (!text || !signature || !chain) {
    return wrong("expected text as \"" + name + "\", \"" + name + "_signature\" and \"" + name +
                 "_issuer_chain\"");
  }
  ATLS_TRY(out.content, parse_json(*text, errc::endorsement_missing));
  out.text = std::move(*text);
  out.signature = *signature;
  out.chain = certificates_from_pem(*chain);
  if (out.chain.empty() || !out.content.is_object()) {
    return wrong("\"" + name + "\" or its chain is empty: " + openssl_errors());
  }
  return out;
}

result<pcs_collateral> pcs_collateral::read(std::string_view text) {
  ATLS_TRY(const auto document, parse_json(text, errc::endorsement_missing));
  if (!document.is_object()) {
    return wrong("not an object");
  }
  pcs_collateral out;
  { ATLS_TRY(out.tcb_info_, read_signed(document, "tcb_info")); }
  { ATLS_TRY(out.enclave_identity_, read_signed(document, "qe_identity")); }
  const auto fmspc = from_hex(string_member(out.tcb_info_.content, "fmspc").value_or("-"));
  const auto id = string_member(out.tcb_info_.content, "id").value_or("");
  out.is_for_tdx_ = id == "TDX";
  if (!fmspc || (id != "TDX" && id != "SGX") ||
      string_member(out.enclave_identity_.content, "id") != (out.is_for_tdx_ ? "TD_QE" : "QE")) {
    return wrong("it is about neither TDX nor SGX");
  }
  out.fmspc_ = *fmspc;
  for (const char* name : {"pck_crl", "root_ca_crl"}) {
    const auto raw = from_hex(string_member(document, name).value_or("-"));
    auto list = raw ? crl_from(*raw) : nullptr;
    if (!list) {
      return wrong("\"" + std::string(name) + "\" is not a revocation list: " + openssl_errors());
    }
    out.revoked_.push_back(std::move(list));
  }
  return out;
}

result<void> pcs_collateral::check_document(const signed_document& document,
                                            const trusted_roots& roots,
                                            std::chrono::system_clock::time_point now) const {
  ATLS_CHECK(check_chain(document.chain.front().get(), document.chain, roots, revoked_));
  pkey_ptr key(X509_get_pubkey(document.chain.front().get()));
  ATLS_TRY(auto algorithm, algorithm_for(key.get()));
  if (!verify_signature({std::move(algorithm), std::move(key)}, as_bytes(document.text),
                        document.signature)) {
    return wrong("it is not signed by its chain");
  }
  // Both are in UTC and have four digits of a year: as text they are ordered as in time.
  const auto next = string_member(document.content, "nextUpdate").value_or("");
  if (next < rfc3339(now)) {
    return wrong("there has been newer since " + next);
  }
  return {};
}

result<void> pcs_collateral::check(const trusted_roots& roots,
                                   std::chrono::system_clock::time_point now) const {
  ATLS_CHECK(check_document(tcb_info_, roots, now));
  return check_document(enclave_identity_, roots, now);
}

result<std::string> pcs_collateral::tcb_status(const tdx_quote& quote,
                                               const pck_extension& platform) const {
  // It is signed by Intel: what stands in another place than it should is no attack.
  try {
    ATLS_TRY(const auto of_platform, platform_state(tcb_info_.content, quote, platform));
    ATLS_TRY(const auto of_module, module_state(tcb_info_.content, quote));
    ATLS_TRY(const auto of_enclave,
             enclave_state(enclave_identity_.content, quote.signed_by.enclave));
    return worse(worse(of_platform, of_module), of_enclave);
  } catch (const json::exception& e) {
    return wrong(e.what());
  }
}

result<std::string> pcs_collateral::tcb_status(const sgx_quote& quote,
                                               const pck_extension& platform) const {
  try {
    ATLS_TRY(const auto of_platform,
             state_of(tcb_info_.content.at("tcbLevels"),
                      [&](const json& level) { return reaches_sgx(level, platform); }));
    ATLS_TRY(const auto of_enclave,
             enclave_state(enclave_identity_.content, quote.signed_by.enclave));
    return worse(of_platform, of_enclave);
  } catch (const json::exception& e) {
    return wrong(e.what());
  }
}

}  // namespace atls
