// The files that a configuration names.
#include "core/files.hpp"

#include "atlsd/config.hpp"
#include "attester/identity.hpp"
#include "attester/self_measurement.hpp"

#include <algorithm>

namespace atls {

std::vector<std::filesystem::path> config::trusted_files() const {
  std::vector<std::filesystem::path> out = {identity.certificate};
  for (const auto& one : verifiers) {
    std::ranges::copy(one.result_keys, std::back_inserter(out));
    out.insert(out.end(), {one.ca, one.certificate});
  }
  for (const auto& one : tunnels) {
    out.push_back(one.peer.ca);
    std::ranges::copy(one.peer.crls, std::back_inserter(out));
  }
  std::erase(out, std::filesystem::path());
  return out;
}

result<bytes> config::measurement() const {
  constexpr std::size_t max_file_bytes = 64u << 20;
  std::vector<std::string> contents;
  for (const auto& one : documents) {
    contents.push_back(one.value.dump());
  }
  for (const auto& file : trusted_files()) {
    ATLS_TRY(contents.emplace_back(), read_file(file, errc::config_invalid, max_file_bytes));
  }
  return digest_of_all(contents);
}

std::vector<std::filesystem::path> config::files() const {
  std::vector<std::filesystem::path> out;
  for (const auto& one : documents) {
    out.push_back(one.file);
  }
  const auto add = [&](const std::filesystem::path& file) {
    if (!file.empty()) {
      out.push_back(file);
    }
  };
  std::ranges::copy(trusted_files(), std::back_inserter(out));
  add(include);
  add(identity.key);
  if (identity.tsm) {
    std::ranges::for_each(identity.tsm->certificates, add);
  }
  if (identity.tpm) {
    add(identity.tpm->state_dir / identity::file_name);
    add(authorization_credential());
  }
  for (const auto& one : verifiers) {
    add(one.key);
    add(one.authorization_file);
  }
  for (const auto& one : tunnels) {
    // Those of the common policy among them.
    std::ranges::for_each(one.policy.reference_values, add);
  }
  return out;
}

}  // namespace atls
