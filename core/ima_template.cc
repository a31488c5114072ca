#include "core/ima_template.h"

#include <algorithm>

namespace assay {
namespace {

constexpr ImaFieldId kFields[] = {
    {ImaField::kD, "d"},
    {ImaField::kDNg, "d-ng"},
    {ImaField::kDNgV2, "d-ngv2"},
    {ImaField::kN, "n"},
    {ImaField::kNNg, "n-ng"},
    {ImaField::kSig, "sig"},
    {ImaField::kBuf, "buf"},
    {ImaField::kDModsig, "d-modsig"},
    {ImaField::kModsig, "modsig"},
    {ImaField::kEvmSig, "evmsig"},
    {ImaField::kXattrNames, "xattrnames"},
    {ImaField::kXattrLengths, "xattrlengths"},
    {ImaField::kXattrValues, "xattrvalues"},
    {ImaField::kIuid, "iuid"},
    {ImaField::kIgid, "igid"},
    {ImaField::kImode, "imode"},
    {ImaField::kDep, "dep"},
    {ImaField::kCgn, "cgn"},
    {ImaField::kCgPath, "cg-path"},
    {ImaField::kNs, "ns"},
};

struct NamedTemplate {
  std::string_view name;
  std::string_view format;
};

// "ima" is laid out otherwise and is not here.
constexpr NamedTemplate kTemplates[] = {
    {"ima-ng", "d-ng|n-ng"},
    {"ima-sig", "d-ng|n-ng|sig"},
    {"ima-ngv2", "d-ngv2|n-ng"},
    {"ima-sigv2", "d-ngv2|n-ng|sig"},
    {"ima-buf", "d-ng|n-ng|buf"},
    {"ima-modsig", "d-ng|n-ng|sig|d-modsig|modsig"},
    {"evm-sig", "d-ng|n-ng|evmsig|xattrnames|xattrlengths|xattrvalues|iuid|igid|imode"},
    {"ima-cgpath", "dep|cg-path|d-ng|n-ng"},
    {"ima-dep-cgn", "dep|cgn|d-ng|n-ng"},
    {"ima-ns", "d-ng|n-ng|ns"},
    {"ima-ns", "ns|d-ng|n-ng|sig"},
    {"ima-id", "d-ng|n-ng|imaidcreated"},
};

ImaField field_of(std::string_view name) {
  const auto* row = std::ranges::find(kFields, name, &ImaFieldId::name);
  return row == std::end(kFields) ? ImaField::kUnknown : row->field;
}

bool says_algorithm(ImaField field) {
  return field == ImaField::kDNg || field == ImaField::kDNgV2;
}

void find_meaning(ImaLayout& layout) {
  for (std::size_t i = 0; i < layout.count; ++i) {
    const ImaField field = layout.fields[i].field;
    const bool better = !layout.digest || !says_algorithm(layout.fields[*layout.digest].field);
    if (says_algorithm(field) && better) layout.digest = i;
    if (field == ImaField::kD && i == 0) layout.digest = i;
    if (field == ImaField::kN || field == ImaField::kNNg) layout.name = i;
  }
}

// The fields between the bars of `format`; nothing when there are too many.
std::optional<ImaLayout> layout_of(std::string_view format) {
  ImaLayout out;
  while (out.count < kMaxImaFields) {
    const std::size_t bar = format.find('|');
    const std::string_view name = format.substr(0, bar);
    out.fields[out.count++] = {field_of(name), name};
    if (bar == std::string_view::npos) {
      find_meaning(out);
      return out;
    }
    format.remove_prefix(bar + 1);
  }
  return std::nullopt;
}

bool is_format(std::string_view name) {
  return name.find('|') != std::string_view::npos || field_of(name) != ImaField::kUnknown;
}

}  // namespace

ResolvedTemplate resolve_template(std::string_view name, std::size_t field_count) {
  ResolvedTemplate out;
  const auto try_format = [&](std::string_view format) {
    const auto layout = layout_of(format);
    if (!layout || layout->count != field_count) {
      out.kind = ImaTemplateKind::kMisfit;
      return false;
    }
    out = {.kind = ImaTemplateKind::kKnown, .layout = *layout};
    return true;
  };
  for (const NamedTemplate& row : kTemplates) {
    if (row.name == name && try_format(row.format)) return out;
  }
  if (out.kind == ImaTemplateKind::kForeign && is_format(name)) try_format(name);
  return out;
}

}  // namespace assay
