#include "golden/image/flatten.h"

#include <algorithm>
#include <deque>

#include "core/text.h"

namespace assay {
namespace {

using Kind = LayerEntry::Kind;
using Names = std::deque<std::string>;

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kAufsPrefix = ".wh..wh.";
constexpr std::string_view kOpaqueName = ".wh..wh..opq";
constexpr unsigned kMaxLinks = 40;           // Linux MAXSYMLINKS
constexpr std::size_t kMaxComponents = 256;  // the tree is walked and freed by recursion

Names split(std::string_view path) {
  Names out;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    if (!name.empty() && name != ".") out.emplace_back(name);
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return out;
}

std::string join(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : "/") + name;
  return out;
}

std::string shown(std::string_view path) {
  return shorten(escape_bytes(path), 200);
}

tl::unexpected<Fault> malformed(std::string_view path, std::string_view what) {
  return fail(FaultId::kImageMalformed, shown(path) + ": " + std::string(what));
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

std::string_view parent_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? "" : path.substr(0, slash);
}

}  // namespace

struct ImageTree::Node {
  Kind kind = Kind::kDirectory;
  std::string target;  // of a symbolic link
  GoldenFile file;     // of a file, without its path
  std::map<std::string, Node> children;
};

namespace {

using Node = ImageTree::Node;

enum class Missing : std::uint8_t { kMake, kLeave };

// Finds directories in the tree, following symbolic links inside the image.
struct Walk {
  Node& root;
  Missing missing;
  const std::set<std::string>&
      kept;  // names that are not followed: this layer makes directories of them

  // The directory that `path` names; null when it is not there and Missing::kLeave.
  Result<Node*> directory(std::string_view path) const {
    Names todo = split(path);
    std::vector<std::string> at;
    std::vector<Node*> nodes = {&root};
    unsigned links = 0;
    while (!todo.empty()) {
      const std::string name = std::move(todo.front());
      todo.pop_front();
      if (name == "..") {  // of a link's target; the root is its own parent
        if (!at.empty()) at.pop_back();
        if (nodes.size() > 1) nodes.pop_back();
        continue;
      }
      at.push_back(name);
      if (at.size() >= kMaxComponents || join(at).size() > kMaxSetPathBytes) {
        return fail(FaultId::kImageTooLarge, "a path that is too long: " + shown(path));
      }
      Node* next = child(*nodes.back(), name);
      if (next != nullptr && next->kind == Kind::kSymlink && !kept.contains(join(at))) {
        if (++links > kMaxLinks) {
          return fail(FaultId::kImagePathEscape, "too many symbolic links: " + shown(path));
        }
        follow(next->target, at, nodes, todo);
        continue;
      }
      if (next == nullptr || next->kind != Kind::kDirectory) {
        if (missing == Missing::kLeave) return nullptr;
        next = &(nodes.back()->children[name] = Node{});
      }
      nodes.push_back(next);
    }
    return nodes.back();
  }

 private:
  static Node* child(Node& parent, const std::string& name) {
    const auto it = parent.children.find(name);
    return it == parent.children.end() ? nullptr : &it->second;
  }

