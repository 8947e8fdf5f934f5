#define FUSE_USE_VERSION 35

#include "configfs.hpp"

#include <cerrno>
#include <fuse.h>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace atls::test {
namespace {

struct entry {
  bytes inblob;
  unsigned privlevel = 0;
  std::uint64_t generation = 0;
  /// Of the report that stands here.
  std::uint64_t answered = 0;
  bytes outblob;
  std::map<std::string, std::pair<uid_t, gid_t>> owners;
};

/// An open attribute: what was read of it first, or what is written to it.
struct open_file {
  std::string name;
  std::string attribute;
  bool has_content = false;
  bytes content;
};

struct place {
  std::string entry;
  std::string attribute;
};

class tree {
 public:
  explicit tree(fake_kernel& kernel) : kernel_(kernel) {}

  std::set<std::string> attributes() const {
    std::set<std::string> out{"inblob", "outblob", "provider", "generation"};
    if (kernel_.provider != "tdx_guest") {
      out.insert("auxblob");
    }
    if (kernel_.provider == "sev_guest") {
      out.insert({"privlevel", "privlevel_floor"});
    }
    return out;
  }

  static place place_of(std::string path) {
    path.erase(0, 1);
    const auto slash = path.find('/');
    return {path.substr(0, slash), slash == std::string::npos ? "" : path.substr(slash + 1)};
  }

  std::shared_ptr<entry> find(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : found->second;
  }

  int make(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return entries_.emplace(name, std::make_shared<entry>()).second ? 0 : -EEXIST;
  }
  int remove(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return entries_.erase(name) == 1 ? 0 : -ENOENT;
  }
  std::vector<std::string> names() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [name, one] : entries_) {
      out.push_back(name);
    }
    return out;
  }

  int read(const std::string& name, const std::string& attribute, bytes& to) {
    const auto at = find(name);
    if (!at) {
      return -ENOENT;
    }
    const auto line = [&](const std::string& text) {
      to = to_bytes(as_bytes(text + "\n"));
      return 0;
    };
    if (attribute == "provider") {
      return line(kernel_.provider);
    }
    if (attribute == "privlevel_floor") {
      return line(std::to_string(kernel_.privlevel_floor));
    }
    if (attribute == "generation") {
      const std::lock_guard lock(mutex_);
      return line(std::to_string(at->generation));
    }
    if (attribute != "outblob" && attribute != "auxblob") {
      return -EACCES;
    }
    // One report at a time: the machine has one firmware.
    const std::lock_guard turn(firmware_);
    if (const int why = generate(*at); why != 0) {
      return why;
    }
    const std::lock_guard lock(mutex_);
    to = attribute == "outblob" ? at->outblob : kernel_.auxblob;
    return 0;
  }

  int write_privlevel(const std::string& name, const std::string& text) {
    const auto at = find(name);
    const auto level = static_cast<unsigned>(std::strtoul(text.c_str(), nullptr, 10));
    if (!at || level > 3 || level < kernel_.privlevel_floor) {
      return at ? -EINVAL : -ENOENT;
    }
    const std::lock_guard lock(mutex_);
    at->privlevel = level;
    ++at->generation;
    return 0;
  }

  // What happens at the last close(2), whose caller is not told.
  void take(const open_file& written) {
    const auto at = find(written.name);
    if (!at || written.attribute != "inblob" || !written.has_content) {
      return;
    }
    const std::lock_guard lock(mutex_);
    at->inblob = written.content;
    ++at->generation;
  }

 private:
  int generate(entry& at) {
    request_data data{};
    unsigned level = 0;
    std::uint64_t generation = 0;
    {
      const std::lock_guard lock(mutex_);
      const bool is_enough = kernel_.provider == "arm_cca_guest" ? at.inblob.size() >= 32
                                                                 : at.inblob.size() == data.size();
      if (!is_enough || at.privlevel < kernel_.privlevel_floor) {
        return -EINVAL;
      }
      if (!at.outblob.empty() && at.answered == at.generation) {
        return 0;
      }
      std::copy(at.inblob.begin(), at.inblob.end(), data.begin());
      level = at.privlevel;
      generation = at.generation;
    }
    std::this_thread::sleep_for(kernel_.takes);
    bytes made;
    if (kernel_.failures_left > 0) {
      --kernel_.failures_left;
      if (kernel_.fails_with != 0) {
        return -kernel_.fails_with;
      }
    } else {
      made = kernel_.behind->report(data, level);
    }
    const std::lock_guard lock(mutex_);
    at.outblob = std::move(made);
    at.answered = generation;
    return 0;
  }

  fake_kernel& kernel_;
  mutable std::mutex mutex_;
  std::mutex firmware_;
  std::map<std::string, std::shared_ptr<entry>> entries_;
};

tree& here() {
  return *static_cast<tree*>(fuse_get_context()->private_data);
}

open_file& opened(const fuse_file_info* info) {
  return *reinterpret_cast<open_file*>(info->fh);
}

