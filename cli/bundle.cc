#include "cli/bundle.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/files.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr std::size_t kMaxQuoteBytes = std::size_t{64} << 10;  // core has the real limit
constexpr std::size_t kMaxTextBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxImaLogBytes = std::size_t{1} << 30;
constexpr std::size_t kMaxBootLogBytes = std::size_t{16} << 20;

using Json = nlohmann::json;

tl::unexpected<Fault> malformed(std::string_view file, std::string_view why) {
  return fail(FaultId::kEvidenceMalformed, std::string(file) + ": " + std::string(why));
}

Result<Nonce> parse_nonce(ByteView text) {
  std::string_view digits = as_text(text);
  while (!digits.empty() && (digits.back() == '\n' || digits.back() == '\r')) {
    digits.remove_suffix(1);
  }
  const auto bytes = from_hex(digits);
  const auto nonce = bytes ? Nonce::from(*bytes) : std::nullopt;
  if (!nonce) return malformed("nonce", "not 1 to 64 bytes in hex");
  return *nonce;
}

// A PCR's number as JSON member name: decimal, without leading zeros.
std::optional<PcrIndex> parse_index(std::string_view text) {
  for (std::uint32_t i = 0; i < PcrIndex::kCount; ++i) {
    if (std::to_string(i) == text) return PcrIndex::from(i);
  }
  return std::nullopt;
}

Status parse_bank(HashAlg bank, const Json& values, PcrValues& out) {
  if (!values.is_object()) return malformed("pcrs.json", "a bank is not an object");
  for (const auto& [name, value] : values.items()) {
    const auto index = parse_index(name);
    if (!index) {
      return malformed("pcrs.json", "no PCR: \"" + shorten(escape_bytes(name), 32) + "\"");
    }
    const auto bytes =
        value.is_string() ? from_hex(value.get_ref<const std::string&>()) : std::nullopt;
    const auto digest = bytes ? Digest::from(bank, *bytes) : std::nullopt;
    if (!digest) {
      return malformed("pcrs.json",
                       "PCR " + name + " is no " + std::string(hash_name(bank)) + " value in hex");
    }
    out.emplace(PcrSlot{bank, *index}, *digest);
  }
  return {};
}

Result<PcrValues> parse_pcrs(ByteView text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  // nlohmann's lexer takes a NUL for the end, and would not look at what stands behind it.
  const bool whole = std::ranges::find(text, std::uint8_t{0}) == text.end();
  if (!whole || !json.is_object()) return malformed("pcrs.json", "not a JSON object");
  PcrValues out;
  for (const auto& [name, values] : json.items()) {
    const auto bank = hash_by_name(name);
    if (!bank) {
      return malformed("pcrs.json", "unknown bank \"" + shorten(escape_bytes(name), 32) + "\"");
    }
    ASSAY_OK(parse_bank(*bank, values, out));
  }
  return out;
}

// The files of a bundle, read one by one; what is wrong with them gathers here.
class BundleReader {
 public:
  explicit BundleReader(const std::string& dir) : dir_(dir) {}

  Result<Bytes> read(const std::string& file, std::size_t max_bytes) {
    return keep_size(file, max_bytes, read_file(dir_ + "/" + file, limits(max_bytes)), Bytes());
  }

  Result<Spool> read_large(const std::string& file, std::size_t max_bytes) {
    return keep_size(file, max_bytes, read_large_file(dir_ + "/" + file, limits(max_bytes)),
                     Spool(""));
  }

  Result<std::optional<Bytes>> read_if_there(const std::string& file, std::size_t max_bytes) {
    if (!file_exists(dir_ + "/" + file)) return std::optional<Bytes>();
    ASSAY_TRY(Bytes bytes, read(file, max_bytes));
    return std::optional(std::move(bytes));
  }

  // The value, or nothing and one more fault.
  template <typename T>
  std::optional<T> keep(Result<T> parsed) {
    if (parsed) return *std::move(parsed);
    faults_.push_back(std::move(parsed).error());
    return std::nullopt;
  }

  BundleFaults faults() && { return std::move(faults_); }
  bool has_faults() const { return !faults_.empty(); }

 private:
  static ReadLimits limits(std::size_t max_bytes) {
    return {.max_bytes = max_bytes,
            .too_large = FaultId::kEvidenceMalformed,
            .kind = FileKind::kRegular};
  }

  // An oversized file is a fault of the evidence, not of ours.
  template <typename T>
  Result<T> keep_size(const std::string& file, std::size_t max_bytes, Result<T> content,
                      T nothing) {
    if (content || content.error().id != FaultId::kEvidenceMalformed) return content;
    faults_.push_back(malformed(file, "over " + std::to_string(max_bytes) + " bytes").value());
    return nothing;
  }

  const std::string& dir_;
  BundleFaults faults_;
};

}  // namespace

Result<tl::expected<UntrustedBundle, BundleFaults>> load_bundle(const std::string& dir) {
  BundleReader reader(dir);
  ASSAY_TRY(Bytes attest, reader.read("quote.attest", kMaxQuoteBytes));
  ASSAY_TRY(Bytes signature, reader.read("quote.signature", kMaxQuoteBytes));
  ASSAY_TRY(const Bytes ak_bytes, reader.read("ak.pub", kMaxQuoteBytes));
  ASSAY_TRY(const Bytes nonce_text, reader.read("nonce", kMaxTextBytes));
  ASSAY_TRY(const Bytes pcrs_text, reader.read("pcrs.json", kMaxTextBytes));
  ASSAY_TRY(Spool ima_log, reader.read_large("ima.log", kMaxImaLogBytes));
  ASSAY_TRY(std::optional<Bytes> boot_log, reader.read_if_there("boot.log", kMaxBootLogBytes));
  if (reader.has_faults()) return tl::unexpected<BundleFaults>(std::move(reader).faults());

  std::optional<AkPublic> ak = reader.keep(parse_ak_public(ak_bytes));
  const std::optional<Nonce> nonce = reader.keep(parse_nonce(nonce_text));
  std::optional<PcrValues> pcrs = reader.keep(parse_pcrs(pcrs_text));
  if (reader.has_faults()) return tl::unexpected<BundleFaults>(std::move(reader).faults());
  return UntrustedBundle{.quote = {std::move(attest), std::move(signature), *std::move(pcrs)},
                         .ak = *std::move(ak),
                         .nonce = *nonce,
                         .ima_log = std::move(ima_log),
                         .boot_log = std::move(boot_log)};
}

}  // namespace assay
