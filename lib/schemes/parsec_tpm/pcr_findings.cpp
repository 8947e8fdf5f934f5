#include "schemes/parsec_tpm/pcr_findings.hpp"

#include <algorithm>
#include <optional>
#include <variant>

namespace atls {
namespace {

using reference_values = parsec_tpm_endorsements::reference_values;

// More would make a line of the log too long to read, or take too long to search.
constexpr std::size_t max_described = 4;
constexpr std::size_t max_combinations = 4096;

std::vector<unsigned> numbers_of(const pcr_selection& selection) {
  std::vector<unsigned> out;
  for (unsigned pcr = 0; pcr < 32; ++pcr) {
    if (selection.contains(pcr)) {
      out.push_back(pcr);
    }
  }
  return out;
}

std::vector<const reference_values*> candidates(const bytes& kid,
                                                const parsec_tpm_endorsements& known) {
  using trust_anchor = parsec_tpm_endorsements::trust_anchor;
  const auto anchor = std::ranges::find(known.trust_anchors, kid, &trust_anchor::kid);
  std::vector<const reference_values*> out;
  for (const auto& reference : known.references) {
    if (anchor == known.trust_anchors.end() || anchor->class_id == reference.class_id) {
      out.push_back(&reference);
    }
  }
  return out;
}

// The values of the quoted PCRs, or the number of the first that is not there.
std::variant<std::vector<bytes>, unsigned> select(const reference_values& from, tpm_hash bank,
                                                  const std::vector<unsigned>& pcrs) {
  std::vector<bytes> out;
  for (const unsigned pcr : pcrs) {
    const auto value = from.digests.find({pcr, bank});
    if (value == from.digests.end()) {
      return pcr;
    }
    out.push_back(value->second);
  }
  return out;
}

// The values of each PCR that any of the sets knows.
std::vector<std::vector<bytes>> alternatives(const std::vector<std::vector<bytes>>& sets) {
  std::vector<std::vector<bytes>> out(sets.empty() ? 0 : sets.front().size());
  for (const auto& values : sets) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::ranges::find(out[i], values[i]) == out[i].end()) {
        out[i].push_back(values[i]);
      }
    }
  }
  return out;
}

// The values behind a digest, if they are a mixture of the sets.
std::optional<std::vector<bytes>> values_behind(bytes_view quoted_digest, tpm_hash bank,
                                                const std::vector<std::vector<bytes>>& sets) {
  const auto choices = alternatives(sets);
  std::size_t combinations = sets.empty() ? 0 : 1;
  for (const auto& choice : choices) {
    combinations *= choice.size();
    if (combinations > max_combinations) {
      return std::nullopt;
    }
  }
  for (std::size_t n = 0; n < combinations; ++n) {
    std::vector<bytes> mixture;
    auto rest = n;
    for (const auto& choice : choices) {
      mixture.push_back(choice[rest % choice.size()]);
      rest /= choice.size();
    }
    if (equal(pcr_digest(bank, mixture), quoted_digest)) {
      return mixture;
    }
  }
  return std::nullopt;
}

std::string differences(const std::vector<unsigned>& pcrs, const std::vector<bytes>& found,
                        const std::vector<bytes>& expected) {
  std::string out;
  for (std::size_t i = 0; i < pcrs.size(); ++i) {
    if (found[i] != expected[i]) {
      out += ", PCR " + std::to_string(pcrs[i]) + " " + to_hex(expected[i]) + " and not " +
             to_hex(found[i]);
    }
  }
  return out;
}

}  // namespace

std::string describe_pcrs(const pcr_selection& quoted, bytes_view quoted_digest, const bytes& kid,
                          const parsec_tpm_endorsements& known) {
  std::string out = "quoted " + to_string(quoted) + ", digest " + to_hex(quoted_digest);
  const auto pcrs = numbers_of(quoted);
  const auto references = candidates(kid, known);
  std::vector<std::vector<bytes>> sets;
  for (const auto* reference : references) {
    auto values = select(*reference, quoted.bank, pcrs);
    if (auto* all = std::get_if<std::vector<bytes>>(&values)) {
      sets.push_back(std::move(*all));
    }
  }
  const auto found = values_behind(quoted_digest, quoted.bank, sets);

  for (std::size_t i = 0; i < std::min(references.size(), max_described); ++i) {
    out += "; reference values of class " + format_uuid(references[i]->class_id);
    const auto values = select(*references[i], quoted.bank, pcrs);
    if (const auto* missing = std::get_if<unsigned>(&values)) {
      out += " have no PCR " + std::to_string(*missing);
      continue;
    }
    const auto& expected = std::get<std::vector<bytes>>(values);
    const bytes digest = pcr_digest(quoted.bank, expected);
    out +=
        equal(digest, quoted_digest) ? " expect this digest" : " expect digest " + to_hex(digest);
    out += found ? differences(pcrs, *found, expected) : "";
  }
  return out;
}

}  // namespace atls
