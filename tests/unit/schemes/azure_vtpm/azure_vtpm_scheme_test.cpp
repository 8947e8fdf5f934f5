// The mutation table of the local appraisal: every check is turned red by its own tampering, and
// says its own reason.
#include "schemes/azure_vtpm/azure_vtpm_scheme.hpp"

#include "schemes/parsec_tpm/facts.hpp"
#include "support/azure_evidence.hpp"
#include "support/cvm_evidence.hpp"

#include <catch2/catch.hpp>

using namespace atls;
using namespace atls::test;

namespace {

result<statement> check(const azure_evidence_maker& maker,
                        const azure_vtpm_scheme& by = azure_scheme()) {
  return by.check(maker.make(), {maker.tpm.binder, spki(maker.tpm.tik)});
}

std::string outcome(const azure_evidence_maker& maker,
                    const azure_vtpm_scheme& by = azure_scheme()) {
  const auto checked = check(maker, by);
  return std::string(checked ? "ok" : reason(checked.error().code));
}

struct mutation {
  const char* what;
  errc reason;
  void (*apply)(azure_evidence_maker&);
};

// Of both kinds of hardware.
const mutation mutations[] = {
    {"another key in the runtime data", errc::azure_ak_signature,
     [](azure_evidence_maker& m) {
       m.runtime_data = azure_runtime_data(pkey_ptr(EVP_RSA_gen(2048)).get());
     }},
    {"a certification by another key", errc::azure_ak_signature,
     [](azure_evidence_maker& m) { m.certifier.reset(EVP_RSA_gen(2048)); }},
    {"a certification changed after it was signed", errc::azure_ak_signature,
     [](azure_evidence_maker& m) {
       m.change = [](azure_vtpm_message& of) { of.ak.cert_info[60] ^= 1; };
     }},
    {"a signature that is not RSASSA", errc::signature_unsupported,
     [](azure_evidence_maker& m) {
       m.change = [](azure_vtpm_message& of) { of.ak.signature[1] = 0x16; };
     }},
    {"a signature with SHA-1", errc::signature_unsupported,
     [](azure_evidence_maker& m) {
       m.change = [](azure_vtpm_message& of) { of.ak.signature[3] = 0x04; };
     }},
    {"a certification that no TPM made", errc::azure_ak_magic,
     [](azure_evidence_maker& m) { m.certification.magic = 0; }},
    {"a quote as certification", errc::azure_ak_type,
     [](azure_evidence_maker& m) {
       m.certification.type = tpm_attest::quote_type;
       m.certification.selections = m.tpm.pat.selections;
       m.certification.pcr_digest = m.tpm.pat.pcr_digest;
     }},
    {"another certified name", errc::azure_ak_name,
     [](azure_evidence_maker& m) { m.certification.name[9] ^= 1; }},
    {"a public area that is not the certified one", errc::azure_ak_name,
     [](azure_evidence_maker& m) { m.ak_attributes ^= tpm_attribute::user_with_auth; }},
    {"restricted clear", errc::azure_ak_attributes,
     [](azure_evidence_maker& m) {
       m.ak_attributes &= ~tpm_attribute::restricted;
       m.derive();
     }},
    {"sign clear", errc::azure_ak_attributes,
     [](azure_evidence_maker& m) {
       m.ak_attributes &= ~tpm_attribute::sign;
       m.derive();
     }},
    {"fixedTPM clear", errc::azure_ak_attributes,
     [](azure_evidence_maker& m) {
       m.ak_attributes &= ~tpm_attribute::fixed_tpm;
       m.derive();
     }},
    {"fixedParent clear", errc::azure_ak_attributes,
     [](azure_evidence_maker& m) {
       m.ak_attributes &= ~tpm_attribute::fixed_parent;
       m.derive();
     }},
    {"sensitiveDataOrigin clear", errc::azure_ak_attributes,
     [](azure_evidence_maker& m) {
       m.ak_attributes &= ~tpm_attribute::sensitive_data_origin;
       m.derive();
     }},
    {"decrypt set", errc::azure_ak_attributes,
     [](azure_evidence_maker& m) {
       m.ak_attributes |= tpm_attribute::decrypt;
       m.derive();
     }},
    {"statements that name another key", errc::azure_ak_mismatch,
     [](azure_evidence_maker& m) { m.tpm.kat_kid[9] = m.tpm.pat_kid[9] ^= 1; }},
    {"a key statement by another key", errc::azure_tpm_signature,
     [](azure_evidence_maker& m) { m.tpm.kat_signer = new_key(); }},
    {"a quote by another key", errc::azure_tpm_signature,
     [](azure_evidence_maker& m) { m.tpm.pat_signer = new_key(); }},
    {"a hardware report about something else", errc::azure_runtime_data,
     [](azure_evidence_maker& m) { m.report_data = bytes(32, 7); }},
    {"a hardware report about more than that", errc::azure_runtime_data,
     [](azure_evidence_maker& m) {
       m.report_data = digest("SHA256", as_bytes(m.runtime_data.dump()));
       m.report_data.push_back(1);
     }},
    {"runtime data changed after the report was made", errc::azure_runtime_data,
     [](azure_evidence_maker& m) {
       m.report_data = digest("SHA256", as_bytes(m.runtime_data.dump()));
       m.runtime_data["vm-configuration"]["secure-boot"] = false;
     }},
    {"bound to another handshake", errc::kat_nonce_mismatch,
     [](azure_evidence_maker& m) { m.tpm.kat.extra_data[0] ^= 1; }},
    {"for another TLS key", errc::kat_name_mismatch,
     [](azure_evidence_maker& m) { m.tpm.kat.name[5] ^= 1; }},
    {"a required PCR less", errc::pat_pcrs_missing,
     [](azure_evidence_maker& m) { m.tpm.pat.selections[0].mask &= ~0x80u; }},
    {"PARSEC_TPM Evidence that is none", errc::evidence_malformed,
     [](azure_evidence_maker& m) {
       m.change = [](azure_vtpm_message& of) { of.tpm_evidence = {0xa0}; };
     }},
    {"another key than ECC", errc::evidence_malformed,
     [](azure_evidence_maker& m) {
       m.change = [](azure_vtpm_message& of) { of.ak.public_area[1] = 0x01; };
     }},
    {"bytes after the certification", errc::evidence_malformed,
     [](azure_evidence_maker& m) { m.certification.trailing = {0}; }},
};

}  // namespace

