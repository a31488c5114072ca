#include "cli/table.h"

#include <algorithm>
#include <ctime>

#include "core/result.h"
#include "core/text.h"

namespace assay {
namespace {

// Characters, not bytes: continuation bytes take no room. The text is well-formed UTF-8.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

constexpr int kLastYear = 9999 - 1900;  // RFC 3339 has four digits

std::string padded(std::string_view text, std::size_t columns) {
  return std::string(text) + std::string(columns - width(text), ' ');
}

}  // namespace

Table::Table(std::vector<std::string> headings) {
  rows_.push_back(std::move(headings));
}

void Table::add(std::vector<std::string> cells) {
  ASSAY_CHECK(cells.size() == rows_.front().size());
  for (std::string& cell : cells) cell = cell.empty() ? "-" : escape_bytes(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) out += padded(row[i], widths[i]) + "  ";
    out += row.back() + '\n';
  }
  return out;
}

std::string format_fields(const std::vector<std::pair<std::string_view, std::string>>& fields) {
  std::size_t columns = 0;
  for (const auto& [label, value] : fields) columns = std::max(columns, width(label));
  std::string out;
  for (const auto& [label, value] : fields) {
    out += padded(label, columns) + "  " + (value.empty() ? "-" : escape_bytes(value)) + '\n';
  }
  return out;
}

std::string format_time(std::int64_t milliseconds) {
  if (milliseconds == 0) return "";
  const std::time_t seconds = milliseconds / 1000;
  std::tm utc = {};
  char text[64] = {};
  if (milliseconds < 0 || ::gmtime_r(&seconds, &utc) == nullptr || utc.tm_year > kLastYear ||
      std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.", &utc) == 0) {
    return std::to_string(milliseconds) + " ms";
  }
  const std::string fraction = std::to_string(milliseconds % 1000);
  return text + std::string(3 - fraction.size(), '0') + fraction + 'Z';
}

}  // namespace assay
