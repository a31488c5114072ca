#include "verifier/store/boot_row.h"

#include "verifier/store/node_rows.h"

namespace assay {
namespace {

constexpr std::string_view kVariable = "variable";
constexpr std::string_view kApplication = "application";
constexpr std::string_view kFile = "file";
constexpr std::string_view kCommandLine = "command line";

std::int64_t raw(NodeId node) {
  return static_cast<std::int64_t>(node);
}

std::string format_digests(const std::vector<Digest>& digests) {
  std::string out;
  for (const Digest& digest : digests) out += (out.empty() ? "" : " ") + format_digest(digest);
  return out;
}

// Nothing for a text that format_digests() does not write.
std::optional<std::vector<Digest>> parse_digests(std::string_view text) {
  std::vector<Digest> out;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const auto digest = parse_digest(word);
    if (!digest) return std::nullopt;
    out.push_back(*digest);
  }
  return out;
}

struct Item {
  std::string_view kind;
  std::size_t position = 0;
  std::optional<PcrIndex> pcr = {};
  std::string_view name;
  std::string digests = {};
};

Status insert_item(Database& database, NodeId node, const Item& item) {
  const auto pcr = item.pcr ? std::optional<std::uint32_t>(item.pcr->value()) : std::nullopt;
  return database.run("INSERT INTO boot_items VALUES (?, ?, ?, ?, ?, ?)", raw(node), item.kind,
                      item.position, pcr, as_bytes(item.name), item.digests);
}

Status insert_images(Database& database, NodeId node, std::string_view kind,
                     const std::vector<BootImage>& images) {
  for (std::size_t i = 0; i < images.size(); ++i) {
    ASSAY_OK(insert_item(database, node,
                         {.kind = kind,
                          .position = i,
                          .pcr = images[i].pcr,
                          .name = images[i].label,
                          .digests = format_digests(images[i].digests)}));
  }
  return {};
}

Status insert_items(Database& database, NodeId node, const BootFacts& facts) {
  for (std::size_t i = 0; i < facts.variables.size(); ++i) {
    ASSAY_OK(insert_item(database, node,
                         {.kind = kVariable,
                          .position = i,
                          .name = facts.variables[i].name,
                          .digests = format_digest(facts.variables[i].digest)}));
  }
  ASSAY_OK(insert_images(database, node, kApplication, facts.applications));
  ASSAY_OK(insert_images(database, node, kFile, facts.files));
  for (std::size_t i = 0; i < facts.command_lines.size(); ++i) {
    ASSAY_OK(insert_item(database, node,
                         {.kind = kCommandLine, .position = i, .name = facts.command_lines[i]}));
  }
  return {};
}

Status take_item(const Database& database, Statement& row, BootFacts& facts) {
  const auto kind = row.take<std::string>();
  const auto pcr = row.take_optional<std::uint32_t>();
  const Bytes name_bytes = row.take<Bytes>();
  std::string name(as_text(name_bytes));
  auto digests = parse_digests(row.take<std::string>());
  if (!digests) return database.malformed("a digest of a boot");
  if (kind == kCommandLine) {
    facts.command_lines.push_back(std::move(name));
    return {};
  }
  if (kind == kVariable && digests->size() == 1) {
    facts.variables.push_back({.name = std::move(name), .digest = digests->front()});
    return {};
  }
  const auto index = PcrIndex::from(pcr.value_or(PcrIndex::kCount));
  if (!index) return database.malformed("a PCR of a boot");
  auto& images = kind == kApplication ? facts.applications : facts.files;
  images.push_back({.pcr = *index, .digests = *std::move(digests), .label = std::move(name)});
  return {};
}

}  // namespace

Status write_boot(Database& database, NodeId node, const BootRecord& boot) {
  const BootFacts& facts = boot.facts;
  ASSAY_OK(database.run("DELETE FROM node_boots WHERE node_id = ?", raw(node)));
  ASSAY_OK(database.run("INSERT INTO node_boots VALUES (?, ?, ?, ?, ?)", raw(node), boot.seen_at,
                        facts.has_log, facts.secure_boot, facts.unlisted));
  ASSAY_OK(write_boot_pcrs(database, node, facts.pcrs));
  return insert_items(database, node, facts);
}

Result<BootRecord> read_boot(Database& database, NodeId node) {
  BootRecord out;
  ASSAY_TRY(Statement row, database.query("SELECT seen_at, has_log, secure_boot, unlisted FROM "
                                          "node_boots WHERE node_id = ?",
                                          raw(node)));
  ASSAY_TRY(const bool found, row.next());
  if (!found) return fail(FaultId::kNotFound, "the node's boot was not seen yet");
  out.seen_at = row.take<Instant>();
  out.facts.has_log = row.take<bool>();
  out.facts.secure_boot = row.take_optional<bool>();
  out.facts.unlisted = row.take<std::uint64_t>();
  ASSAY_TRY(out.facts.pcrs, read_boot_pcrs(database, node));
  ASSAY_TRY(Statement items,
            database.query("SELECT kind, pcr, name, digests FROM boot_items WHERE node_id = ? "
                           "ORDER BY kind, position",
                           raw(node)));
  for (;;) {
    ASSAY_TRY(const bool more, items.next());
    if (!more) return out;
    ASSAY_OK(take_item(database, items, out.facts));
  }
}

}  // namespace assay
