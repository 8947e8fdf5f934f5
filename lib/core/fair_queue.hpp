// A queue in which sources take turns.
#pragma once

#include <algorithm>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace atls {

/// First in, first out within a source; round robin between sources: whoever has many entries here
/// waits behind its own. What a source is, its name says (core/requester.hpp). Not thread-safe.
template <class T>
class fair_queue {
 public:
  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }

  void push(const std::string& source, T entry) {
    auto found = by_source_.find(source);
    if (found == by_source_.end()) {
      lines_.push_back({source, {}});
      found = by_source_.emplace(source, std::prev(lines_.end())).first;
    }
    found->second->entries.push_back(std::move(entry));
    ++size_;
  }

  /// The next one; there must be one.
  T pop() {
    auto& first = lines_.front();
    T out = std::move(first.entries.front());
    first.entries.pop_front();
    --size_;
    if (first.entries.empty()) {
      by_source_.erase(first.source);
      lines_.pop_front();
    } else {
      lines_.splice(lines_.end(), lines_, lines_.begin());
    }
    return out;
  }

  /// How many at most would be popped before an entry that is pushed now.
  std::size_t ahead_of(const std::string& source) const {
    const auto found = by_source_.find(source);
    const std::size_t own = found == by_source_.end() ? 0 : found->second->entries.size();
    std::size_t out = 0;
    for (const auto& line : lines_) {
      out += line.entries.size() < own + 1 ? line.entries.size() : own + 1;
    }
    return out;
  }

  /// Makes room for an entry of `source` at the cost of whoever has most entries here: takes that
  /// one's last away, if `source` has fewer by more than one.
  std::optional<T> make_room_for(const std::string& source) {
    const auto found = by_source_.find(source);
    const std::size_t own = found == by_source_.end() ? 0 : found->second->entries.size();
    const auto longest = std::ranges::max_element(
        lines_, {}, [](const line_of_source& one) { return one.entries.size(); });
    if (longest == lines_.end() || longest->entries.size() <= own + 1) {
      return std::nullopt;
    }
    std::optional<T> out = std::move(longest->entries.back());
    longest->entries.pop_back();  // not its only one
    --size_;
    return out;
  }

  template <class Predicate>
  void remove_if(Predicate is_unwanted) {
    for (auto line = lines_.begin(); line != lines_.end();) {
      size_ -= std::erase_if(line->entries, is_unwanted);
      if (line->entries.empty()) {
        by_source_.erase(line->source);
        line = lines_.erase(line);
      } else {
        ++line;
      }
    }
  }

 private:
  struct line_of_source {
    std::string source;
    std::deque<T> entries;
  };

  /// None is empty; the front's turn is next.
  std::list<line_of_source> lines_;
  std::unordered_map<std::string, typename std::list<line_of_source>::iterator> by_source_;
  std::size_t size_ = 0;
};

}  // namespace atls
