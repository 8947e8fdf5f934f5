#include "proxy/session/dial.hpp"

#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace atls::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using clock = std::chrono::steady_clock;
using tcp = asio::ip::tcp;
using endpoint = stream_protocol::endpoint;

constexpr auto first_retry = std::chrono::milliseconds(5);
constexpr auto last_retry = std::chrono::milliseconds(200);
// RFC 8305 section 5: Connection Attempt Delay.
constexpr auto attempt_delay = std::chrono::milliseconds(250);

// The families take turns, the resolver's first choice first (RFC 8305 section 4).
std::vector<endpoint> interleave(const tcp::resolver::results_type& found) {
  std::vector<endpoint> first;
  std::vector<endpoint> second;
  for (const auto& one : found) {
    const bool like_first =
        first.empty() || one.endpoint().protocol().family() == first.front().protocol().family();
    (like_first ? first : second).emplace_back(one.endpoint());
  }
  std::vector<endpoint> out;
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) {
      out.push_back(first[i]);
    }
    if (i < second.size()) {
      out.push_back(second[i]);
    }
  }
  return out;
}

// Its handlers keep it alive: a name that the system takes long to resolve outlives the deadline.
class dialler : public std::enable_shared_from_this<dialler> {
 public:
  dialler(const executor& where, const address& target, steady_time deadline)
      : done(where),
        winner(where),
        target_(target),

        resolver_(where),
        limit_(where, deadline),
        next_(where) {}

  void start() {
    limit_.async_wait([self = shared_from_this()](error_code ec) {
      if (!ec) {
        self->finish(asio::error::timed_out);
      }
    });
    resolve();
  }

  wake_up done;
  stream_socket winner;
  error_code outcome;

 private:
  void resolve() {
    endpoints_.clear();
    if (const auto known = target_.numeric()) {
      endpoints_.push_back(*known);
      attempt_next();
      return;
    }
    resolver_.async_resolve(
        target_.host, target_.port,
        [self = shared_from_this()](error_code ec, const tcp::resolver::results_type& found) {
          if (self->is_over_) {
            return;
          }
          if (ec) {
            self->retry_later(ec);
            return;
          }
          self->endpoints_ = interleave(found);
          self->attempt_next();
        });
  }

  void attempt_next() {
    attempts_.reserve(endpoints_.size());
    const auto number = attempts_.size();
    const auto& to = endpoints_[number];
    attempts_.emplace_back(winner.get_executor());
    ++in_flight_;
    attempts_.back().async_connect(
        to, [self = shared_from_this(), number](error_code ec) { self->attempted(number, ec); });
    if (attempts_.size() == endpoints_.size()) {
      return;
    }
    next_.expires_after(attempt_delay);
    next_.async_wait([self = shared_from_this(), number](error_code ec) {
      if (!ec && !self->is_over_ && self->attempts_.size() == number + 1) {
        self->attempt_next();
      }
    });
  }

  void attempted(std::size_t number, error_code ec) {
    if (is_over_) {
      return;
    }
    --in_flight_;
    if (!ec) {
      winner = std::move(attempts_[number]);
      finish({});
    } else if (attempts_.size() < endpoints_.size()) {
      last_error_ = ec;
      attempt_next();
    } else if (in_flight_ == 0) {
      retry_later(ec);
    }
  }

  void retry_later(error_code why) {
    last_error_ = why;
    attempts_.clear();
    next_.expires_after(retry_);
    retry_ = std::min(2 * retry_, last_retry);
    next_.async_wait([self = shared_from_this()](error_code ec) {
      if (!ec && !self->is_over_) {
        self->resolve();
      }
    });
  }

  void finish(error_code ec) {
    if (is_over_) {
      return;
    }
    is_over_ = true;
    outcome = ec && last_error_ ? last_error_ : ec;
    attempts_.clear();
    limit_.cancel();
    next_.cancel();
    resolver_.cancel();
    done.raise_here();
  }

  const address target_;
  asio::ip::basic_resolver<tcp, executor> resolver_;
  timer limit_;
  timer next_;
  std::vector<endpoint> endpoints_;
  std::vector<stream_socket> attempts_;
  std::size_t in_flight_ = 0;
  std::chrono::milliseconds retry_ = first_retry;
  error_code last_error_;
  bool is_over_ = false;
};

}  // namespace

awaitable<result<stream_socket>> dial(executor where, const address& target, steady_time deadline) {
  const auto dialling = std::make_shared<dialler>(where, target, deadline);
  dialling->start();
  co_await dialling->done.wait();
  if (dialling->outcome) {
    co_return failure(errc::target_unreachable, target.text() + ": " + dialling->outcome.message());
  }
  co_return std::move(dialling->winner);
}

}  // namespace atls::proxy
