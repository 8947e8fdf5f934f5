#include "schemes/parsec_tpm/endorsements.hpp"

#include "schemes/parsec_tpm/evidence.hpp"
#include "support/software_tpm.hpp"
#include "support/vectors.hpp"

#include <algorithm>
#include <set>

using namespace atls;
using namespace atls::test;

namespace {

result<parsec_tpm_endorsements> read(const std::string& name) {
  const auto parsed = parse_corim(read_binary_vector(name));
  return parsed ? parsec_tpm_endorsements::from_corim(*parsed) : parsed.error();
}

// Tags, keys, numbers, texts and the lengths of byte strings; the CoMIDs in byte strings decoded.
std::string shape(const cbor::item& of) {
  using cbor::kind;
  std::string out = std::to_string(static_cast<int>(of.type));
  if (of.is(kind::unsigned_integer) || of.is(kind::tag)) {
    out += " " + std::to_string(of.number);
  } else if (of.is(kind::text_string)) {
    out += " " + std::string(of.text());
  } else if (of.is(kind::byte_string)) {
    const auto inner = cbor::decode(of.content, errc::internal);
    const bool is_comid = inner && (inner->is(kind::map) || inner->tagged(506) != nullptr);
    out += is_comid ? "<" + shape(*inner) + ">" : " " + std::to_string(of.content.size());
  }
  for (const auto& one : of.items) {
    out += "(" + shape(one) + ")";
  }
  return out;
}

std::string shape(bytes_view corim) {
  return shape(cbor::decode(corim, errc::internal).value());
}

}  // namespace

TEST_CASE("the published PARSEC_TPM endorsements", "[evidence][vectors]") {
  const auto good = read("parsec-tpm/corim-valid.cbor").value();
  REQUIRE(good.trust_anchors.size() == 1);
  REQUIRE(good.references.size() == 1);
  CHECK(good.trust_anchors[0].class_id == good.references[0].class_id);
  CHECK(good.references[0].digests.size() == 6);  // PCR 0 to 2, SHA-256 and SHA-384
  for (const auto* bad : {"bad-instance", "bad-multiple-keys", "bad-no-class-id", "bad-no-class",
                          "bad-no-digests", "bad-no-pcr"}) {
    INFO(bad);
    CHECK(read(std::string("parsec-tpm/corim-") + bad + ".cbor").error().code ==
          errc::corim_malformed);
  }
  CHECK(read("parsec-tpm/legacy-corim-trustanchor.cbor").error().code == errc::corim_malformed);
}

TEST_CASE("a CoRIM of another profile holds no such endorsements", "[evidence][vectors]") {
  const auto other = read("corim/corim-1.cbor");
  CHECK(other.error().code == errc::corim_malformed);
  CHECK_THAT(other.error().detail, Catch::Contains("expected \"tag:github.com/parallaxsecond"));
}

TEST_CASE("endorsements survive all of their forms", "[evidence]") {
  const auto ak = new_key();
  parsec_tpm_endorsements made;
  made.trust_anchors.push_back({bytes(16, 3), kid_of(spki(ak)), spki(ak)});
  made.references.push_back({bytes(16, 3), {}});
  for (unsigned pcr = 0; pcr < 8; ++pcr) {
    made.references[0].digests[{pcr, tpm_hash::sha256}] = bytes(32, static_cast<std::uint8_t>(pcr));
  }
  std::set<bytes> encodings;
  for (const auto& form : corim_forms) {
    INFO(form.release);
    const auto read_back =
        parsec_tpm_endorsements::from_corim(parse_corim(made.encode(form)).value()).value();
    CHECK(read_back.trust_anchors == made.trust_anchors);
    CHECK(read_back.references == made.references);
    CHECK(made.encode(form) == made.encode(form));
    encodings.insert(made.encode(form));
  }
  CHECK(encodings.size() == corim_forms.size());
}

TEST_CASE("a CoRIM in the form of a release is shaped as those it accepted",
          "[evidence][vectors]") {
  const std::pair<std::string_view, const char*> accepted[] = {
      {"veraison-main", "main.cbor"},
      {"veraison-main", "main-trust-anchor.cbor"},
      {"veraison-main", "main-reference-values.cbor"},
      {"veraison-2608", "v0.0.2608.cbor"},
      {"veraison-2608", "v0.0.2608-reference-values.cbor"},
      {"veraison-2602", "v0.0.2602.cbor"}};
  for (const auto& [release, name] : accepted) {
    INFO(name);
    const auto file = read_binary_vector(std::string("corim/veraison-accepted/") + name);
    const auto endorsements =
        parsec_tpm_endorsements::from_corim(parse_corim(file).value()).value();
    for (const auto& form : corim_forms) {
      // Reference values by themselves have no kid to tell v0.0.2602 from v0.0.2608.
      const bool is_same = form.release == release ||
                           (endorsements.trust_anchors.empty() && form.release == "veraison-2602" &&
                            release == "veraison-2608");
      INFO(form.release);
      CHECK((shape(endorsements.encode(form)) == shape(file)) == is_same);
    }
  }
}

TEST_CASE("files of the first version, one CoRIM for both kinds, are understood", "[evidence]") {
  for (const auto* name : {"tagged", "ueid"}) {
    INFO(name);
    const auto file = source_directory() / "tests/fuzz/seeds/corim" / name;
    const auto content = read_file(file, errc::internal).value();
    const auto endorsements =
        parsec_tpm_endorsements::from_corim(parse_corim(as_bytes(content)).value()).value();
    CHECK(endorsements.trust_anchors.size() == 1);
    CHECK(endorsements.references.size() == 1);
  }
}

TEST_CASE("the oldest form: the CoMID's tag inside its byte string, a list of profiles",
          "[evidence]") {
  parsec_tpm_endorsements made;
  made.references.push_back({bytes(16, 3), {{{4, tpm_hash::sha256}, bytes(32, 4)}}});
  const auto oldest =
      made.encode(*std::ranges::find(corim_forms, "veraison-2511", &corim_form::release));
  const auto document = cbor::decode(oldest, errc::internal).value();
  const auto& elements = *document.tagged(501)->find(std::int64_t{1});
  REQUIRE(elements.items.size() == 1);
  REQUIRE(elements.items[0].is(cbor::kind::byte_string));
  const bytes tag_506{0xd9, 0x01, 0xfa};
  CHECK(std::ranges::equal(bytes_view(elements.items[0].content).first(3), tag_506));

  // A profile is the last member: its text becomes a list of one.
  bytes listed = oldest;
  const auto profile = listed.end() - 2 - std::ssize(parsec_tpm_endorsements::profile);
  listed.insert(profile, 0x81);
  CHECK(parsec_tpm_endorsements::from_corim(parse_corim(listed).value())->references ==
        made.references);
  listed[listed.size() - 3 - parsec_tpm_endorsements::profile.size()] = 0x82;
  CHECK(parse_corim(listed).error().code == errc::corim_malformed);
}
