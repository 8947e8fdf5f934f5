// appraisal-bench PATH/atls-verifier: what one appraisal costs a Relying Party, part by part, and
// how many of them one relying_party sustains; the local checks of each kind of confidential VM.
// The Verifier is a process of its own and not counted.
#include "appraisal/appraisal.hpp"

#include "appraisal/policy/facts.hpp"
#include "appraisal/relying_party.hpp"
#include "core/files.hpp"
#include "schemes/arm_cca/arm_cca_scheme.hpp"
#include "support/cvm_evidence.hpp"
#include "support/software_tpm.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace atls;
using namespace atls::test;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr int count = 4000;
constexpr int threads = 64;

double cpu_us() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double us_each(int times, const std::function<void(int)>& work) {
  const auto started = cpu_us();
  for (int i = 0; i < times; ++i) {
    work(i);
  }
  return (cpu_us() - started) / times;
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  ::bind(fd, reinterpret_cast<sockaddr*>(&at), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
  ::close(fd);
  return ntohs(at.sin_port);
}

// The reference Verifier with one machine's endorsements.
class verifier_process {
 public:
  verifier_process(const char* program, const evidence_maker& machine) {
    char name[] = "/tmp/appraisal-bench-XXXXXX";
    directory_ = ::mkdtemp(name);
    const auto corim = endorsements_of(machine).encode();
    write_file(directory_ / "e.cbor", as_text(corim), 0644).value();
    const auto listen = "127.0.0.1:" + std::to_string(free_port());
    options_.url = "http://" + listen;
    const std::string key = directory_ / "key.pem";
    const char* arguments[] = {program,          "--listen",         listen.c_str(),
                               "--endorsements", directory_.c_str(), "--result-key",
                               key.c_str(),      "--required-pcrs",  "sha256:0,1,2,3,4,5,6,7",
                               nullptr};
    ::posix_spawn(&pid_, program, nullptr, nullptr, const_cast<char**>(arguments), environ);
    const auto public_half = key + ".pub";
    while (!std::filesystem::exists(public_half)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    options_.pinned_keys =
        parse_public_keys(read_file(public_half, errc::internal).value()).value();
  }
  ~verifier_process() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(directory_);
  }
  const verifier_options& options() const { return options_; }

 private:
  std::filesystem::path directory_;
  verifier_options options_;
  pid_t pid_ = 0;
};

// All checks that need no Verifier, signatures among them.
void measure_confidential_vms() {
  const std::tuple<const char*, std::string_view, bytes> all[] = {
      {"snp", sev_snp_scheme::type, snp_evidence("report-good.bin")},
      {"tdx", tdx_scheme::type, tdx_evidence_of("quote-v4-good.bin")},
      {"cca", arm_cca_scheme::type, read_binary_vector("cca/token-907-good.cbor")}};
  for (const auto& [name, type, evidence] : all) {
    const auto binder = read_binary_vector(std::string(name) + "/binder.bin");
    for (const auto& scheme : make_schemes({})) {
      if (scheme->media_type() == type) {
        const double each = us_each(count / 4, [&](int) {
          scheme->check(evidence, {binder, {}}).value();
        });
        std::printf("local checks of %s Evidence, CPU us: %.0f\n", name, each);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: appraisal-bench PATH/atls-verifier\n", stderr);
    return 2;
  }
  measure_confidential_vms();
  evidence_maker machine;
  const bytes leaf = spki(machine.tik);
  std::vector<appraisal_request> requests;
  for (int i = 0; i < count; ++i) {
    machine.binder.clear();
    append_number(machine.binder, static_cast<std::uint64_t>(i) + 1, 8);
    machine.binder.resize(32, 0x5a);
    machine.derive();
    requests.push_back({.cmw = machine.make_cmw(),
                        .scheme = attestation_scheme::evidence(parsec_tpm_evidence::media_type),
                        .binder = machine.binder,
                        .leaf_spki = leaf});
  }
  auto policy = std::make_shared<appraisal_policy>();
  policy->schemes = make_schemes({.parsec_tpm = {.required_pcrs = {tpm_hash::sha256, 0xff}}});

  const verifier_process verifier(argv[1], machine);
  relying_party asked({.verifiers = {verifier.options()}});
  std::vector<result<attested_peer>> peers;
  peers.push_back(asked.appraise(requests[0], policy));
  const auto& ear = peers[0].value().result();
  const auto& key = *verifier.options().pinned_keys.front();

  const double local = us_each(count, [&](int i) {
    appraisal::check(requests[static_cast<std::size_t>(i)], *policy).value();
  });
  const double signature = us_each(count, [&](int) { verify_jws(ear.token(), key).value(); });
  const auto payload = verify_jws(ear.token(), key).value();
  const double claims = us_each(count, [&](int) { ear::parse(payload).value(); });
  std::vector<std::string> problems;
  const auto rules = parse_rules(
      parse_json(R"([{"require": {"ear.vector.hardware": 2, "evidence.key.curve": "P-256"}}])",
                 errc::internal)
          .value(),
      "rules", problems);
  const json facts = peers[0].value().evidence()->facts;
  const double ruled = us_each(count, [&](int) {
    judge(rules,
          appraisal_facts(facts, ear_facts(ear.claims(), std::chrono::system_clock::now()), ""))
        .value();
  });

  std::atomic<int> next = 1;
  const auto cpu = cpu_us();
  const auto started = clock_type::now();
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&] {
      for (int i = next++; i < count; i = next++) {
        asked.appraise(requests[static_cast<std::size_t>(i)], policy).value();
      }
    });
  }
  for (auto& one : running) {
    one.join();
  }
  const double seconds = std::chrono::duration<double>(clock_type::now() - started).count();
  const double whole = (cpu_us() - cpu) / (count - 1);
  std::printf(
      "one appraisal, CPU us: %.0f whole; Evidence %.1f, result's signature %.1f, its claims "
      "%.1f, rules %.1f; HTTP, session JSON and threads %.0f\n",
      whole, local, signature, claims, ruled, whole - local - signature - claims);
  std::printf("%.0f appraisals a second, %d at a time\n", (count - 1) / seconds, threads);
  return 0;
}
