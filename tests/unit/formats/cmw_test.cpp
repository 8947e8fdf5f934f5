#include "formats/cmw.hpp"

#include "core/openssl.hpp"
#include "formats/cbor.hpp"
#include "support/vectors.hpp"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

using namespace atls;
using namespace atls::test;

namespace {

cmw parse_hex(const char* hex) {
  return parse_cmw(from_hex(hex).value()).value();
}

}  // namespace

TEST_CASE("CMW records, tags and collections of the draft", "[evidence]") {
  // The CBOR of the draft's diagnostic examples, by hand.
  const auto number = parse_hex("8219fde7442347da55");
  CHECK(std::get<std::uint16_t>(number.record()->type) == 64999);
  CHECK(number.record()->value == bytes{0x23, 0x47, 0xda, 0x55});
  const auto tag = parse_hex("da6374ffe6442347da55");
  CHECK(std::get<std::uint16_t>(tag.record()->type) == 64999);
  const auto indicated =
      parse_hex("83746170706c69636174696f6e2f72696d2b636f73654ad28440a044d901f5a04003");
  CHECK(std::get<std::string>(indicated.record()->type) == "application/rim+cose");
  CHECK(indicated.record()->indicator == 3);
}

TEST_CASE("a record and a collection of the draft in CBOR", "[evidence]") {
  const bytes value{0x23, 0x47, 0xda, 0x55};
  // cmw-example-2 and collection-example-1, whose published form is diagnostic notation.
  constexpr std::string_view type = "application/vnd.example.rats-conceptual-msg";
  const auto record =
      parse_cmw_record(cbor::writer().array(2).text(type).byte_string(value).data());
  CHECK(std::get<std::string>(record->type) == type);
  CHECK(record->value == value);

  cbor::writer out;
  out.map(4).text("__cmwc_t").text("tag:example.com,2024:composite-attester");
  out.unsigned_integer(0).array(3).unsigned_integer(64999).byte_string(value).unsigned_integer(4);
  out.unsigned_integer(1).tag(1668612070).byte_string(value);
  out.unsigned_integer(2).array(3).text("application/eat+jwt");
  out.byte_string(from_hex("4c693475").value()).unsigned_integer(8);
  const auto parsed = parse_cmw(out.data()).value();
  const auto* collection = parsed.collection();
  REQUIRE(collection != nullptr);
  CHECK(collection->type == "tag:example.com,2024:composite-attester");
  REQUIRE(collection->members.size() == 3);
  CHECK(collection->members.at("0").record()->indicator == 4);
  CHECK(std::get<std::uint16_t>(collection->members.at("1").record()->type) == 64999);
  CHECK(as_text(collection->members.at("2").record()->value) == "Li4u");
}

TEST_CASE("a collection's type is an OID or an absolute URI", "[evidence]") {
  const auto in_json = [](const std::string& type) {
    return parse_cmw(as_bytes(R"({"__cmwc_t":")" + type + R"(","a":["application/x","AAAA"]})"));
  };
  const auto in_cbor = [](const std::string& type) {
    cbor::writer out;
    out.map(2).text("__cmwc_t").text(type).text("a").tag(1668612070).byte_string({});
    return parse_cmw(out.data());
  };
  for (const auto* good : {"2.23.133.5.4.9", "1.3.6.1", "0.39", "2.999.0", "urn:x",
                           "tag:ietf.org,2024-02-29:rats/kat", "https://a.example/b?c=%20"}) {
    INFO(good);
    CHECK(in_json(good).value().collection()->type == good);
    CHECK(in_cbor(good).value().collection()->type == good);
  }
  for (const auto* bad : {"",     "hello", "a/b",           "//a/b",        "2",
                          "1.",   ".1",    "1..2",          "1.02",         "3.1",
                          "0.40", "1.99",  "1.x",           ":x",           "1a:b",
                          "a:",   "a b:c", "https://a/b#c", "https://a/ b", "https://a/<b>"}) {
    INFO(bad);
    CHECK(in_json(bad).error().code == errc::cmw_malformed);
    CHECK(in_cbor(bad).error().code == errc::cmw_malformed);
  }
}

