#include "golden/dpkg/database.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.h"
#include "golden/set_file.h"

namespace assay {
namespace {

constexpr std::size_t kMd5Digits = 2 * sizeof(Md5);

bool alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Names become parts of paths: no slash, and no dot at the front.
bool valid_name(std::string_view name, std::string_view more) {
  return !name.empty() && alphanumeric(name.front()) && std::ranges::all_of(name, [&](char c) {
    return alphanumeric(c) || more.find(c) != std::string_view::npos;
  });
}

// Absolute, and no component empty, "." or "..": dpkg writes none, and nothing has to be made of them.
bool valid_path(std::string_view path) {
  if (!path.starts_with('/') || path.size() > kMaxSetPathBytes) return false;
  if (path.find('\0') != std::string_view::npos) return false;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::string_view name = path.substr(0, path.find('/'));
    if (name.empty() || name == "." || name == "..") return false;
    path.remove_prefix(name.size());
  }
  return true;
}

bool blank(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// A text's lines; what follows the last newline is one when it is not empty.
class Lines {
 public:
  explicit Lines(ByteView bytes) : rest_(as_text(bytes)) {}

  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    const std::size_t end = rest_.find('\n');
    line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    ++number_;
    return true;
  }

  tl::unexpected<Fault> refuse(std::string_view what, std::string_view line) const {
    return fail(FaultId::kGoldenMalformed, "line " + std::to_string(number_) + ": " +
                                               std::string(what) + ": " +
                                               shorten(escape_bytes(line), 80));
  }

 private:
  std::string_view rest_;
  std::uint64_t number_ = 0;
};

std::optional<Md5> parse_md5(std::string_view hex) {
  if (hex.size() != kMd5Digits) return std::nullopt;
  const auto bytes = from_hex(hex);
  if (!bytes) return std::nullopt;
  Md5 out{};
  std::ranges::copy(*bytes, out.begin());
  return out;
}

// The last word of Status, dpkg's lib/dpkg/parsehelp.c statusinfos[].
std::optional<PackageState> parse_state(std::string_view status) {
  constexpr std::pair<std::string_view, PackageState> kStates[] = {
      {"not-installed", PackageState::kAbsent},   {"config-files", PackageState::kAbsent},
      {"half-installed", PackageState::kPartly},  {"unpacked", PackageState::kThere},
      {"half-configured", PackageState::kThere},  {"triggers-awaited", PackageState::kThere},
      {"triggers-pending", PackageState::kThere}, {"installed", PackageState::kThere},
  };
  const std::string_view word = status.substr(status.rfind(' ') + 1);
  const auto it =
      std::ranges::find(kStates, word, &std::pair<std::string_view, PackageState>::first);
  if (it == std::end(kStates) || std::ranges::count(status, ' ') != 2) return std::nullopt;
  return it->second;
}

class StatusReader {
 public:
  // `unsaid` is the state of a package that says none; nothing: each has to.
  StatusReader(ByteView status, std::optional<PackageState> unsaid)
      : lines_(status), unsaid_(unsaid) {}

  Result<std::vector<DpkgPackage>> read() && {
    std::string_view line;
    while (lines_.next(line)) {
      if (trimmed(line).empty()) {
        ASSAY_OK(end_stanza());
      } else if (blank(line.front())) {
        ASSAY_OK(continuation(line));
      } else {
        ASSAY_OK(field(line));
      }
    }
    ASSAY_OK(end_stanza());
    return std::move(packages_);
  }

 private:
  Status field(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos) return lines_.refuse("no field", line);
    in_stanza_ = true;
    field_ = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (field_ == "Package") {
      if (!package_.name.empty() || !valid_name(value, "+-.")) {
        return lines_.refuse("a bad package name", line);
      }
      package_.name = value;
    } else if (field_ == "Architecture") {
      if (!valid_name(value, "-")) return lines_.refuse("a bad architecture", line);
      package_.architecture = value;
    } else if (field_ == "Status") {
      const auto state = parse_state(value);
      if (state_ || !state) return lines_.refuse("a bad state", line);
      state_ = state;
    }
    return {};
  }

  Status continuation(std::string_view line) {
    if (field_.empty()) return lines_.refuse("a continuation of nothing", line);
    return field_ == "Conffiles" ? conffile(line) : Status{};
  }

