#include "dialects/trustee/kbs_dialect.hpp"
#include "dialects/trustee/trustee_dialect.hpp"
#include "dialects/veraison/veraison_dialect.hpp"

#include <algorithm>
#include <iterator>

namespace atls {
namespace {

using dialect_ptr = std::unique_ptr<verifier_dialect>;

struct known_dialect {
  verifier_type type;
  dialect_ptr (*make)(const url& where, const dialect_options& options);
};

constexpr known_dialect dialects[] = {
    {verifier_type::veraison,
     [](const url& where, const dialect_options&) -> dialect_ptr {
       return std::make_unique<veraison_dialect>(where);
     }},
    {verifier_type::trustee,
     [](const url& where, const dialect_options& options) -> dialect_ptr {
       return std::make_unique<trustee_dialect>(where, options.policy_ids);
     }},
    {verifier_type::kbs,
     [](const url& where, const dialect_options&) -> dialect_ptr {
       return std::make_unique<kbs_dialect>(where);
     }},
};

}  // namespace

std::unique_ptr<verifier_dialect> make_dialect(verifier_type type, const url& where,
                                               const dialect_options& options) {
  const auto* const found = std::ranges::find(dialects, type, &known_dialect::type);
  if (found == std::end(dialects)) {
    throw error({errc::internal, "a kind of Verifier without a dialect"});
  }
  return found->make(where, options);
}

}  // namespace atls