TEST_CASE("Azure: good Evidence passes every local check", "[azure]") {
  for (const auto hardware : {azure_hardware::snp, azure_hardware::tdx}) {
    const azure_evidence_maker maker(hardware);
    const auto checked = check(maker).value();
    CHECK(checked.media_type == azure_vtpm_scheme::type);
    CHECK(checked.instance == kid_of(spki(maker.tpm.ak)));
    CHECK(checked.facts == azure_scheme().read(checked.evidence).value());
    CHECK(to_string(quoted_pcrs(checked.facts)) == "sha256:0,1,2,3,4,5,6,7");
    CHECK(checked.facts["key"]["resident"] == "tpm");
    CHECK(checked.facts["azure"] == json{{"vm_id", "00000000-0000-0000-0000-000000000001"},
                                         {"secure_boot", true},
                                         {"console_enabled", false}});
  }
  const auto snp = check(azure_evidence_maker()).value().facts;
  CHECK(snp["tee"] == "azure-snp");
  CHECK(snp["snp"]["measurement"] == to_hex(read_binary_vector("snp/measurement.bin")));
  const auto tdx = check(azure_evidence_maker(azure_hardware::tdx)).value().facts;
  CHECK(tdx["tee"] == "azure-tdx");
  CHECK(tdx["tdx"]["version"] == 4);
}

