// The facts that policy rules are about, typed: what a rule may say of each, and what it is worth.
//
// The one place for both. The reader of rules works from it; the schema for editors, the manual,
// README and what `atls probe` and `atls inspect` print are held to it by tests.
#pragma once

#include "formats/json.hpp"

#include <variant>
#include <vector>

namespace atls {

/// TPMA_OBJECT (TPM 2.0 Part 2 section 8.3), as facts name the bits.
inline constexpr std::pair<std::uint32_t, std::string_view> attribute_names[] = {
    {0x00000002, "fixedTPM"},     {0x00000004, "stClear"},
    {0x00000010, "fixedParent"},  {0x00000020, "sensitiveDataOrigin"},
    {0x00000040, "userWithAuth"}, {0x00000080, "adminWithPolicy"},
    {0x00000400, "noDA"},         {0x00000800, "encryptedDuplication"},
    {0x00010000, "restricted"},   {0x00020000, "decrypt"},
    {0x00040000, "sign"},
};

struct any_text {};

/// Text of a closed list.
struct one_of {
  std::vector<std::string_view> words;
};

/// A byte string. Rules may write it in upper case; facts are in lower case.
struct hexadecimal {
  std::vector<std::size_t> sizes_bytes;
  std::string_view prefix = "";
};

struct whole_number {
  std::int64_t least;
  std::uint64_t greatest;
};

/// {"0": "hex", ...}: not shown, but compared with the quote's digest.
struct pcr_values {};

/// Another one in every handshake: shown, but nothing for rules.
struct fresh_value {};

struct fact {
  /// Its path in the document of facts (facts.hpp), such as "evidence.key.curve".
  std::string_view name;
  std::variant<any_text, one_of, hexadecimal, whole_number, pcr_values, fresh_value> type;
  std::string_view meaning;
  /// Who vouches for it, and what a peer may do about it.
  std::string_view worth;
  /// Whether it is a list of such values.
  bool is_list = false;
  /// Whether a peer can show another value although nothing about it is better. What passes a rule
  /// must then be spelled out.
  bool is_evasive = false;
};

/// All of them, in the order in which they are described.
const std::vector<fact>& fact_table();

/// Null if there is none of that name.
const fact* find_fact(std::string_view name);

/// The fact whose name is most like it.
std::string nearest_fact(std::string_view name);

/// Whether a fact (of a list: one of its values) can be this.
bool can_be(const fact& of, const json& value);

/// What can_be accepts, in words: "a whole number from 0 to 23".
std::string describe_values(const fact& of);

}  // namespace atls
