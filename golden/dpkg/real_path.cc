#include "golden/dpkg/real_path.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <vector>

#include "core/text.h"
#include "golden/set_file.h"

namespace assay {
namespace {

constexpr std::size_t kMaxLinks = 40;  // Linux MAXSYMLINKS

// Puts the components of `path` on `todo`, the first on top.
void push_components(std::string_view path, std::vector<std::string>& todo) {
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    const std::size_t start = slash == std::string_view::npos ? 0 : slash + 1;
    const std::string_view name = path.substr(start);
    if (!name.empty() && name != ".") todo.emplace_back(name);
    path = path.substr(0, start == 0 ? 0 : start - 1);
  }
}

std::string join(const std::vector<std::string>& components) {
  std::string out;
  for (const std::string& name : components) out += (out.empty() ? "" : "/") + name;
  return out;
}

// A symbolic link's target; nothing when it went or is too long for one.
std::optional<std::string> read_link(const Fd& at, const std::string& name) {
  std::array<char, kMaxSetPathBytes> target;
  const ssize_t size = ::readlinkat(at.get(), name.c_str(), target.data(), target.size());
  if (size <= 0 || static_cast<std::size_t>(size) == target.size()) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(size));
}

}  // namespace

Result<std::optional<std::string>> RealPaths::resolve(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::string parent(path.substr(0, slash));
  auto it = directories_.find(parent);
  if (it == directories_.end()) {
    ASSAY_TRY(auto real, directory(parent));
    it = directories_.emplace(parent, std::move(real)).first;
  }
  if (!it->second) return std::nullopt;
  std::string out = *it->second;
  if (!out.empty()) out += '/';
  out += path.substr(slash + 1);
  if (out.size() + 1 > kMaxSetPathBytes) {
    return fail(FaultId::kGoldenTooLarge, "a path over " + std::to_string(kMaxSetPathBytes) +
                                              " bytes: " + shorten(escape_bytes(out), 200));
  }
  return out;
}

Result<std::optional<std::string>> RealPaths::directory(std::string_view path) const {
  std::vector<std::string> todo;  // the next component is the last
  std::vector<std::string> done;
  push_components(path, todo);
  for (std::size_t links = 0; !todo.empty();) {
    const std::string name = std::move(todo.back());
    todo.pop_back();
    if (name == "..") {
      if (!done.empty()) done.pop_back();
      continue;
    }
    const std::string at_path = join(done);
    const Fd at = root_.open_beneath(at_path, O_PATH | O_DIRECTORY);
    struct stat st = {};
    if (!at.ok() || ::fstatat(at.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
      if (gone(errno)) return std::nullopt;
      return root_.unreadable(at_path, errno);
    }
    if (S_ISDIR(st.st_mode)) {
      done.push_back(name);
      continue;
    }
    const auto target = S_ISLNK(st.st_mode) ? read_link(at, name) : std::nullopt;
    if (!target || ++links > kMaxLinks) return std::nullopt;
    if (target->starts_with('/')) done.clear();
    push_components(*target, todo);
  }
  return join(done);
}

}  // namespace assay
