// Whole files in and out.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace atls {

/// At most `limit_bytes`; `why` is the code of the failure, whose detail names the file and cause.
result<std::string> read_file(const std::filesystem::path& path, errc why,
                              std::size_t limit_bytes = 1u << 20);

/// Writes beside the file and renames, so that no reader ever sees half of it, and that it survives
/// a loss of power once this returns. `mode` as chmod(2). What stands at `path` and is no regular
/// file (a symbolic link, a device) is left alone, which is a failure.
result<void> write_file(const std::filesystem::path& path, std::string_view content, unsigned mode);

/// A directory held by its descriptor: the same one for as long as this lives, whatever becomes of
/// its name.
class held_directory {
 public:
  static result<held_directory> open(const std::filesystem::path& path);
  held_directory(held_directory&& other) noexcept;
  held_directory& operator=(held_directory&&) = delete;
  ~held_directory();

  /// Held for as long as this lives. state_busy at once if another program holds it (flock(2)).
  result<void> lock() const;

  int descriptor() const noexcept { return descriptor_; }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  held_directory(std::filesystem::path path, int descriptor)
      : path_(std::move(path)), descriptor_(descriptor) {}

  std::filesystem::path path_;
  int descriptor_;
};

/// Files of one directory that appear together: what was added is put in place by commit(), or goes
/// away with this object.
class staged_files {
 public:
  /// `where` must outlive this.
  explicit staged_files(const held_directory& where) : where_(where) {}
  staged_files(const staged_files&) = delete;
  staged_files& operator=(const staged_files&) = delete;
  ~staged_files();

  /// As write_file.
  result<void> add(const std::string& name, std::string_view content, unsigned mode);
  result<void> commit();

 private:
  struct staged {
    std::string name;
    std::string temporary;
    bool is_in_place = false;
  };
  failure failed(const std::string& name) const;

  const held_directory& where_;
  std::vector<staged> files_;
  bool is_committed_ = false;
};

}  // namespace atls
