#include "attester/several_presenters.hpp"

#include <catch2/catch.hpp>

using namespace atls;

namespace {

// Presents its own name.
class named_presenter final : public presenter {
 public:
  explicit named_presenter(std::string name) : name_(std::move(name)) {}

  attestation_schemes offers() const override { return {attestation_scheme::evidence(name_)}; }
  result<bytes> present(const attestation_scheme&, bytes_view, steady_time) override {
    return to_bytes(as_bytes(name_));
  }
  result<void> check(steady_time) override {
    return is_there ? result<void>() : failure(errc::tsm_unavailable, name_);
  }
  bytes instance() const override { return to_bytes(as_bytes(name_)); }
  json describe() const override { return {{"attester", name_}}; }

  bool is_there = true;

 private:
  const std::string name_;
};

}  // namespace

TEST_CASE("several roots of trust are offered in their order, and each presents its own",
          "[attester]") {
  const auto first = std::make_shared<named_presenter>("a/first");
  const auto second = std::make_shared<named_presenter>("a/second");
  several_presenters both({first, second});
  const auto of = [](const char* type) { return attestation_scheme::evidence(type); };
  CHECK(both.offers() == attestation_schemes{of("a/first"), of("a/second")});
  const auto presented = [&](const char* type) {
    return both.present(of(type), bytes(32, 1), steady_time::max());
  };
  CHECK(as_text(presented("a/first").value()) == "a/first");
  CHECK(as_text(presented("a/second").value()) == "a/second");
  CHECK(presented("a/third").error().code == errc::internal);
  CHECK(as_text(both.instance()) == "a/first");
  CHECK(both.describe() == json{{"attester", "a/first"}});
}

TEST_CASE("a machine is ready where each of its roots of trust is", "[attester]") {
  const auto first = std::make_shared<named_presenter>("a/first");
  const auto second = std::make_shared<named_presenter>("a/second");
  several_presenters both({first, second});
  CHECK(both.check(steady_time::max()).has_value());
  second->is_there = false;
  CHECK(both.check(steady_time::max()).error().code == errc::tsm_unavailable);
}
