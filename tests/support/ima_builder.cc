#include "tests/support/ima_builder.h"

namespace assay::testing {
namespace {

void put_u32(Bytes& out, std::size_t value) {
  for (int shift = 0; shift < 32; shift += 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift & 0xff));
}

void put(Bytes& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void put_sized(Bytes& out, ByteView bytes) {
  put_u32(out, bytes.size());
  put(out, bytes);
}

}  // namespace

ImaBuilder::ImaBuilder(std::vector<HashAlg> banks) : banks_(std::move(banks)) {
  for (const HashAlg bank : banks_) pcrs_.insert_or_assign({bank, kImaPcr}, Digest::zero(bank));
}

ImaBuilder& ImaBuilder::file(std::string_view path, const Digest& digest) {
  return record(kImaPcr, "ima-ng", {d_ng(digest), n_ng(path)});
}

ImaBuilder& ImaBuilder::record(PcrIndex pcr, std::string_view name,
                               const std::vector<Bytes>& fields) {
  Bytes data;
  for (const Bytes& field : fields) put_sized(data, field);
  append(pcr, name, data, false);
  return *this;
}

ImaBuilder& ImaBuilder::violation(std::string_view path) {
  Bytes data;
  put_sized(data, d_ng(Digest::zero(HashAlg::kSha256)));
  put_sized(data, n_ng(path));
  append(kImaPcr, "ima-ng", data, true);
  return *this;
}

ImaBuilder& ImaBuilder::boot_aggregate(const PcrValues& pcrs) {
  Bytes all;
  for (std::uint32_t i = 0; i < 10; ++i) {
    const auto it = pcrs.find({HashAlg::kSha256, *PcrIndex::from(i)});
    put(all, it == pcrs.end() ? Digest::zero(HashAlg::kSha256).bytes() : it->second.bytes());
  }
  return file("boot_aggregate", hash(HashAlg::kSha256, all));
}

void ImaBuilder::append(PcrIndex pcr, std::string_view name, const Bytes& data, bool violation) {
  put_u32(bytes_, pcr.value());
  put(
      bytes_, violation ? Bytes(20, 0) : [&] {
        const Digest sha1 = hash(HashAlg::kSha1, data);
        return Bytes(sha1.bytes().begin(), sha1.bytes().end());
      }());
  put_sized(bytes_, as_bytes(name));
  put_sized(bytes_, data);
  ++entries_;
  last_.clear();
  for (const HashAlg bank : banks_) {
    const Digest value = violation ? Digest::filled(bank, 0xff) : hash(bank, data);
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