mode_t mode_of(const std::string& attribute) {
  return S_IFREG | (attribute == "inblob" || attribute == "privlevel" ? 0200 : 0444);
}

// Sizes are 0 whatever is in: configfs has it so.
int get_attributes(const char* path, struct stat* to, fuse_file_info*) {
  *to = {};
  const auto [name, attribute] = tree::place_of(path);
  const auto at = here().find(name);
  const bool is_there =
      name.empty() || (at && (attribute.empty() || here().attributes().contains(attribute)));
  if (!is_there) {
    return -ENOENT;
  }
  to->st_mode = attribute.empty() ? S_IFDIR | 0755 : mode_of(attribute);
  to->st_nlink = 1;
  if (at && at->owners.contains(attribute)) {
    std::tie(to->st_uid, to->st_gid) = at->owners[attribute];
  }
  return 0;
}

int list(const char* path, void* to, fuse_fill_dir_t fill, off_t, fuse_file_info*,
         fuse_readdir_flags) {
  const auto add = [&](const std::string& name) { fill(to, name.c_str(), nullptr, 0, {}); };
  add(".");
  add("..");
  if (std::string(path) == "/") {
    for (const auto& name : here().names()) {
      add(name);
    }
  } else {
    for (const auto& name : here().attributes()) {
      add(name);
    }
  }
  return 0;
}

int make_directory(const char* path, mode_t) {
  const auto [name, attribute] = tree::place_of(path);
  return attribute.empty() ? here().make(name) : -EPERM;
}

int remove_directory(const char* path) {
  const auto [name, attribute] = tree::place_of(path);
  return attribute.empty() ? here().remove(name) : -EPERM;
}

int change_owner(const char* path, uid_t user, gid_t group, fuse_file_info*) {
  const auto [name, attribute] = tree::place_of(path);
  const auto at = here().find(name);
  if (!at) {
    return -ENOENT;
  }
  at->owners[attribute] = {user, group};
  return 0;
}

int change_mode(const char*, mode_t, fuse_file_info*) {
  return 0;
}

int truncate_file(const char*, off_t, fuse_file_info*) {
  return 0;
}

int open_attribute(const char* path, fuse_file_info* info) {
  const auto [name, attribute] = tree::place_of(path);
  if (!here().find(name)) {
    return -ENOENT;
  }
  info->fh = reinterpret_cast<std::uint64_t>(new open_file{name, attribute, false, {}});
  info->direct_io = 1;
  return 0;
}

int read_attribute(const char*, char* to, std::size_t size, off_t offset, fuse_file_info* info) {
  auto& file = opened(info);
  if (!file.has_content) {
    if (const int why = here().read(file.name, file.attribute, file.content); why != 0) {
      return why;
    }
    file.has_content = true;
  }
  const auto at = static_cast<std::size_t>(offset);
  const auto count = at < file.content.size() ? std::min(size, file.content.size() - at) : 0;
  std::copy_n(file.content.begin() + offset, count, to);
  return static_cast<int>(count);
}

int write_attribute(const char*, const char* from, std::size_t size, off_t offset,
                    fuse_file_info* info) {
  constexpr std::size_t longest = 64;
  auto& file = opened(info);
  if (file.attribute == "privlevel") {
    const int why = here().write_privlevel(file.name, std::string(from, size));
    return why != 0 ? why : static_cast<int>(size);
  }
  if (file.attribute != "inblob") {
    return -EACCES;
  }
  if (static_cast<std::size_t>(offset) + size > longest) {
    return -EFBIG;
  }
  file.content.resize(static_cast<std::size_t>(offset) + size);
  std::copy_n(from, size, file.content.begin() + offset);
  file.has_content = true;
  return static_cast<int>(size);
}

// close(2) does not wait for FUSE's release, but for this.
int flush_attribute(const char*, fuse_file_info* info) {
  auto& file = opened(info);
  if (file.attribute == "inblob") {
    here().take(file);
    file.has_content = false;
  }
  return 0;
}

int release_attribute(const char*, fuse_file_info* info) {
  delete &opened(info);
  return 0;
}

fuse_operations make_operations() {
  fuse_operations out{};
  out.getattr = get_attributes;
  out.readdir = list;
  out.mkdir = make_directory;
  out.rmdir = remove_directory;
  out.chown = change_owner;
  out.chmod = change_mode;
  out.truncate = truncate_file;
  out.open = open_attribute;
  out.read = read_attribute;
  out.write = write_attribute;
  out.flush = flush_attribute;
  out.release = release_attribute;
  return out;
}

}  // namespace

int serve(fake_kernel& kernel, const std::string& mountpoint) {
  tree all(kernel);
  const auto operations = make_operations();
  std::string program = "fake-tsm";
  std::string foreground = "-f";
  std::string options = "-oallow_other,default_permissions,attr_timeout=0,entry_timeout=0";
  std::string at = mountpoint;
  char* arguments[] = {program.data(), foreground.data(), options.data(), at.data()};
  return fuse_main(4, arguments, &operations, &all);
}

}  // namespace atls::test
