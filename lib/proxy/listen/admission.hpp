// What peers may have before the verdict on them: one budget for all tunnels and threads.
//
// A connection that has not shown who it is costs its place only. Places are limited in all and for
// each source; when there is none left the connection that has been silent for the longest time
// goes. A handshake costs memory and CPU: so many are under way at a time, and sources take turns
// to begin theirs. One that waits for its peer while others wait for it goes, too.
#pragma once

#include "core/fair_queue.hpp"
#include "proxy/address.hpp"

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace atls::proxy {

struct admission_limits {
  /// Connections before their verdict.
  std::size_t half_open = 8192;
  /// Of these, connections of one source.
  std::size_t per_source = 4096;
  /// Handshakes under way at a time.
  std::size_t handshakes = 512;
  /// Bits of an address that make a source.
  unsigned ipv4_prefix = 32;
  unsigned ipv6_prefix = 64;
};

class admission : public std::enable_shared_from_this<admission> {
 public:
  class place;

  /// From now on; whoever is over a new limit stays. From any thread.
  void use(const admission_limits& limits);

  /// Where a peer comes from: the bytes of its address's prefix. Empty for what is not IP, which
  /// has no share.
  std::string source_of(const stream_protocol::endpoint& peer) const;

  /// A place for a connection of a source, whose thread's executor is `where`. source_quota if the
  /// source has its share, half_open_shed if all places are taken, and nobody could be asked to
  /// leave.
  result<std::shared_ptr<place>> enter(const std::string& source, const executor& where);

  struct counters {
    std::size_t half_open = 0;
    std::size_t handshakes = 0;
  };
  counters count() const;

 private:
  friend class place;
  struct of_source {
    std::size_t places = 0;
    /// Oldest first.
    std::list<place*> silent;
  };

  // All under the mutex.
  result<void> make_room_for(const std::string& source);
  result<void> make_room();
  void add(place& one, const std::string& source);
  void remove(place& one);
  void shed(place& one, errc why);
  bool shed_stalled_handshake();
  void begin_next_handshakes();

  mutable std::mutex mutex_;
  admission_limits limits_;
  std::unordered_map<std::string, of_source> sources_;
  std::list<place*> silent_;
  std::list<place*> handshakes_;
  fair_queue<std::weak_ptr<place>> waiting_;
  std::size_t places_ = 0;
};

/// Held by one connection from its first moment to the verdict; destroying it gives it back. All
/// calls on the connection's thread.
class admission::place : public std::enable_shared_from_this<place> {
 public:
  place(std::shared_ptr<admission> of, const executor& where) : of_(std::move(of)), where_(where) {}
  ~place();
  place(const place&) = delete;
  place& operator=(const place&) = delete;

  const std::string& source() const noexcept { return source_; }
  /// The connection is of another source, as a PROXY protocol header says. source_quota.
  result<void> attribute_to(const std::string& source);

  /// What ends the connection, from now on: called at most once, on its thread, when it is shed.
  void when_shed(std::function<void()> end) { end_ = std::move(end); }
  /// Why it was shed; nullopt if it was not.
  std::optional<failure> why_shed() const;

  /// Its peer has sent something: returns when the handshake may begin. half_open_shed,
  /// handshake_timeout.
  awaitable<result<void>> begin_handshake(steady_time deadline);
  /// Whether it is the peer that the handshake waits for.
  void waits_for_peer(bool it_does) noexcept;
  /// The handshake has failed and its memory is free; the place is kept to the end.
  void end_handshake();

 private:
  friend class admission;
  enum class stage {
    /// It has no place, or has it no more.
    outside,
    silent,
    /// For its handshake to begin.
    waiting,
    handshake
  };

  const std::shared_ptr<admission> of_;
  const executor where_;
  std::function<void()> end_;
  std::shared_ptr<wake_up> wake_;
  /// Since when its peer is waited for; max(): it is not.
  std::atomic<steady_time> stalled_since_{steady_time::max()};

  // Under the admission's mutex.
  std::string source_;
  stage stage_ = stage::outside;
  errc shed_for_ = errc::ok;
  std::list<place*>::iterator in_silent_;
  std::list<place*>::iterator in_silent_of_source_;
  std::list<place*>::iterator in_handshakes_;
};

}  // namespace atls::proxy