TEST_CASE("Azure: every mutation of Evidence is refused with its own reason", "[azure]") {
  for (const auto hardware : {azure_hardware::snp, azure_hardware::tdx}) {
    for (const auto& m : mutations) {
      CAPTURE(m.what);
      azure_evidence_maker maker(hardware);
      REQUIRE(outcome(maker) == "ok");
      m.apply(maker);
      CHECK(outcome(maker) == reason(m.reason));
    }
  }
}

TEST_CASE("Azure: the hardware's report is checked as it is elsewhere", "[azure]") {
  const auto snp = [](const std::function<void(bytes&)>& change,
                      const sev_snp_policy& policy = {}) {
    azure_evidence_maker maker;
    maker.change_hardware = change;
    return outcome(maker, azure_scheme({}, policy));
  };
  const auto debug = [](bytes& report) { report[0x0a] ^= 0x08; };
  CHECK(snp(debug) == "snp_debug");
  CHECK(snp(debug, {.unsafe_debug = true}) == "ok");
  CHECK(snp([](bytes& report) { report[0x0a] ^= 0x04; }) == "snp_migration");
  CHECK(snp([](bytes& report) { report[0x30] = 1; }) == "snp_vmpl");
  CHECK(snp([](bytes& report) { report[0x1a0] ^= 1; }) == "snp_chip_mismatch");

  const auto tdx = [](const std::function<void(bytes&)>& change, const tdx_policy& policy = {}) {
    azure_evidence_maker maker(azure_hardware::tdx);
    maker.change_hardware = change;
    return outcome(maker, azure_scheme({}, {}, policy));
  };
  const auto td_debug = [](bytes& quote) { quote[48 + 120] = 1; };
  CHECK(tdx(td_debug) == "tdx_debug");
  CHECK(tdx(td_debug, {.unsafe_debug = true}) == "ok");
  CHECK(tdx([](bytes& quote) { quote[48 + 112] = 1; }) == "tdx_module");

  azure_evidence_maker unsigned_report;
  unsigned_report.change_hcl = [](bytes& hcl) { hcl[32 + 0x90] ^= 1; };
  CHECK(outcome(unsigned_report) == "snp_signature");
  azure_evidence_maker unsigned_quote(azure_hardware::tdx);
  unsigned_quote.change = [](azure_vtpm_message& of) { of.endorsement[48 + 136] ^= 1; };
  CHECK(outcome(unsigned_quote) == "tdx_signature");
}

TEST_CASE("Azure: a report and an endorsement of different hardware are refused", "[azure]") {
  for (const auto hardware : {azure_hardware::snp, azure_hardware::tdx}) {
    azure_evidence_maker maker(hardware);
    maker.change = [](azure_vtpm_message& of) {
      of.hardware = of.hardware == azure_hardware::snp ? azure_hardware::tdx : azure_hardware::snp;
    };
    CHECK(outcome(maker) == "azure_hardware_mismatch");
  }
}

TEST_CASE("Azure: a report without the certificate of its key is refused", "[azure]") {
  azure_evidence_maker maker;
  maker.certificates = read_vector("snp/ask.pem");
  CHECK(outcome(maker) == "snp_certificate");
  maker.certificates = "none";
  CHECK(outcome(maker) == "snp_certificate");
  maker.certificates = read_vector("snp/vcek.pem") + read_vector("snp/vcek.pem");
  CHECK(outcome(maker) == "evidence_malformed");
  maker.certificates = read_vector("snp/vcek.pem");
  CHECK(outcome(maker) == "ok");
}

