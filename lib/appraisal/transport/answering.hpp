// Work on an io_context's thread for somebody on another thread.
#pragma once

#include "core/wait.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atls {

template <class T>
boost::asio::awaitable<void> answer_with(boost::asio::awaitable<result<T>> work,
                                         std::shared_ptr<pending<T>> answer) {
  result<T> outcome = failure(errc::internal);
  try {
    outcome = co_await std::move(work);
  } catch (const std::exception& e) {
    outcome = failure(errc::internal, e.what());
  }
  answer->complete(std::move(outcome));
}

/// Whoever waits for the answer gets one in any case: an exception of the work is errc::internal.
template <class T>
void spawn_answering(boost::asio::io_context& io, boost::asio::awaitable<result<T>> work,
                     std::shared_ptr<pending<T>> answer) {
  boost::asio::co_spawn(io, answer_with(std::move(work), std::move(answer)), boost::asio::detached);
}

}  // namespace atls
