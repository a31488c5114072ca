#include "tests/support/evidence_case.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <utility>

namespace assay::testing {
namespace {

[[noreturn]] void give_up(const std::string& path) {
  std::fprintf(stderr, "tests/data: %s is missing or not what it should be\n", path.c_str());
  std::abort();
}

std::string case_file(std::string_view name, std::string_view file) {
  return "evidence/" + std::string(name) + "/" + std::string(file);
}

Nonce read_nonce(const std::string& path) {
  const Bytes text = read_test_data(path);
  const std::string_view digits = as_text(text);
  const auto bytes = from_hex(digits.substr(0, digits.find('\n')));
  const auto nonce = bytes ? Nonce::from(*bytes) : std::nullopt;
  if (!nonce) give_up(path);
  return *nonce;
}

// pcrs.<bank>.bin: 24 values, one after the other.
void read_bank(PcrValues& out, HashAlg bank, const std::string& path) {
  const Bytes file = read_test_data(path);
  if (file.size() != PcrIndex::kCount * hash_size(bank)) give_up(path);
  for (std::uint32_t i = 0; i < PcrIndex::kCount; ++i) {
    const ByteView value = ByteView(file).subspan(i * hash_size(bank), hash_size(bank));
    out.emplace(PcrSlot{bank, *PcrIndex::from(i)}, *Digest::from(bank, value));
  }
}

PcrValues selected(const PcrValues& all, const nlohmann::json& selection) {
  PcrValues out;
  for (const auto& [slot, value] : all) {
    const auto bank = selection.find(hash_name(slot.bank));
    if (bank == selection.end()) continue;
    const auto indices = bank->get<std::set<std::uint32_t>>();
    if (indices.contains(slot.index.value())) out.emplace(slot, value);
  }
  return out;
}

}  // namespace

Bytes read_test_data(std::string_view path) {
  const std::string full = std::string(ASSAY_TEST_DATA) + "/" + std::string(path);
  std::ifstream in(full, std::ios::binary);
  if (!in) give_up(full);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

Result<QuotedPcrs> EvidenceCase::quoted(const QuotePolicy& policy) const {
  ASSAY_TRY(const AkPublic ak, parse_ak_public(ak_public));
  return verify_quote(quote(), ak, nonce, policy);
}

EvidenceCase load_case(std::string_view name) {
  PcrValues all;
  for (const HashAlg bank : {HashAlg::kSha1, HashAlg::kSha256, HashAlg::kSha384}) {
    read_bank(all, bank, case_file(name, "pcrs." + std::string(hash_name(bank)) + ".bin"));
  }
  const Bytes json = read_test_data(case_file(name, "expected.json"));
  auto expected = nlohmann::json::parse(json);
  PcrValues pcrs = selected(all, expected.at("quote").at("selection"));
  return {.name = std::string(name),
          .attest = read_test_data(case_file(name, "quote.msg")),
          .signature = read_test_data(case_file(name, "quote.sig")),
          .ak_public = read_test_data(case_file(name, "ak.pub")),
          .ak_pem = read_test_data(case_file(name, "ak.pem")),
          .nonce = read_nonce(case_file(name, "nonce.hex")),
          .all_pcrs = std::move(all),
          .pcrs = std::move(pcrs),
          .ima_log = read_test_data(case_file(name, "binary_runtime_measurements")),
          .boot_log = read_test_data(case_file(name, "binary_bios_measurements")),
          .expected = std::move(expected)};
}

// From lines "pcr10 sha256 <hex> entries=24 tpm_match=True".
LogVector load_log_vector(const std::string& name) {
  const std::string path = "ima-logs/" + name;
  LogVector out{.name = name, .log = read_test_data(path + ".binary_runtime_measurements")};
  std::istringstream lines{std::string(as_text(read_test_data(path + ".expected")))};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string pcr, bank, value, count;
    words >> pcr >> bank >> value >> count;
    if (!pcr.starts_with("pcr")) continue;
    const PcrSlot slot{*hash_by_name(bank),
                       *PcrIndex::from(static_cast<std::uint32_t>(std::stoul(pcr.substr(3))))};
    out.pcrs.emplace(slot, *Digest::from(slot.bank, *from_hex(value)));
    out.entries = std::stoull(count.substr(count.find('=') + 1));
  }
  return out;
}

std::vector<LogVector> all_log_vectors() {
  std::vector<LogVector> out;
  for (const auto& entry : std::filesystem::directory_iterator(ASSAY_TEST_DATA "/ima-logs")) {
    if (entry.path().extension() != ".expected") continue;
    out.push_back(load_log_vector(entry.path().stem().string()));
  }
  std::ranges::sort(out, {}, &LogVector::name);
  return out;
}

std::vector<std::string> all_cases() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(ASSAY_TEST_DATA "/evidence")) {
    if (entry.is_directory()) out.push_back(entry.path().filename().string());
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace assay::testing