TEST_CASE("Azure: a collection of another form is refused", "[azure]") {
  const auto good = azure_evidence_maker().make();
  REQUIRE(azure_vtpm_message::decode(good).has_value());
  const auto replaced = [&](std::string_view from, std::string_view to) {
    REQUIRE(from.size() == to.size());
    std::string text(as_text(good));
    const auto at = text.rfind(from);
    REQUIRE(at != std::string::npos);
    const auto changed = azure_vtpm_message::decode(as_bytes(text.replace(at, to.size(), to)));
    return std::string(changed ? "ok" : reason(changed.error().code));
  };
  for (const auto* const name :
       {"parsec-tpm", "hcl", "vek", "certInfo", "sig", "pubArea", "application/vnd.parallax",
        "application/vnd.atlsd.azure-hcl-report", "application/pem-certificate-chain",
        "application/vnd.atlsd.tpm-certify+cbor"}) {
    CAPTURE(name);
    std::string other(name);
    other.back() = '_';
    CHECK(replaced(name, other) == "evidence_malformed");
  }
  auto longer = good;
  longer.push_back(0);
  CHECK(azure_vtpm_message::decode(longer).has_error());
  CHECK(azure_vtpm_message::decode(bytes_view(good).first(good.size() - 1)).has_error());
  CHECK(azure_vtpm_message::decode({}).has_error());
  CHECK(azure_vtpm_message::decode(bytes(70000, 0xa4)).has_error());
  CHECK(azure_vtpm_message::decode(as_bytes(R"({"hcl": ["application/x", "AAEC"]})")).has_error());
  // A member more, and an empty one.
  auto more = good;
  more[0] = 0xa5;
  append(more, as_bytes("\x61x\x82\x63"));
  append(more, as_bytes("a/b\x41x"));
  CHECK(azure_vtpm_message::decode(more).has_error());
  azure_evidence_maker empty;
  empty.change = [](azure_vtpm_message& of) { of.hcl.clear(); };
  CHECK(outcome(empty) == "evidence_malformed");
}

TEST_CASE("Azure: a peer is checked again by another policy", "[azure]") {
  azure_evidence_maker maker;
  maker.change_hardware = [](bytes& report) { report[0x0a] ^= 0x08; };
  const auto admitted = check(maker, azure_scheme({}, {.unsafe_debug = true})).value();
  CHECK(azure_scheme({}, {.unsafe_debug = true}).recheck(admitted).has_value());
  CHECK(azure_scheme().recheck(admitted).error().code == errc::snp_debug);
  azure_evidence_maker td(azure_hardware::tdx);
  td.change_hardware = [](bytes& quote) { quote[48 + 120] = 1; };
  const auto admitted_td = check(td, azure_scheme({}, {}, {.unsafe_debug = true})).value();
  CHECK(azure_scheme().recheck(admitted_td).error().code == errc::tdx_debug);
  const azure_vtpm_scheme more_pcrs({}, {.required_pcrs = {tpm_hash::sha256, 0x1ff}, .known = {}},
                                    {}, {});
  CHECK(more_pcrs.recheck(check(azure_evidence_maker()).value()).error().code ==
        errc::pat_pcrs_missing);
}

TEST_CASE("Azure: a Verifier is shown all, or the TPM's part where that is spelled out",
          "[azure]") {
  const azure_evidence_maker maker;
  const auto whole = check(maker).value();
  CHECK(azure_scheme().for_veraison(whole).media_type == azure_vtpm_scheme::type);
  CHECK(azure_scheme().for_veraison(whole).content == whole.evidence);
  CHECK(azure_scheme().shape().submodules.at(0).name == azure_vtpm_scheme::submodule);
  CHECK(azure_scheme().shape().names_key);

  const auto part = azure_scheme({.unsafe_tpm_only = true});
  const auto shown = part.for_veraison(whole);
  CHECK(shown.media_type == parsec_tpm_evidence::media_type);
  CHECK(shown.content == azure_vtpm_message::decode(whole.evidence).value().tpm_evidence);
  CHECK(part.shape().submodules.at(0).name == parsec_tpm_evidence::scheme);
  CHECK_FALSE(part.is_for(verifier_type::trustee));
}
