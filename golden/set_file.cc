#include "golden/set_file.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/text.h"
#include "golden/set_grammar.h"
#include "golden/set_lines.h"

namespace assay {
namespace {

constexpr std::string_view kStatementType = "https://in-toto.io/Statement/v1";
constexpr std::string_view kPredicateType = "https://assay.dev/golden-set/v1";
constexpr std::size_t kMaxSourceBytes = 64;
constexpr std::uint32_t kMaxMode = 07777;
constexpr std::size_t kModeDigits = 4;

void append_list(std::string& out, std::string_view name, const std::vector<std::string>& items) {
  append_quoted(out, name);
  out += ":[";
  for (const std::string& item : items) {
    if (&item != items.data()) out.push_back(',');
    append_quoted(out, item);
  }
  out.push_back(']');
}

std::vector<std::string> texts(const std::vector<Digest>& digests) {
  std::vector<std::string> out;
  for (const Digest& digest : digests) out.push_back(format_digest(digest));
  return out;
}

std::string format_image(const GoldenImage& image) {
  std::string out = "\"image\":{";
  append_list(out, "names", image.names);
  out.push_back(',');
  append_list(out, "digests", texts(image.digests));
  out.push_back(',');
  append_list(out, "layers", texts(image.layers));
  return out + "},";
}

std::string format_facts(const GoldenFacts& facts) {
  std::string out;
  for (const auto& [name, value] : facts) {
    ASSAY_CHECK(valid_fact_name(name) && valid_fact_value(value));
    out += out.empty() ? "\"facts\":{" : ",";
    append_member(out, name, value);
  }
  return out.empty() ? "" : out + "},";
}

bool in_image(const GoldenFile& file, const std::optional<GoldenImage>& image) {
  return !file.layer || (image && *file.layer < image->layers.size());
}

bool valid_source(std::string_view source) {
  return !source.empty() && source.size() <= kMaxSourceBytes &&
         std::ranges::all_of(source, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

std::optional<std::uint32_t> parse_mode(std::string_view text) {
  std::uint32_t mode = 0;
  for (const char c : text) {
    if (c < '0' || c > '7') return std::nullopt;
    mode = mode << 3 | static_cast<std::uint32_t>(c - '0');
  }
  if (text.size() != kModeDigits) return std::nullopt;
  return mode;
}

// Takes the JSON parser's events. Any event that the grammar does not have here ends the parsing.
class SetReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return refuse("a null"); }
  bool boolean(bool) override { return refuse("a boolean"); }
  bool number_integer(std::int64_t) override { return refuse("a negative number"); }
  bool number_float(double, const std::string&) override { return refuse("a fraction"); }
  bool binary(binary_t&) override { return refuse("binary"); }

  bool number_unsigned(std::uint64_t value) override {
    if (!expects(MemberKind::kNumber)) return refuse("a number out of place");
    return file_number(value) ? taken() : refuse_value();
  }

  bool string(std::string& value) override {
    if (place() >= SetPlace::kImageNames) return image_item(value);
    if (place() == SetPlace::kFacts) return fact_value(value);
    if (!expects(MemberKind::kText)) return refuse("text out of place");
    const bool ok = place() == SetPlace::kFile     ? file_text(value)
                    : place() == SetPlace::kSigner ? signer_text(value)
                                                   : statement_text(value);
    return ok ? taken() : refuse_value();
  }

  bool key(std::string& name) override {
    if (place() == SetPlace::kFacts) return fact_name(name);
    member_ = find_set_member(place(), name);
    if (member_ == nullptr) return refuse("unknown member \"" + printable(name) + "\"");
    const auto bit = std::uint32_t{1} << (member_ - kSetMembers.data());
    if ((seen() & bit) != 0) return refuse("\"" + std::string(member_->name) + "\" twice");
    seen() |= bit;
    return true;
  }

  bool start_object(std::size_t) override {
    if (place() == SetPlace::kSubjects) {
      if (subjects_++ != 0) return refuse("more than one subject");
      return enter(SetPlace::kSubject);
    }
    if (place() == SetPlace::kFiles) {
      if (set_.files.size() == kMaxSetFiles) return refuse_size(kMaxSetFiles, "files");
      file_ = {};
      return enter(SetPlace::kFile);
    }
    if (place() == SetPlace::kSigners) {
      if (set_.signers.size() == kMaxSetSigners) return refuse_size(kMaxSetSigners, "signers");
      signer_key_.reset();
      return enter(SetPlace::kSigner);
    }
    if (place() == SetPlace::kOutside) return enter(SetPlace::kStatement);
    if (!expects(MemberKind::kObject)) return refuse("an object out of place");
    if (member_->inside == SetPlace::kImage) set_.image.emplace();
    return enter(member_->inside);
  }

  bool start_array(std::size_t) override {
    if (!expects(MemberKind::kArray)) return refuse("a list out of place");
    return enter(member_->inside);
  }

  bool end_array() override { return leave(); }

  bool end_object() override {
    for (const SetMember& m : kSetMembers) {
      const auto bit = std::uint32_t{1} << (&m - kSetMembers.data());
      if (m.in == place() && m.need == MemberNeed::kRequired && (seen() & bit) == 0) {
        return refuse("no \"" + std::string(m.name) + "\"");
      }
    }
    if (place() == SetPlace::kFile && !take_file()) return false;
    if (place() == SetPlace::kSigner && !take_signer()) return false;
    return leave();
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    return refuse("not JSON at byte " + std::to_string(position));
  }

  Result<GoldenSet> finish() && {
    if (fault_) return tl::unexpected<Fault>(*std::move(fault_));
    if (subjects_ == 0) return fail(FaultId::kGoldenMalformed, "no subject");
    if (set_.files.empty() && set_.signers.empty()) {
      return fail(FaultId::kGoldenMalformed, "no file and no signer");
    }
    ASSAY_OK(check_layers());
    for (const GoldenSigner& signer : set_.signers) digest_.add(format_line(signer));
    if (std::move(digest_).hex() != subject_digest_) {
      return fail(FaultId::kGoldenMalformed,
                  "the content is not that which the subject digest is of");
    }
    return std::move(set_);
  }

 private:
  SetPlace place() const { return places_.back(); }
  std::uint32_t& seen() { return seen_[static_cast<std::size_t>(place())]; }
  bool expects(MemberKind kind) const { return member_ != nullptr && member_->kind == kind; }
  bool taken() {
    member_ = nullptr;
    return true;
  }

  bool enter(SetPlace next) {
    places_.push_back(next);
    seen() = 0;
    return taken();
  }
  bool leave() {
    places_.pop_back();
    return taken();
  }

  static std::string printable(std::string_view text) { return shorten(escape_bytes(text), 64); }

  std::string where() const {
    return place() == SetPlace::kFile ? "file " + std::to_string(set_.files.size()) + ": " : "";
  }
  bool refuse(std::string_view what) {
    fault_ = Fault{.id = FaultId::kGoldenMalformed, .detail = where() + std::string(what)};
    return false;
  }
  bool refuse_value() { return refuse("bad \"" + std::string(member_->name) + "\""); }
  bool refuse_size(std::size_t limit, std::string_view what) {
    fault_ = Fault{.id = FaultId::kGoldenTooLarge,
                   .detail = "over " + std::to_string(limit) + " " + std::string(what)};
    return false;
  }

  // One of a list's items, which have no names.
  bool image_item(std::string& value) {
    const bool name = place() == SetPlace::kImageNames;
    std::vector<Digest>& list =
        place() == SetPlace::kImageDigests ? set_.image->digests : set_.image->layers;
    if ((name ? set_.image->names.size() : list.size()) == kMaxSetImageItems) {
      return refuse_size(kMaxSetImageItems, "names, digests or layers");
    }
    if (name) {
      if (!valid_set_name(value)) return refuse("bad image name");
      set_.image->names.push_back(std::move(value));
      return true;
    }
    const auto digest = parse_digest(value);
    if (!digest || format_digest(*digest) != value) return refuse("bad image digest");
    list.push_back(*digest);
    return true;
  }

  bool fact_name(std::string& name) {
    if (!valid_fact_name(name)) return refuse("bad name of a fact: \"" + printable(name) + "\"");
    if (set_.facts.contains(name)) return refuse("fact \"" + name + "\" twice");
    if (set_.facts.size() == kMaxSetFacts) return refuse_size(kMaxSetFacts, "facts");
    fact_name_ = std::move(name);
    return true;
  }

  bool fact_value(std::string& value) {
    if (!valid_fact_value(value)) return refuse("bad fact \"" + fact_name_ + "\"");
    set_.facts.emplace(std::move(fact_name_), std::move(value));
    return true;
  }

  bool statement_text(std::string& value) {
    switch (place()) {
      case SetPlace::kStatement:
        return value == (member_->name == "_type" ? kStatementType : kPredicateType);
      case SetPlace::kSubject:
        set_.name = std::move(value);
        return valid_set_name(set_.name);
      case SetPlace::kSubjectDigest:
        subject_digest_ = std::move(value);
        return true;
      default:
        set_.source = std::move(value);
        return valid_source(set_.source);
    }
  }

  bool file_text(const std::string& value) {
    if (member_->name == "path") {
      file_.path = unescape_bytes(value);
      return !file_.path.empty() && file_.path.size() <= kMaxSetPathBytes &&
             escape_bytes(file_.path) == value;
    }
    if (member_->name == "mode") {
      const auto mode = parse_mode(value);
      file_.mode = mode.value_or(0);
      return mode.has_value();
    }
    if (member_->name == "kind") {
      const auto kind = parse_content_kind(value);
      file_.kind = kind.value_or(ContentKind::kUnknown);
      return kind.has_value();
    }
    const auto digest = parse_digest(std::string(member_->name) + ":" + value);
    if (!digest || to_hex(digest->bytes()) != value) return false;
    file_.digests.push_back(*digest);
    return true;
  }

  bool file_number(std::uint64_t value) {
    if (member_->name == "size") {
      file_.size = value;
      return true;
    }
    if (member_->name == "layer") {
      file_.layer = static_cast<std::uint8_t>(value);
      return value < kMaxSetImageItems;
    }
    (member_->name == "uid" ? file_.uid : file_.gid) = static_cast<std::uint32_t>(value);
    return value <= std::numeric_limits<std::uint32_t>::max();
  }

  bool signer_text(const std::string& value) {
    if (member_->name == "name") {
      signer_name_ = unescape_bytes(value);
      return !signer_name_.empty() && signer_name_.size() <= kMaxSetNameBytes &&
             escape_bytes(signer_name_) == value;
    }
    const auto key = from_hex(value);
    auto signer = key ? parse_file_signer(*key) : fail(FaultId::kGoldenMalformed, "not hex");
    if (!signer || to_hex(*key) != value) return false;
    signer_key_ = *std::move(signer);
    return true;
  }

  bool take_signer() {
    if (!set_.signers.empty() && set_.signers.back().key.encoded() >= signer_key_->encoded()) {
      return refuse("signers not in order");
    }
    set_.signers.push_back({std::move(signer_name_), *std::move(signer_key_)});
    return true;
  }

  bool take_file() {
    if (file_.digests.empty()) return refuse("no digest");
    std::ranges::sort(file_.digests);
    if (!set_.files.empty() && set_.files.back() >= file_) return refuse("not in order");
    digest_.add(format_line(file_));
    set_.files.push_back(std::move(file_));
    return true;
  }

  // Once all is read: the image may stand behind the files.
  Status check_layers() const {
    const auto bad = std::ranges::find_if(
        set_.files, [&](const GoldenFile& file) { return !in_image(file, set_.image); });
    if (bad == set_.files.end()) return {};
    return fail(
        FaultId::kGoldenMalformed,
        "file " + std::to_string(bad - set_.files.begin()) +
            (set_.image ? ": a layer that the image does not have" : ": a layer without an image"));
  }

  GoldenSet set_;
  GoldenFile file_;                       // the one being read
  std::string signer_name_;               // of the one being read
  std::optional<FileSigner> signer_key_;  // likewise
  std::string fact_name_;                 // likewise
  ContentDigest digest_;
  std::string subject_digest_;
  std::size_t subjects_ = 0;
  std::vector<SetPlace> places_ = {SetPlace::kOutside};
  static_assert(kSetMembers.size() <= 32);
  static_assert(kSetMembers.size() <= 32);
  std::array<std::uint32_t, kSetPlaces> seen_{};  // bits by position in kSetMembers
  const SetMember* member_ = nullptr;             // the one whose value comes next
  std::optional<Fault> fault_;
};

}  // namespace

std::string format_mode(std::uint32_t mode) {
  std::string out(kModeDigits, '0');
  for (std::size_t i = kModeDigits; i-- > 0; mode >>= 3) {
    out[i] = static_cast<char>('0' + (mode & 7));
  }
  return out;
}

bool valid_set_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxSetNameBytes &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~'; });
}

