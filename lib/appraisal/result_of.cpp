#include "appraisal/result_of.hpp"

namespace atls {

boost::asio::awaitable<result<verified_ear>> result_of(verifier_client& by, std::string token,
                                                       result_binding binding, result_policy policy,
                                                       std::chrono::system_clock::time_point now) {
  const auto deadline = std::chrono::steady_clock::now() + by.timeout();
  auto keys = co_await by.keys(deadline);
  if (!keys) {
    co_return keys.error();
  }
  auto checked = check_ear(token, *keys, binding, policy, now);
  if (checked || !is_for_another_key(checked.error().code)) {
    co_return checked;
  }
  keys = co_await by.newer_keys(deadline);
  if (!keys) {
    co_return failure(checked.error().code, "and there is no newer key: " + keys.error().detail);
  }
  co_return check_ear(token, *keys, binding, policy, now);
}

}  // namespace atls
