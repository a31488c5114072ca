#include "core/buffer/device_mapper.h"

#include <algorithm>

#include "core/text.h"

namespace assay {
namespace {

constexpr std::size_t kMaxValueBytes = 80;
constexpr std::size_t kMaxTargets = 8;

struct Field {
  std::string_view key;
  std::string value;  // without the backslashes before separators
};

// Goes over "key=value" fields one by one, so that a megabyte of them costs no memory.
class Fields {
 public:
  explicit Fields(std::string_view text) : rest_(text) {}

  std::optional<Field> next() {
    if (rest_.empty()) return std::nullopt;
    Field out;
    std::size_t at = 0;
    std::size_t key_begin = 0;
    for (; at < rest_.size() && rest_[at] != ',' && rest_[at] != ';'; ++at) {
      if (rest_[at] == '\\' && at + 1 < rest_.size()) {
        out.value += rest_[++at];
      } else if (rest_[at] == '=') {
        // "device_active_metadata=name=root": the last key is the one that has the value.
        out.key = rest_.substr(key_begin, at - key_begin);
        key_begin = at + 1;
        out.value.clear();
      } else {
        out.value += rest_[at];
      }
    }
    rest_.remove_prefix(std::min(at + 1, rest_.size()));
    return out;
  }

 private:
  std::string_view rest_;
};

std::string shown(std::string_view value) {
  return shorten(escape_bytes(value.substr(0, kMaxValueBytes * 4)), kMaxValueBytes);
}

std::string quoted(std::string_view value) {
  return "'" + shown(value) + "'";
}

struct Target {
  std::string name;
  std::string device;
  std::string algorithm;
  std::string root_digest;
  bool corrupted = false;
};

std::string format_target(const Target& target) {
  std::string out = shown(target.name);
  if (!target.device.empty()) out += " on " + shown(target.device);
  if (!target.root_digest.empty()) {
    // A SHA-512 root digest is 128 characters: it is whole or it is no use.
    out += ", root digest " + shown(target.algorithm) + ":" +
           shorten(escape_bytes(target.root_digest), 2 * kMaxValueBytes);
  }
  if (target.corrupted) out += ", corrupted";
  return out;
}

struct Event {
  std::optional<std::string> device;
  std::string new_name;
  std::string table;
  std::string targets;  // in words
  std::size_t target_count = 0;
};

void finish_target(Target& target, Event& out) {
  if (target.name.empty()) return;
  if (++out.target_count <= kMaxTargets) {
    out.targets += (out.targets.empty() ? "" : "; ") + format_target(target);
  }
  target = {};
}

Event read_event(std::string_view content) {
  Event out;
  Target target;
  Fields fields(content);
  while (auto field = fields.next()) {
    const std::string_view key = field->key;
    if (key == "target_index") {
      finish_target(target, out);
    } else if (key == "name" && !out.device) {
      out.device = std::move(field->value);
    } else if (key == "new_name") {
      out.new_name = std::move(field->value);
    } else if (key == "active_table_hash" || (key == "inactive_table_hash" && out.table.empty())) {
      out.table = std::move(field->value);
    } else if (key == "target_name") {
      target.name = std::move(field->value);
    } else if (key == "device_name" || key == "data_device_name") {
      target.device = std::move(field->value);
    } else if (key == "verity_algorithm") {
      target.algorithm = std::move(field->value);
    } else if (key == "root_digest") {
      target.root_digest = std::move(field->value);
    } else if (key == "hash_failed") {
      target.corrupted = field->value == "C";
    }
  }
  finish_target(target, out);
  if (out.target_count > kMaxTargets) {
    out.targets += " and " + std::to_string(out.target_count - kMaxTargets) + " more targets";
  }
  return out;
}

}  // namespace

std::optional<std::string> describe_device_mapper(std::string_view event, ByteView content) {
  if (!event.starts_with("dm_")) return std::nullopt;
  const Event got = read_event(as_text(content));
  if (!got.device) return std::nullopt;
  const std::string device = quoted(*got.device);
  const std::string targets = got.targets.empty() ? "no target" : got.targets;
  const std::string table =
      got.table.empty() ? "" : ", table " + shorten(escape_bytes(got.table), 2 * kMaxValueBytes);
  if (event == "dm_table_load") return "device-mapper table of " + device + " loaded: " + targets;
  if (event == "dm_target_update") {
    return "device-mapper target of " + device + " changed: " + targets;
  }
  if (event == "dm_table_clear") return "device-mapper table of " + device + " cleared" + table;
  if (event == "dm_device_resume") return "device-mapper device " + device + " resumed" + table;
  if (event == "dm_device_remove") return "device-mapper device " + device + " removed" + table;
  if (event == "dm_device_rename") {
    return "device-mapper device " + device + " renamed to " + quoted(got.new_name);
  }
  return std::nullopt;
}

}  // namespace assay
