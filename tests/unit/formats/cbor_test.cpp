#include "formats/cbor.hpp"

#include <catch2/catch.hpp>

using namespace atls;

namespace {

result<cbor::item> decode_hex(const char* hex, const cbor::limits& bounds = {}) {
  return cbor::decode(from_hex(hex).value(), errc::cmw_malformed, bounds);
}

}  // namespace

TEST_CASE("CBOR items are read in definite and indefinite form", "[evidence]") {
  CHECK(decode_hex("1864")->number == 100);
  CHECK(decode_hex("3863")->integer() == -100);
  CHECK(decode_hex("a1616101")->find("a")->number == 1);
  CHECK(decode_hex("bf616101ff")->find("a")->number == 1);
  CHECK(decode_hex("9f0102ff")->items.size() == 2);
  CHECK(decode_hex("5f42aabb41ccff")->content == bytes{0xaa, 0xbb, 0xcc});
  CHECK(decode_hex("7f61616162ff")->text() == "ab");
  CHECK(decode_hex("d8256101")->tagged(37) != nullptr);
  CHECK(decode_hex("d28101")->tagged(18)->items.size() == 1);
  CHECK(decode_hex("80")->items.empty());
}

TEST_CASE("CBOR that is not exactly one item is refused", "[evidence]") {
  const char* const bad[] = {"",                    // nothing
                             "0101",                // two items
                             "a2616101616102",      // a key twice
                             "a10101a1",            // bytes after it
                             "62c328",              // not UTF-8
                             "5fff00",              // bytes after it
                             "5f6161ff",            // a text chunk in a byte string
                             "5f01ff",              // a number in a byte string
                             "bf6161ff",            // a key without a value
                             "ff",                  // a break
                             "1c",                  // reserved
                             "9bffffffffffffffff",  // 2^64-1 elements claimed
                             "bbffffffffffffffff",  // 2^64-1 pairs claimed
                             "5bffffffffffffffff",  // 2^64-1 bytes claimed
                             "8181818181818181818181818181818181818101"};
  for (const auto* hex : bad) {
    if (const auto input = from_hex(hex)) {
      INFO(hex);
      CHECK(cbor::decode(*input, errc::cmw_malformed).has_error());
    }
  }
  CHECK(decode_hex("8201").has_error());
  CHECK(decode_hex("83010203", {.items = 3}).has_error());
  CHECK(decode_hex("420102", {.size_bytes = 2}).has_error());
}

TEST_CASE("what the writer writes, the decoder reads", "[evidence]") {
  cbor::writer out;
  out.tag(501).map(2).unsigned_integer(0).text("x").text("k").array(2);
  out.byte_string(bytes{1, 2}).unsigned_integer(70000);
  const auto back = cbor::decode(out.data(), errc::cmw_malformed).value();
  const auto* map = back.tagged(501);
  REQUIRE(map != nullptr);
  CHECK(map->find(std::int64_t{0})->text() == "x");
  CHECK(map->find("k")->items[1].number == 70000);
}
