// The parts of a configuration, each read from its object of a document. What is wrong in it
// becomes a problem with its place.
#pragma once

#include "atlsd/config.hpp"
#include "atlsd/object_reader.hpp"

namespace atls {

inline constexpr unsigned max_connection_limit = 1'000'000;

/// A selection without PCRs that prove nothing.
result<pcr_selection> usable_pcrs(std::string_view text);

// Relative paths are relative to `directory`.

void read_identity(object_reader in, const std::filesystem::path& directory,
                   config::identity_settings& to);

void read_verifier(object_reader in, const std::filesystem::path& directory,
                   config::verifier_settings& to);

/// `to` is what it says otherwise than; rules are added. `names` are the peer's, where they are
/// known.
void read_policy(object_reader in, const std::filesystem::path& directory,
                 const std::optional<std::vector<std::string>>& names, config::policy_settings& to);

/// Adds it to the tunnels of `whole`, of which everything else has been read. `file` is the
/// document's.
void read_tunnel(object_reader in, const std::filesystem::path& file, config& whole);

/// What makes no sense in a tunnel although each member is well-formed.
void check_tunnel(object_reader& in, const config& whole, const config::tunnel_settings& t);

/// What concerns the process as a whole: threads, limits, log, admin endpoint, reload. `in` is the
/// main document.
void read_process(object_reader& in, config& to);

}  // namespace atls
