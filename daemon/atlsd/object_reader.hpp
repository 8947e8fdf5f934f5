// Reading JSON objects whose every mistake is to be told.
#pragma once

#include "appraisal/policy/rule_reader.hpp"
#include "formats/json.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <set>

namespace atls {

/// What reading a document brings to light.
struct reading {
  /// "path: what was found, what was expected".
  std::vector<std::string> problems;
  /// Every key that was asked for, such as "tunnels[].peer.kid".
  std::set<std::string> keys;
};

/// One object of the document. Members are asked for by name, and what nobody asked for is unknown.
/// A member that is absent leaves `to` as it is; one that is wrong too, and is a problem.
class object_reader {
 public:
  object_reader(const json& value, std::string path, reading& into);

  /// In the document, such as "tunnels[3].peer".
  const std::string& place() const noexcept { return path_; }

  bool has(const char* name);
  /// `name` may be empty: the object itself.
  void problem(const std::string& name, const std::string& what);
  void required(const char* name);

  object_reader object(const char* name);
  /// Calls `read` with each element of an array of objects, or with the object that stands for an
  /// array of one.
  template <class Read>
  void objects(const char* name, Read read) {
    if (has(name) && value_[name].is_array()) {
      for (std::size_t i = 0; i < value_[name].size(); ++i) {
        read(object_reader(value_[name][i], path_of(name) + "[" + std::to_string(i) + "]", into_));
      }
    } else if (has(name)) {
      read(object(name));
    }
  }

  void boolean(const char* name, bool& to);
  void text(const char* name, std::string& to);
  /// Relative to `directory`.
  void path(const char* name, const std::filesystem::path& directory, std::filesystem::path& to);
  /// One or an array of at least one, each as path().
  void paths(const char* name, const std::filesystem::path& directory,
             std::vector<std::filesystem::path>& to);
  /// Text or an array of text.
  void texts(const char* name, std::vector<std::string>& to);
  void number(const char* name, unsigned min, unsigned max, unsigned& to);
  /// Longer than nothing.
  void duration(const char* name, std::chrono::milliseconds& to);
  /// 0 for "never".
  void duration_or_never(const char* name, std::chrono::milliseconds& to);
  /// One of the given words; its index.
  void choice(const char* name, std::initializer_list<const char*> words, std::size_t& to);
  /// One of the given words; true stands for the first, and false for none (nullopt).
  void choice_or_none(const char* name, std::initializer_list<const char*> words,
                      std::optional<std::size_t>& to);
  /// One or an array of at least one of the given words, each once; their indices.
  void choices(const char* name, std::initializer_list<const char*> words,
               std::vector<std::size_t>& to);
  /// An array of policy rules, added to `to`.
  void rules(const char* name, const condition_scope& scope, std::vector<policy_rule>& to);

  /// What a parser makes of a text member; its failure is the problem.
  template <class T, class Parse>
  void parsed(const char* name, T& to, Parse parse) {
    std::string given;
    text(name, given);
    if (has(name) && value_[name].is_string()) {
      if (auto value = parse(given)) {
        to = std::move(*value);
      } else {
        problem(name, value.error().detail);
      }
    }
  }

  /// To be called after all members have been asked for.
  void refuse_unknown();

 private:
  void duration(const char* name, std::chrono::milliseconds& to, const char* or_what);
  std::string path_of(const std::string& name) const;

  const json& value_;
  std::string path_;
  reading& into_;
  std::set<std::string> known_;
};

}  // namespace atls
