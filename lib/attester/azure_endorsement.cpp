#include "attester/azure_endorsement.hpp"

#include "appraisal/transport/http_client.hpp"
#include "schemes/azure_vtpm/metadata.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

namespace atls {

namespace asio = boost::asio;

namespace {

asio::awaitable<result<http_reply>> ask(http_client& http, http_request request,
                                        steady_time deadline) {
  auto received = co_await http.exchange(std::move(request), deadline);
  if (!received) {
    co_return received.error();
  }
  co_return std::move(received->reply);
}

}  // namespace

result<bytes> fetch_azure_endorsement(const url& service, const hcl_report& report,
                                      steady_time deadline) {
  auto request = endorsement_request(report);
  request.target = service.prefix + request.target;
  asio::io_context io(1);
  http_client http(io, {.where = service});
  auto asked = asio::co_spawn(io, ask(http, std::move(request), deadline), asio::use_future);
  io.run();
  const auto answer = asked.get();
  // The transport speaks of Verifiers; its detail names the service.
  if (!answer) {
    return failure(errc::azure_metadata, answer.error().detail);
  }
  auto out = endorsement_from(report.hardware, *answer);
  if (!out) {
    return failure(errc::azure_metadata, service.origin() + ": " + out.error().detail);
  }
  return out;
}

std::filesystem::path azure_endorsement_file(const std::filesystem::path& state_dir) {
  return state_dir / "azure-endorsement";
}

}  // namespace atls
