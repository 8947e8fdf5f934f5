// For whom a thread works at the moment, for the queues that are fair between sources.
#pragma once

#include <string>
#include <utility>

namespace atls {

/// The source of the peer whose handshake this thread carries on: the bytes of its address's
/// prefix. What the handshake asks for, of the TPM or of the Verifier, is asked on behalf of it.
/// OpenSSL's calls between the two have no room for an argument, hence a thread's variable. Empty:
/// nobody's, such as this host's own applications.
class requester {
 public:
  static const std::string& current() noexcept { return current_; }

  /// Until the end of its scope, which must not contain a pause of a job.
  class scope {
   public:
    explicit scope(const std::string& source) : before_(std::exchange(current_, source)) {}
    ~scope() { current_ = std::move(before_); }
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;

   private:
    std::string before_;
  };

 private:
  inline static thread_local std::string current_;
};

}  // namespace atls
