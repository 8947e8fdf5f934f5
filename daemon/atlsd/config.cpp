#include "atlsd/config.hpp"

#include "atlsd/addresses.hpp"
#include "atlsd/config/readers.hpp"

#include <algorithm>

namespace atls {
namespace {

void read_main(const document& from, config& out, reading& all) {
  const auto directory = from.file.parent_path();
  out.documents = {from};
  object_reader in(from.value, "", all);
  in.has("$schema");
  in.path("include", directory, out.include);
  read_identity(in.object("identity"), directory, out.identity);
  in.objects("verifier", [&](object_reader one) {
    read_verifier(std::move(one), directory, out.verifiers.emplace_back());
  });
  out.policy.pcrs = parse_pcr_selection(default_pcrs).value();
  read_policy(in.object("policy"), directory, std::nullopt, out.policy);
  in.objects("tunnels", [&](object_reader one) { read_tunnel(std::move(one), from.file, out); });
  read_process(in, out);
  in.refuse_unknown();
}

// From `first` on they are of this file.
void place_problems(reading& all, std::size_t first, const std::filesystem::path& file) {
  for (std::size_t i = first; i < all.problems.size(); ++i) {
    const auto& problem = all.problems[i];
    all.problems[i] = file.string() + (problem.starts_with(':') ? "" : ": ") + problem;
  }
}

void read_included(const std::filesystem::path& file, config& out, reading& all,
                   file_digests& seen) {
  const auto included = document::load(file, seen);
  if (!included) {
    all.problems.push_back(included.error().detail);
    return;
  }
  out.documents.push_back(*included);
  const auto first = all.problems.size();
  object_reader in(included->value, "", all);
  in.has("$schema");
  in.required("tunnels");
  in.objects("tunnels", [&](object_reader one) { read_tunnel(std::move(one), file, out); });
  in.refuse_unknown();
  place_problems(all, first, file);
}

// What is known once all tunnels have been read; each is a mistake of the main document.
std::vector<std::string> check_whole(const config& all) {
  std::vector<std::string> out;
  const auto requires_attestation = &config::tunnel_settings::require_attestation;
  if (!all.policy.rules.empty() && std::ranges::none_of(all.tunnels, requires_attestation)) {
    out.emplace_back("policy.rules: are given, but \"require_attestation\" is true of no tunnel");
  }
  const auto uses_passports = [](const config::tunnel_settings& t) {
    return t.presents_passport || t.does_accept(attestation_model::passport);
  };
  if (std::ranges::none_of(all.tunnels, uses_passports)) {
    return out;
  }
  for (std::size_t i = 0; i < all.verifiers.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (all.verifiers[i].identity == all.verifiers[j].identity) {
        out.push_back("verifier[" + std::to_string(i) + "].identity: \"" +
                      all.verifiers[i].identity + "\" is that of verifier[" + std::to_string(j) +
                      "] too, and passports name their Verifier by it");
      }
    }
  }
  return out;
}

}  // namespace

bool config::tunnel_settings::asks_verifier() const {
  return does_accept(attestation_model::background_check) ||
         (require_attestation && accepts_certificates);
}

bool config::tunnel_settings::does_accept(attestation_model model) const {
  return require_attestation && std::ranges::find(accepts, model) != accepts.end();
}

failure mistakes(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) {
    text.append(text.empty() ? "" : "\n").append(line);
  }
  return {errc::config_invalid, text};
}

result<config> config::load(const std::filesystem::path& file, file_digests& seen) {
  ATLS_TRY(auto main, document::load(file, seen));
  ATLS_TRY(auto out, read(main, seen));
  for (const auto& named : out.files()) {
    if (!seen.contains(named)) {
      seen[named] = digest_of_file(named);
    }
  }
  return out;
}

result<config> config::load(const std::filesystem::path& file) {
  file_digests seen;
  return load(file, seen);
}

result<config> config::parse(std::string_view text, const std::filesystem::path& file) {
  ATLS_TRY(auto main, document::parse(text, file));
  file_digests seen;
  return read(main, seen);
}

result<config> config::read(const document& main, file_digests& seen) {
  config out;
  reading all;
  read_main(main, out, all);
  place_problems(all, 0, main.file);
  if (!out.include.empty()) {
    seen[out.include] = digest_of_file(out.include);
    if (const auto files = files_in(out.include)) {
      for (const auto& file : *files) {
        read_included(file, out, all, seen);
      }
    } else {
      all.problems.push_back(main.file.string() + ": include: " + files.error().detail);
    }
  }
  std::ranges::move(shared_addresses(out), std::back_inserter(all.problems));
  if (out.tunnels.empty() && all.problems.empty()) {
    all.problems.push_back(main.file.string() +
                           ": tunnels: is missing or empty, expected at least one tunnel");
  }
  for (const auto& problem : check_whole(out)) {
    all.problems.push_back(main.file.string() + ": " + problem);
  }
  if (!all.problems.empty()) {
    return mistakes(all.problems);
  }
  return out;
}

std::set<std::string> config::known_keys() {
  const auto main =
      document::parse(
          R"({"identity": {"attester": ["tpm", "tsm", "azure"]}, "verifier": {}, "tunnels": [{}]})",
          "")
          .value();
  config out;
  reading all;
  read_main(main, out, all);
  return all.keys;
}

bool config::takes_samples() const {
  return std::ranges::any_of(verifiers, &verifier_settings::unsafe_sample_tee);
}

}  // namespace atls
