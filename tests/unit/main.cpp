#define CATCH_CONFIG_RUNNER
#include "support/job_stacks.hpp"

#include <catch2/catch.hpp>

int main(int argc, char** argv) {
  atls::test::watch_job_stacks();
  return Catch::Session().run(argc, argv);
}