TEST_CASE("CMW test data", "[evidence][vectors]") {
  const auto collection = parse_cmw(read_binary_vector("cmw/collection-cbor-ok.cbor")).value();
  REQUIRE(collection.collection() != nullptr);
  const auto& members = collection.collection()->members;
  REQUIRE(members.size() == 3);
  CHECK(members.at("1").record()->indicator == 3);
  // Tag 1668576818 by RFC 9277 section 4.3: d = 30001, 117 * 255 + 49.
  CHECK(std::get<std::uint16_t>(members.at("2").record()->type) == 29884);
  CHECK(std::get<std::uint16_t>(members.at("s").record()->type) == 30001);

  const auto json_collection = parse_cmw(read_binary_vector("cmw/collection-ok.json")).value();
  CHECK(json_collection.collection()->members.at("a").record()->value == bytes{'a'});
  const auto record = parse_cmw_record(read_binary_vector("cmw/ietf-cmw-example-1.json")).value();
  CHECK(record.value == bytes{0x23, 0x47, 0xda, 0x55});
  const auto draft = parse_cmw(read_binary_vector("cmw/ietf-collection-example-2.json")).value();
  CHECK(draft.collection()->type == "tag:example.com,2024:another-composite-attester");
  CHECK(draft.collection()->members.at("attester B").record()->indicator == 4);
}

TEST_CASE("a CMW in a certificate's id-pe-cmw extension", "[evidence][vectors]") {
  const bytes der = read_binary_vector("cmw/x509-cert-cbor-cmw.der");
  const unsigned char* cursor = der.data();
  const x509_ptr certificate(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
  REQUIRE(certificate);
  ASN1_OBJECT* id = OBJ_txt2obj("1.3.6.1.5.5.7.1.35", 1);
  const int at = X509_get_ext_by_OBJ(certificate.get(), id, -1);
  ASN1_OBJECT_free(id);
  REQUIRE(at >= 0);
  const auto* value = X509_EXTENSION_get_data(X509_get_ext(certificate.get(), at));
  const unsigned char* inner = ASN1_STRING_get0_data(value);
  ASN1_OCTET_STRING* octets = d2i_ASN1_OCTET_STRING(nullptr, &inner, ASN1_STRING_length(value));
  REQUIRE(octets != nullptr);
  const auto parsed = parse_cmw(
      {ASN1_STRING_get0_data(octets), static_cast<std::size_t>(ASN1_STRING_length(octets))});
  CHECK(parsed.has_value());
  ASN1_OCTET_STRING_free(octets);
}

TEST_CASE("malformed CMW are refused", "[evidence]") {
  const char* const bad[] = {"",
                             "81613a",              // one element
                             "82616141aa",          // not a media type
                             "8263612f6101",        // value not bytes
                             "8363612f6141aa00",    // indicator 0
                             "8363612f6141aa1820",  // indicator beyond the known bits
                             "8363612f6141aa6101",  // indicator not a number
                             "82200041aa",          // negative content-format
                             "821a0001000041aa",    // content-format beyond 65535
                             "da6374010041aa",      // tag below the range: 1668546816
                             "a0",                  // empty collection
                             "a1613001",            // member not a CMW
                             "01"};
  for (const auto* hex : bad) {
    INFO(hex);
    CHECK(parse_cmw(from_hex(hex).value()).has_error());
  }
  for (const auto* text :
       {"[]", "[\"a/b\"]", "[\"a/b\",\"YQ==\"]", "[\"a/b\",\"YQ\",0]", "{}",
        "{\"a\":[\"a/b\",\"YQ\"],\"a\":[\"a/b\",\"YQ\"]}", "[\"a/b\",\"YQ\"] x"}) {
    INFO(text);
    CHECK(parse_cmw(as_bytes(text)).has_error());
  }
  CHECK(parse_cmw_record(from_hex("a161318263612f6141aa").value()).error().code ==
        errc::cmw_malformed);
}

TEST_CASE("an encoded CMW is what the other side reads", "[evidence]") {
  const auto record = parse_cmw_record(encode_cmw("a/b", bytes{1, 2})).value();
  CHECK(std::get<std::string>(record.type) == "a/b");
  CHECK(record.value == bytes{1, 2});
}