bool valid_fact_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxFactNameBytes && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

bool valid_fact_value(std::string_view value) {
  return !value.empty() && value.size() <= kMaxFactValueBytes && is_printable(value);
}

void sort_files(std::vector<GoldenFile>& files) {
  std::ranges::sort(files);
  files.erase(std::unique(files.begin(), files.end()), files.end());
}

void sort_signers(std::vector<GoldenSigner>& signers) {
  std::stable_sort(signers.begin(), signers.end(),
                   [](const auto& a, const auto& b) { return a.key.encoded() < b.key.encoded(); });
  const auto same = std::unique(signers.begin(), signers.end(), [](const auto& a, const auto& b) {
    return a.key.encoded() == b.key.encoded();
  });
  signers.erase(same, signers.end());
}

Result<GoldenSet> parse_golden_set(ByteView json) {
  if (json.size() > kMaxSetFileBytes) {
    return fail(FaultId::kGoldenTooLarge,
                "over " + std::to_string(kMaxSetFileBytes >> 20) + " MiB");
  }
  // nlohmann's lexer takes a NUL for the end, and would not look at what stands behind it.
  if (std::ranges::find(json, std::uint8_t{0}) != json.end()) {
    return fail(FaultId::kGoldenMalformed, "a NUL byte");
  }
  SetReader reader;
  // The reader keeps its own fault, which says more than the parser's false.
  (void)nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  return std::move(reader).finish();
}

