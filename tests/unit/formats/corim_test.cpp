#include "formats/corim.hpp"

#include "support/vectors.hpp"

#include <algorithm>
#include <set>

using namespace atls;
using namespace atls::test;

namespace {

constexpr std::string_view profile = "tag:example.org,2026:profile";
constexpr std::int64_t some_triples = 3;

// A CoRIM with one CoMID, whose triples are empty.
bytes small_corim(const corim_form& form) {
  const bytes no_triples = cbor::writer().array(0).data();
  return encode_corim({encode_comid("test", some_triples, no_triples)}, profile, form);
}

}  // namespace

TEST_CASE("published CoRIMs of other kinds decode", "[evidence][vectors]") {
  const auto simple = parse_corim(read_binary_vector("corim/corim-1.cbor")).value();
  CHECK(simple.id == "284e6c3e-5d9f-4f6b-851f-5a4247f243a7");
  CHECK(simple.comids.size() == 1);
  CHECK(simple.profile.empty());
  CHECK(parse_corim(read_binary_vector("corim/unsigned-good-corim.cbor")).has_value());

  const auto signed_one =
      parse_unverified_signed_corim(read_binary_vector("corim/signed-good-corim.cbor")).value();
  CHECK(signed_one.algorithm == -7);
  CHECK(signed_one.content_type == "application/rim+cbor");
  CHECK(as_text(signed_one.kid) == "1");
}

TEST_CASE("a CoRIM survives all of its forms", "[evidence]") {
  std::set<bytes> encodings;
  for (const auto& form : corim_forms) {
    INFO(form.release);
    const auto read = parse_corim(small_corim(form)).value();
    CHECK(read.profile == profile);
    REQUIRE(read.comids.size() == 1);
    const auto* triples = read.comids[0].find(std::int64_t{4});
    REQUIRE(triples != nullptr);
    CHECK(triples->find(some_triples)->is(cbor::kind::array));
    CHECK(small_corim(form) == small_corim(form));
    encodings.insert(small_corim(form));
  }
  // The two in between differ in what a kid is tagged with, and there is none here.
  CHECK(encodings.size() == corim_forms.size() - 1);
}

TEST_CASE("CoRIMs cut short or followed by bytes are refused", "[evidence]") {
  const auto good = small_corim(default_corim_form);
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK(parse_corim(bytes_view(good).first(size)).error().code == errc::corim_malformed);
  }
  auto longer = good;
  longer.push_back(0);
  CHECK(parse_corim(longer).error().code == errc::corim_malformed);
}

TEST_CASE("a CoRIM without what it must have is refused", "[evidence]") {
  const bytes no_identity = cbor::writer().map(1).unsigned_integer(4).map(0).data();
  CHECK(parse_corim(encode_corim({no_identity}, profile, default_corim_form)).error().code ==
        errc::corim_malformed);
  CHECK(parse_corim(encode_corim({}, profile, default_corim_form)).error().code ==
        errc::corim_malformed);
  auto untagged = small_corim(default_corim_form);
  untagged.erase(untagged.begin(), untagged.begin() + 3);
  CHECK(parse_corim(untagged).error().code == errc::corim_malformed);
}

TEST_CASE("UUIDs", "[evidence]") {
  const auto id = parse_uuid("284e6c3e-5d9f-4f6b-851f-5a4247f243a7").value();
  CHECK(format_uuid(id) == "284e6c3e-5d9f-4f6b-851f-5a4247f243a7");
  CHECK_FALSE(parse_uuid("284e6c3e5d9f-4f6b-851f-5a4247f243a7x"));
  CHECK_FALSE(parse_uuid(""));
}
