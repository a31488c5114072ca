// Aligned tables and times for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// Rows under a heading, each column as wide as its widest cell. Every cell is escaped here: give it
// raw bytes.
class Table {
 public:
  explicit Table(std::vector<std::string> headings);

  // As many cells as there are headings.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.size() == 1; }

  // Lines, each ended by a newline. A cell that is empty is shown as "-".
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // escaped; the headings first
};

// "label  value" lines, labels padded to one width; values are escaped.
std::string format_fields(const std::vector<std::pair<std::string_view, std::string>>& fields);

// "2026-11-23T18:07:17.804Z" (RFC 3339) from milliseconds since 1970, UTC; empty for 0, which says "never".
std::string format_time(std::int64_t milliseconds);

}  // namespace assay