  static void follow(const std::string& target, std::vector<std::string>& at,
                     std::vector<Node*>& nodes, Names& todo) {
    at.pop_back();
    if (target.starts_with('/')) {
      at.clear();
      nodes.resize(1);
    }
    const Names more = split(target);
    todo.insert(todo.begin(), more.begin(), more.end());
  }
};

Status remove_below(const Walk& walk, const LayerEntry& entry) {
  if (entry.kind == Kind::kOpaque) {
    if (walk.kept.contains(entry.path)) {
      // The directory itself, not what a link of its name leads to.
      ASSAY_TRY(Node * parent, walk.directory(parent_path(entry.path)));
      if (parent == nullptr) return {};
      const auto it = parent->children.find(std::string(base_name(entry.path)));
      if (it != parent->children.end()) it->second.children.clear();
      return {};
    }
    ASSAY_TRY(Node * directory, walk.directory(entry.path));
    if (directory != nullptr) directory->children.clear();
  } else if (entry.kind == Kind::kWhiteout) {
    ASSAY_TRY(Node * parent, walk.directory(parent_path(entry.path)));
    if (parent != nullptr) parent->children.erase(std::string(base_name(entry.path)));
  }
  return {};
}

Result<Node> hard_link(const Walk& walk, const LayerEntry& entry) {
  const Walk look{.root = walk.root, .missing = Missing::kLeave, .kept = walk.kept};
  ASSAY_TRY(Node * parent, look.directory(parent_path(entry.target)));
  const std::string name(base_name(entry.target));
  if (parent == nullptr || !parent->children.contains(name)) {
    return malformed(entry.path, "a hard link to what is not there");
  }
  const Node& target = parent->children.at(name);
  if (target.kind == Kind::kDirectory) return malformed(entry.path, "a hard link to a directory");
  return target;
}

GoldenFile file_of(const LayerEntry& entry) {
  return {.path = "",
          .digests = entry.digests,
          .size = entry.size,
          .mode = entry.mode,
          .uid = entry.uid,
          .gid = entry.gid,
          .kind = entry.content_kind};
}

Status add(const Walk& walk, const LayerEntry& entry, std::uint8_t layer) {
  if (entry.path.empty()) {
    if (entry.kind == Kind::kDirectory) return {};
    return malformed("/", "the root is no directory");
  }
  Node node{.kind = entry.kind, .target = entry.target, .file = file_of(entry), .children = {}};
  if (entry.kind == Kind::kHardLink) {
    ASSAY_TRY(node, hard_link(walk, entry));
  }
  node.file.layer = layer;
  ASSAY_TRY(Node * parent, walk.directory(parent_path(entry.path)));
  Node& place = parent->children[std::string(base_name(entry.path))];
  // What a directory holds stays when the directory is named again.
  if (node.kind == Kind::kDirectory && place.kind == Kind::kDirectory) return {};
  place = std::move(node);
  return {};
}

void collect(const Node& node, const std::string& path, std::vector<GoldenFile>& out) {
  if (node.kind == Kind::kFile) {
    out.push_back(node.file);
    out.back().path = path;
  }
  for (const auto& [name, child] : node.children) collect(child, path + "/" + name, out);
}

std::uint64_t count_special(const Node& node) {
  std::uint64_t out = node.kind == Kind::kSpecial ? 1 : 0;
  for (const auto& [name, child] : node.children) out += count_special(child);
  return out;
}

}  // namespace

Result<std::string> layer_path(std::string_view path) {
  if (path.size() > kMaxSetPathBytes) return malformed(path, "a path that is too long");
  if (path.starts_with('/')) {
    return fail(FaultId::kImagePathEscape, "an absolute path: " + shown(path));
  }
  const Names names = split(path);
  if (std::ranges::find(names, "..") != names.end()) {
    return fail(FaultId::kImagePathEscape, "a path with \"..\": " + shown(path));
  }
  return join({names.begin(), names.end()});
}

Result<bool> take_whiteout(LayerEntry& entry) {
  const Names names = split(entry.path);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string_view name = names[i];
    const bool last = i + 1 == names.size();
    if (!name.starts_with(kWhiteoutPrefix)) continue;
    if (last && name == kOpaqueName) {
      entry.kind = Kind::kOpaque;
      entry.path = parent_path(entry.path);
      return true;
    }
    if (name.starts_with(kAufsPrefix)) return false;
    const std::string_view hidden = name.substr(kWhiteoutPrefix.size());
    if (hidden == "." || hidden == "..") {
      return fail(FaultId::kImagePathEscape, "a whiteout of \"..\" or \".\": " + shown(entry.path));
    }
    if (hidden.empty() || !last) return malformed(entry.path, "a whiteout that names no file");
    const std::string_view parent = parent_path(entry.path);
    entry.kind = Kind::kWhiteout;
    entry.path = std::string(parent) + (parent.empty() ? "" : "/") + std::string(hidden);
    return true;
  }
  return true;
}

ImageTree::ImageTree() : root_(std::make_unique<Node>()) {}
ImageTree::~ImageTree() = default;
ImageTree::ImageTree(ImageTree&&) noexcept = default;
ImageTree& ImageTree::operator=(ImageTree&&) noexcept = default;

Status ImageTree::apply(const std::vector<LayerEntry>& layer) {
  ASSAY_CHECK(layers_ < kMaxSetImageItems);
  const auto index = static_cast<std::uint8_t>(layers_++);
  std::set<std::string> made;
  for (const LayerEntry& entry : layer) {
    if (entry.kind == Kind::kDirectory) made.insert(entry.path);
  }
  // First all that removes: it is about the layers below, wherever it stands in this one.
  const Walk below{.root = *root_, .missing = Missing::kLeave, .kept = made};
  for (const LayerEntry& entry : layer) ASSAY_OK(remove_below(below, entry));
  const std::set<std::string> none;
  const Walk walk{.root = *root_, .missing = Missing::kMake, .kept = none};
  for (const LayerEntry& entry : layer) {
    if (entry.kind != Kind::kWhiteout && entry.kind != Kind::kOpaque)
      ASSAY_OK(add(walk, entry, index));
  }
  return {};
}

std::vector<GoldenFile> ImageTree::files() const {
  std::vector<GoldenFile> out;
  collect(*root_, "", out);
  sort_files(out);
  return out;
}

std::uint64_t ImageTree::special() const {
  return count_special(*root_);
}

}  // namespace assay
