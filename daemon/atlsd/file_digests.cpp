#include "atlsd/file_digests.hpp"

#include "core/files.hpp"

#include <set>

#include <openssl/evp.h>

namespace atls {
namespace {

std::string names_in(const std::filesystem::path& directory) {
  std::set<std::string> names;
  std::error_code ec;
  for (std::filesystem::directory_iterator entry(directory, ec), end; !ec && entry != end;
       entry.increment(ec)) {
    names.insert(entry->path().filename());
  }
  std::string out;
  for (const auto& name : names) {
    out.append(name).push_back('\0');
  }
  return out;
}

}  // namespace

std::string digest_of(std::string_view content) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(content.data(), content.size(), out, &size, EVP_sha256(), nullptr);
  return {reinterpret_cast<const char*>(out), size};
}

std::string digest_of_file(const std::filesystem::path& file) {
  std::error_code ec;
  if (std::filesystem::is_directory(file, ec)) {
    return digest_of(names_in(file));
  }
  const auto content = read_file(file, errc::internal);
  return content ? digest_of(*content) : "";
}

}  // namespace atls
