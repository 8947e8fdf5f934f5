#include "core/error.hpp"

#include <array>

namespace atls {
namespace {

struct entry {
  std::string_view name;
  std::string_view text;
};

constexpr std::array entries = {entry{"ok", "success"},
#define X(name, text) entry{#name, text},
                                ATLS_REASONS(X)
#undef X
};

const entry& find(errc code) noexcept {
  const auto index = static_cast<std::size_t>(code);
  return entries[index < entries.size() ? index : static_cast<std::size_t>(errc::internal)];
}

class atls_category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "atls"; }
  std::string message(int value) const override {
    return std::string(describe(static_cast<errc>(value)));
  }
};

}  // namespace

std::string_view reason(errc code) noexcept {
  return find(code).name;
}

std::string_view describe(errc code) noexcept {
  return find(code).text;
}

std::size_t reason_count() noexcept {
  return entries.size() - 1;
}

const boost::system::error_category& category() noexcept {
  static const atls_category instance;
  return instance;
}

std::string failure::text() const {
  std::string out(reason(code));
  out.append(": ").append(describe(code));
  if (!detail.empty()) {
    out.append(" (").append(detail).append(")");
  }
  return out;
}

}  // namespace atls