std::string format_golden_set(const GoldenSet& set) {
  ASSAY_CHECK(valid_set_name(set.name) && valid_source(set.source) &&
              !(set.files.empty() && set.signers.empty()) && set.facts.size() <= kMaxSetFacts);
  ContentDigest digest;
  std::string files;
  for (const GoldenFile& file : set.files) {
    ASSAY_CHECK(file.mode <= kMaxMode && !file.digests.empty() && in_image(file, set.image));
    const std::string line = format_line(file);
    digest.add(line);
    files += (files.empty() ? "\n" : ",\n") + line;
  }
  std::string signers;
  for (const GoldenSigner& signer : set.signers) {
    const std::string line = format_line(signer);
    digest.add(line);
    signers += (signers.empty() ? "\n" : ",\n") + line;
  }
  std::string out = "{";
  append_member(out, "_type", kStatementType);
  out += ",\n\"subject\":[{";
  append_member(out, "name", set.name);
  out += ",\"digest\":{";
  append_member(out, "sha256", std::move(digest).hex());
  out += "}}],\n";
  append_member(out, "predicateType", kPredicateType);
  out += ",\n\"predicate\":{";
  append_member(out, "source", set.source);
  out.push_back(',');
  out += format_facts(set.facts);
  if (set.image) out += format_image(*set.image);
  if (!signers.empty()) out += "\"signers\":[" + signers + "\n],\n";
  out += "\"files\":[";
  // In front of what there is: nearly all of a set is its files, and memory for them twice is dear.
  files.insert(0, out);
  files += "\n]}}\n";
  return files;
}

}  // namespace assay
