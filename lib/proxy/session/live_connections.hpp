// The connections of one thread whose peers have been admitted. A changed configuration judges them
// again.
#pragma once

#include "proxy/session/admitted_peer.hpp"
#include "proxy/tunnel.hpp"

#include <map>

#include <boost/intrusive/list.hpp>

namespace atls::proxy {

/// The tunnels of one configuration by name.
using tunnel_set = std::map<std::string, std::shared_ptr<const tunnel>, std::less<>>;

/// Used on one thread only.
class live_connections {
 public:
  /// Derived from by what relays a connection's bytes; leaves the list when it is destroyed.
  class member : public boost::intrusive::list_base_hook<
                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
   public:
    member(std::shared_ptr<const tunnel> through, admitted_peer peer)
        : through_(std::move(through)), peer_(std::move(peer)) {}
    virtual ~member() = default;

    /// The tunnel whose policy admits the peer: of the present configuration, though the handshake
    /// may have been an earlier one's.
    const tunnel& through() const noexcept { return *through_; }
    const admitted_peer& peer() const noexcept { return peer_; }

   protected:
    virtual void end(failure why) = 0;
    /// through() is another one now.
    virtual void moved_to_new_configuration() = 0;

   private:
    friend class live_connections;
    std::shared_ptr<const tunnel> through_;
    admitted_peer peer_;
  };

  /// From now on these tunnels count; members whom they do not admit are ended.
  void judge_by(std::shared_ptr<const tunnel_set> tunnels);

  /// Judged at once if the configuration has changed since the handshake began.
  void join(member& one);

 private:
  void judge(member& one) const;

  std::shared_ptr<const tunnel_set> tunnels_ = std::make_shared<const tunnel_set>();
  boost::intrusive::list<member, boost::intrusive::constant_time_size<false>> members_;
};

}  // namespace atls::proxy
