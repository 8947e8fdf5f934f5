// The ways in which a tunnel gives up something that atlsd is for: each is told in the log and
// counted in the metrics.
#pragma once

#include "atlsd/config.hpp"

namespace atls {

struct insecure_mode {
  /// In the metrics.
  std::string_view label;
  /// What follows the tunnel's name in the log.
  std::string_view warning;
};

std::vector<insecure_mode> insecure_modes(const config& whole, const config::tunnel_settings& t);

}  // namespace atls