  // " /etc/a file 9f86… obsolete": the path is what is left when the rest is taken from the end.
  Status conffile(std::string_view line) {
    std::string_view rest = trimmed(line);
    for (const std::string_view flag : {" remove-on-upgrade", " obsolete"}) {
      if (rest.ends_with(flag)) rest = trimmed(rest.substr(0, rest.size() - flag.size()));
    }
    const std::size_t space = rest.rfind(' ');
    const std::string_view path = trimmed(rest.substr(0, space));
    if (space == std::string_view::npos || !valid_path(path)) {
      return lines_.refuse("a bad configuration file", line);
    }
    // Not a sum is "newconffile": dpkg has not got to it yet.
    package_.conffiles.insert_or_assign(std::string(path), parse_md5(rest.substr(space + 1)));
    return {};
  }

  Status end_stanza() {
    if (!in_stanza_) return {};
    const auto state = state_ ? state_ : unsaid_;
    if (package_.name.empty() || !state) {
      return lines_.refuse("a package without name or state before", package_.name);
    }
    if (packages_.size() == kMaxDpkgPackages) {
      return fail(FaultId::kGoldenTooLarge,
                  "over " + std::to_string(kMaxDpkgPackages) + " packages");
    }
    package_.state = *state;
    packages_.push_back(std::exchange(package_, {}));
    state_.reset();
    field_ = {};
    in_stanza_ = false;
    return {};
  }

  Lines lines_;
  std::optional<PackageState> unsaid_;
  bool in_stanza_ = false;
  std::string_view field_;  // that a continuation belongs to
  std::optional<PackageState> state_;
  DpkgPackage package_;  // of this stanza
  std::vector<DpkgPackage> packages_;
};

}  // namespace

Result<std::vector<DpkgPackage>> parse_dpkg_status(ByteView status) {
  return StatusReader(status, std::nullopt).read();
}

Result<DpkgPackage> parse_dpkg_status_d(ByteView file) {
  ASSAY_TRY(std::vector<DpkgPackage> packages, StatusReader(file, PackageState::kThere).read());
  if (packages.size() == 1) return std::move(packages.front());
  return fail(FaultId::kGoldenMalformed, std::to_string(packages.size()) + " packages, not one");
}

Result<std::vector<std::string_view>> parse_dpkg_list(ByteView list) {
  std::vector<std::string_view> out;
  Lines lines(list);
  std::string_view line;
  while (lines.next(line)) {
    if (line == "/.") continue;
    if (!valid_path(line)) return lines.refuse("a bad path", line);
    out.push_back(line);
  }
  return out;
}

Result<std::map<std::string_view, Md5>> parse_dpkg_md5sums(ByteView sums) {
  std::map<std::string_view, Md5> out;
  Lines lines(sums);
  std::string_view line;
  while (lines.next(line)) {
    // md5sum(1): the digest, a space, and a space or an asterisk.
    const auto md5 = parse_md5(line.substr(0, kMd5Digits));
    if (!md5 || line.size() < kMd5Digits + 3 || line[kMd5Digits] != ' ' ||
        (line[kMd5Digits + 1] != ' ' && line[kMd5Digits + 1] != '*')) {
      return lines.refuse("no MD5 sum", line);
    }
    std::string_view path = line.substr(kMd5Digits + 2);
    if (path.starts_with("./")) path.remove_prefix(1);
    if (path.starts_with('/')) path.remove_prefix(1);
    out.insert_or_assign(path, *md5);
  }
  return out;
}

Result<std::vector<std::string>> paths_of_dpkg_md5sums(
    const std::map<std::string_view, Md5>& sums) {
  std::vector<std::string> out;
  for (const auto& [path, md5] : sums) {
    out.push_back("/" + std::string(path));
    if (!valid_path(out.back())) {
      return fail(FaultId::kGoldenMalformed, "a bad path: " + shorten(escape_bytes(path), 80));
    }
  }
  return out;
}

Result<DpkgDiversions> parse_dpkg_diversions(ByteView diversions) {
  DpkgDiversions out;
  Lines lines(diversions);
  std::string_view from;
  while (lines.next(from)) {
    std::string_view to;
    std::string_view by;
    if (!lines.next(to) || !lines.next(by) || !valid_path(from) || !valid_path(to)) {
      return lines.refuse("a bad diversion", from);
    }
    out.insert_or_assign(std::string(from), DpkgDiversion{std::string(to), std::string(by)});
  }
  return out;
}

std::string_view diverted(const DpkgDiversions& diversions, std::string_view package,
                          std::string_view path) {
  const auto it = diversions.find(path);
  return it == diversions.end() || it->second.by == package ? path : it->second.to;
}

}  // namespace assay
