#include "proxy/session/live_connections.hpp"

namespace atls::proxy {

void live_connections::judge_by(std::shared_ptr<const tunnel_set> tunnels) {
  tunnels_ = std::move(tunnels);
  for (auto& one : members_) {
    judge(one);
  }
}

void live_connections::join(member& one) {
  members_.push_back(one);
  judge(one);
}

void live_connections::judge(member& one) const {
  const auto found = tunnels_->find(one.through_->name);
  if (found == tunnels_->end() || found->second->is_egress() != one.through_->is_egress()) {
    one.end(failure(errc::tunnel_removed));
    return;
  }
  if (found->second == one.through_) {
    return;
  }
  if (const auto admitted = found->second->tls->judge_again(one.peer_.judged()); !admitted) {
    one.end(failure(admitted.error().code,
                    "after a change of the configuration: " + admitted.error().detail));
    return;
  }
  one.through_ = found->second;
  one.moved_to_new_configuration();
}

}  // namespace atls::proxy
