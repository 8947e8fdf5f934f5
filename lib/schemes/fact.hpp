// A fact that policy rules are about, typed: what a rule may say of it, and what it is worth.
#pragma once

#include "formats/json.hpp"

#include <variant>
#include <vector>

namespace atls {

struct any_text {};

struct yes_no {};

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
  /// Its path in the document of facts, such as "evidence.key.curve".
  std::string_view name;
  std::variant<any_text, yes_no, one_of, hexadecimal, whole_number, pcr_values, fresh_value> type;
  std::string_view meaning;
  /// Who vouches for it, and what a peer may do about it.
  std::string_view worth;
  /// Whether it is a list of such values.
  bool is_list = false;
  /// Whether a peer can show another value although nothing about it is better. What passes a rule
  /// must then be spelled out.
  bool is_evasive = false;
};

}  // namespace atls
