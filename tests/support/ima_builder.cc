#include "tests/support/ima_builder.h"

#include <algorithm>

namespace assay::testing {
namespace {

void put(Bytes& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

ImaBuilder::ImaBuilder(std::vector<HashAlg> banks, ImaLogForm form, std::vector<HashAlg> lacking)
    : banks_(std::move(banks)), form_(form), lacking_(std::move(lacking)) {
  for (const HashAlg bank : banks_) pcrs_.insert_or_assign({bank, kImaPcr}, Digest::zero(bank));
}

Bytes ImaBuilder::number(std::uint64_t value, std::size_t size) const {
  Bytes out;
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t place = form_.order == ByteOrder::kLittle ? i : size - 1 - i;
    out.push_back(static_cast<std::uint8_t>(value >> (8 * place) & 0xff));
  }
  return out;
}

void ImaBuilder::put_sized(Bytes& out, ByteView bytes) const {
  put(out, number(bytes.size(), 4));
  put(out, bytes);
}

ImaBuilder& ImaBuilder::file(std::string_view path, const Digest& digest) {
  return record(kImaPcr, "ima-ng", {d_ng(digest), n_ng(path)});
}

ImaBuilder& ImaBuilder::file_in_cgroup(std::string_view path, const Digest& digest,
                                       std::string_view cgroup) {
  // A name is a string with its NUL, and so are these two fields.
  return record(kImaPcr, "ima-cgpath",
                {n_ng("/usr/bin/sh:swapper/0"), n_ng(cgroup), d_ng(digest), n_ng(path)});
}

ImaBuilder& ImaBuilder::file_of(std::string_view path, const Digest& digest, std::uint32_t owner) {
  constexpr std::uint32_t kExecutable = 0100755;
  return record(kImaPcr, "evm-sig",
                {d_ng(digest),
                 n_ng(path),
                 {},
                 {},
                 {},
                 {},
                 number(owner, 4),
                 number(owner, 4),
                 number(kExecutable, 2)});
}

ImaBuilder& ImaBuilder::record(PcrIndex pcr, std::string_view name,
                               const std::vector<Bytes>& fields) {
  Bytes data;
  for (const Bytes& field : fields) put_sized(data, field);
  Bytes recorded;
  put_sized(recorded, data);
  append(pcr, name, {.recorded = recorded, .hashed = data});
  return *this;
}

ImaBuilder& ImaBuilder::legacy(std::string_view path, const Digest& sha1) {
  Data data;
  put(data.recorded, sha1.bytes());
  put_sized(data.recorded, as_bytes(path));
  put(data.hashed, sha1.bytes());
  put(data.hashed, as_bytes(path));
  data.hashed.resize(20 + 256);
  append(kImaPcr, "ima", data);
  return *this;
}

ImaBuilder& ImaBuilder::violation(std::string_view path) {
  Bytes data;
  put_sized(data, d_ng(Digest::zero(HashAlg::kSha256)));
  put_sized(data, n_ng(path));
  Bytes recorded;
  put_sized(recorded, data);
  append(kImaPcr, "ima-ng", {.recorded = recorded, .hashed = data}, Kind::kViolation);
  return *this;
}

ImaBuilder& ImaBuilder::boot_aggregate(const PcrValues& pcrs, HashAlg bank) {
  Bytes all;
  for (std::uint32_t i = 0; i < (bank == HashAlg::kSha1 ? 8 : 10); ++i) {
    const auto it = pcrs.find({bank, *PcrIndex::from(i)});
    put(all, it == pcrs.end() ? Digest::zero(bank).bytes() : it->second.bytes());
  }
  return file("boot_aggregate", hash(bank, all));
}

Digest ImaBuilder::digest_in(HashAlg bank, ByteView hashed) const {
  if (std::ranges::find(lacking_, bank) == lacking_.end()) return hash(bank, hashed);
  return *Digest::padded(bank, hash(HashAlg::kSha1, hashed).bytes());
}

void ImaBuilder::append(PcrIndex pcr, std::string_view name, const Data& data, Kind kind) {
  const bool violation = kind == Kind::kViolation;
  put(bytes_, number(pcr.value(), 4));
  const Digest recorded =
      violation ? Digest::zero(form_.digests) : digest_in(form_.digests, data.hashed);
  put(bytes_, recorded.bytes());
  put_sized(bytes_, as_bytes(name));
  put(bytes_, data.recorded);
  ++entries_;
  last_.clear();
  for (const HashAlg bank : banks_) {
    const Digest value = violation ? Digest::filled(bank, 0xff) : digest_in(bank, data.hashed);
    Digest& running = pcrs_.try_emplace({bank, pcr}, Digest::zero(bank)).first->second;
    Bytes both(running.bytes().begin(), running.bytes().end());
    put(both, value.bytes());
    running = hash(bank, both);
    last_.push_back(value);
  }
}

Bytes d_ng(const Digest& digest) {
  Bytes out;
  put(out, as_bytes(std::string(hash_name(digest.alg())) + ":"));
  out.push_back(0);
  put(out, digest.bytes());
  return out;
}

Bytes n_ng(std::string_view name) {
  Bytes out;
  put(out, as_bytes(name));
  out.push_back(0);
  return out;
}

Digest digest_of(std::string_view text) {
  return hash(HashAlg::kSha256, as_bytes(text));
}

}  // namespace assay::testing
