#include "reference_verifier/endorsement_store.hpp"

#include "core/files.hpp"

#include <algorithm>

namespace atls {
namespace {

constexpr std::size_t max_corim_bytes = 16u << 20;

template <class T>
void add_new(std::vector<T>& to, const std::vector<T>& from) {
  for (const auto& one : from) {
    if (std::ranges::find(to, one) == to.end()) {
      to.push_back(one);
    }
  }
}

}  // namespace

result<endorsement_store> endorsement_store::load(const std::filesystem::path& directory) {
  endorsement_store out;
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    files.push_back(entry.path());
  }
  if (error) {
    return failure(errc::endorsement_missing,
                   "cannot read directory " + directory.string() + ": " + error.message());
  }
  std::ranges::sort(files);
  for (const auto& file : files) {
    if (file.filename() == cvm_file) {
      ATLS_CHECK(out.cvms_.add(file));
    }
    if (file.extension() != ".cbor") {
      continue;
    }
    ATLS_TRY(const auto content, read_file(file, errc::endorsement_missing, max_corim_bytes));
    const auto added = out.add(as_bytes(content));
    if (!added) {
      return failure(added.error().code, file.string() + ": " + added.error().detail);
    }
  }
  return out;
}

result<void> endorsement_store::add(bytes_view corim) {
  ATLS_TRY(const auto parsed, parse_corim(corim));
  if (cca_endorsements::is_profile(parsed.profile)) {
    ATLS_TRY(const auto of_realms, cca_endorsements::from_corim(parsed));
    return cvms_.add(of_realms);
  }
  ATLS_TRY(const auto of_tpms, parsec_tpm_endorsements::from_corim(parsed));
  add(of_tpms);
  return {};
}

void endorsement_store::add(const parsec_tpm_endorsements& endorsements) {
  add_new(known_.trust_anchors, endorsements.trust_anchors);
  add_new(known_.references, endorsements.references);
}

std::vector<const parsec_tpm_endorsements::trust_anchor*> endorsement_store::anchors(
    bytes_view kid) const {
  std::vector<const parsec_tpm_endorsements::trust_anchor*> out;
  for (const auto& anchor : known_.trust_anchors) {
    if (equal(anchor.kid, kid)) {
      out.push_back(&anchor);
    }
  }
  return out;
}

std::vector<const parsec_tpm_endorsements::reference_values*> endorsement_store::references(
    bytes_view class_id) const {
  std::vector<const parsec_tpm_endorsements::reference_values*> out;
  for (const auto& reference : known_.references) {
    if (equal(reference.class_id, class_id)) {
      out.push_back(&reference);
    }
  }
  return out;
}

std::vector<const parsec_tpm_endorsements::reference_values*> endorsement_store::references()
    const {
  std::vector<const parsec_tpm_endorsements::reference_values*> out;
  for (const auto& reference : known_.references) {
    out.push_back(&reference);
  }
  return out;
}

}  // namespace atls
