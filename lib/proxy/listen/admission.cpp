#include "proxy/listen/admission.hpp"

#include <algorithm>

#include <boost/asio/post.hpp>

namespace atls::proxy {
namespace {

using clock = std::chrono::steady_clock;

// A peer that answers at all answers within this time.
constexpr auto stalled_after = std::chrono::seconds(1);
// How often somebody who waits for a handshake's end looks for one that has stalled.
constexpr auto look_for_stalled = std::chrono::milliseconds(100);

template <class Bytes>
std::string prefix_of(Bytes address, unsigned bits) {
  for (unsigned bit = bits; bit < address.size() * 8; ++bit) {
    address[bit / 8] &= static_cast<unsigned char>(~(0x80u >> bit % 8));
  }
  return {address.begin(), address.end()};
}

}  // namespace

void admission::use(const admission_limits& limits) {
  const std::lock_guard lock(mutex_);
  limits_ = limits;
  begin_next_handshakes();
}

std::string admission::source_of(const stream_protocol::endpoint& peer) const {
  const auto ip = to_ip(peer);
  if (!ip) {
    return {};
  }
  const std::lock_guard lock(mutex_);
  const auto address = ip->address();
  if (address.is_v4()) {
    return prefix_of(address.to_v4().to_bytes(), limits_.ipv4_prefix);
  }
  return prefix_of(address.to_v6().to_bytes(), limits_.ipv6_prefix);
}

result<std::shared_ptr<admission::place>> admission::enter(const std::string& source,
                                                           const executor& where) {
  auto out = std::make_shared<place>(shared_from_this(), where);
  const std::lock_guard lock(mutex_);
  ATLS_CHECK(make_room_for(source));
  ATLS_CHECK(make_room());
  add(*out, source);
  return out;
}

admission::counters admission::count() const {
  const std::lock_guard lock(mutex_);
  return {places_, handshakes_.size()};
}

result<void> admission::make_room_for(const std::string& source) {
  const auto found = sources_.find(source);
  if (source.empty() || found == sources_.end() || found->second.places < limits_.per_source) {
    return {};
  }
  if (found->second.silent.empty()) {
    return failure(errc::source_quota, std::to_string(limits_.per_source) +
                                           " of this source have begun (half_open.per_source)");
  }
  shed(*found->second.silent.front(), errc::source_quota);
  return {};
}

result<void> admission::make_room() {
  if (places_ < limits_.half_open) {
    return {};
  }
  if (!silent_.empty()) {
    shed(*silent_.front(), errc::half_open_shed);
    return {};
  }
  if (!shed_stalled_handshake()) {
    return failure(errc::half_open_shed, "all " + std::to_string(limits_.half_open) +
                                             " places are taken (half_open.max)");
  }
  return {};
}

void admission::add(place& one, const std::string& source) {
  auto& of = sources_[source];
  ++of.places;
  ++places_;
  one.source_ = source;
  one.stage_ = place::stage::silent;
  one.in_silent_ = silent_.insert(silent_.end(), &one);
  one.in_silent_of_source_ = of.silent.insert(of.silent.end(), &one);
}

void admission::remove(place& one) {
  const auto of = sources_.find(one.source_);
  if (one.stage_ == place::stage::silent) {
    silent_.erase(one.in_silent_);
    of->second.silent.erase(one.in_silent_of_source_);
  } else if (one.stage_ == place::stage::handshake) {
    handshakes_.erase(one.in_handshakes_);
  }
  one.stage_ = place::stage::outside;
  --places_;
  if (--of->second.places == 0) {
    sources_.erase(of);
  }
  begin_next_handshakes();
}

void admission::shed(place& one, errc why) {
  remove(one);
  one.shed_for_ = why;
  boost::asio::post(one.where_, [weak = one.weak_from_this()] {
    if (const auto alive = weak.lock(); alive && alive->end_) {
      std::exchange(alive->end_, nullptr)();
    }
  });
}

bool admission::shed_stalled_handshake() {
  const auto longest = std::ranges::min_element(
      handshakes_, {}, [](const place* one) { return one->stalled_since_.load(); });
  if (longest == handshakes_.end() ||
      (*longest)->stalled_since_.load() > clock::now() - stalled_after) {
    return false;
  }
  shed(**longest, errc::half_open_shed);
  return true;
}

void admission::begin_next_handshakes() {
  while (!waiting_.empty() && handshakes_.size() < limits_.handshakes) {
    const auto next = waiting_.pop().lock();
    if (next && next->stage_ == place::stage::waiting) {
      next->stage_ = place::stage::handshake;
      next->in_handshakes_ = handshakes_.insert(handshakes_.end(), next.get());
      next->wake_->raise();
    }
  }
}

admission::place::~place() {
  const std::lock_guard lock(of_->mutex_);
  if (stage_ != stage::outside) {
    of_->remove(*this);
  }
}

result<void> admission::place::attribute_to(const std::string& source) {
  const std::lock_guard lock(of_->mutex_);
  if (stage_ != stage::silent || source == source_) {
    return {};
  }
  ATLS_CHECK(of_->make_room_for(source));
  of_->remove(*this);
  of_->add(*this, source);
  return {};
}

std::optional<failure> admission::place::why_shed() const {
  const std::lock_guard lock(of_->mutex_);
  return shed_for_ == errc::ok ? std::nullopt : std::optional(failure(shed_for_));
}

awaitable<result<void>> admission::place::begin_handshake(steady_time deadline) {
  const auto self = shared_from_this();
  {
    const std::lock_guard lock(of_->mutex_);
    if (stage_ == stage::silent) {
      of_->silent_.erase(in_silent_);
      of_->sources_[source_].silent.erase(in_silent_of_source_);
      stage_ = stage::waiting;
      if (of_->waiting_.empty() && of_->handshakes_.size() < of_->limits_.handshakes) {
        stage_ = stage::handshake;
        in_handshakes_ = of_->handshakes_.insert(of_->handshakes_.end(), this);
        co_return result<void>();
      }
      wake_ = std::make_shared<wake_up>(where_);
      of_->waiting_.push(source_, weak_from_this());
    }
  }
  for (;;) {
    {
      const std::lock_guard lock(of_->mutex_);
      if (stage_ == stage::handshake) {
        co_return result<void>();
      }
      if (stage_ == stage::outside) {
        co_return failure(shed_for_);
      }
      of_->shed_stalled_handshake();
    }
    if (clock::now() >= deadline) {
      co_return failure(errc::handshake_timeout, "others' handshakes came first");
    }
    co_await wake_->wait(std::min(deadline, clock::now() + look_for_stalled));
  }
}

void admission::place::waits_for_peer(bool it_does) noexcept {
  stalled_since_ = it_does ? clock::now() : steady_time::max();
}

void admission::place::end_handshake() {
  const std::lock_guard lock(of_->mutex_);
  if (stage_ != stage::outside) {
    const auto source = source_;
    of_->remove(*this);
    of_->add(*this, source);
  }
}

}  // namespace atls::proxy
