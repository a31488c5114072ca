// Writes measurement logs the way the kernel does, and keeps the PCRs that go with them, by an
// arithmetic of its own: nothing here calls the parser or the replay under test.
#pragma once

#include <string>
#include <string_view>

#include "core/bytes.h"
#include "core/ima_log.h"
#include "core/pcr.h"

namespace assay::testing {

class ImaBuilder {
 public:
  // Banks whose PCRs are kept, the form of the log, and the algorithms that the kernel lacks: for
  // those it extends and records SHA-1, zero-padded.
  explicit ImaBuilder(std::vector<HashAlg> banks = {HashAlg::kSha256}, ImaLogForm form = {},
                      std::vector<HashAlg> lacking = {});

  // An entry of template "ima-ng".
  ImaBuilder& file(std::string_view path, const Digest& digest);
  // An entry of template "ima-cgpath", by a process in this cgroup.
  ImaBuilder& file_in_cgroup(std::string_view path, const Digest& digest, std::string_view cgroup);
  // An entry of template "evm-sig", of a file without attributes that this user and group own.
  ImaBuilder& file_of(std::string_view path, const Digest& digest, std::uint32_t owner);
  // An entry of any template: `fields` are its values in order, `name` is recorded as it is.
  ImaBuilder& record(PcrIndex pcr, std::string_view name, const std::vector<Bytes>& fields);
  // An entry of template "ima".
  ImaBuilder& legacy(std::string_view path, const Digest& sha1);
  // A ToMToU or open-writer record.
  ImaBuilder& violation(std::string_view path);
  // boot_aggregate over `pcrs` (0–9 of `bank`, 0–7 of SHA-1, zero where missing), as the kernel's first
  // entry.
  ImaBuilder& boot_aggregate(const PcrValues& pcrs, HashAlg bank = HashAlg::kSha256);

  // `value` in as many bytes, in the log's byte order.
  Bytes number(std::uint64_t value, std::size_t size) const;

  const Bytes& bytes() const { return bytes_; }
  std::uint64_t entries() const { return entries_; }
  const PcrValues& pcrs() const { return pcrs_; }  // those that were extended, and PCR 10

  // What the last record extended each bank with.
  const std::vector<Digest>& last_extended() const { return last_; }

 private:
  // What a record holds behind its template name, and what is hashed of it.
  struct Data {
    Bytes recorded;
    Bytes hashed;
  };
  enum class Kind : std::uint8_t { kMeasured, kViolation };
  void append(PcrIndex pcr, std::string_view name, const Data& data, Kind kind = Kind::kMeasured);
  void put_sized(Bytes& out, ByteView bytes) const;
  Digest digest_in(HashAlg bank, ByteView hashed) const;

  std::vector<HashAlg> banks_;
  ImaLogForm form_;
  std::vector<HashAlg> lacking_;
  Bytes bytes_;
  std::uint64_t entries_ = 0;
  PcrValues pcrs_;
  std::vector<Digest> last_;
};

// The d-ng field: "sha256:\0" and the digest.
Bytes d_ng(const Digest& digest);
// A name with its NUL.
Bytes n_ng(std::string_view name);
// SHA-256 of `text`: a digest for a test's imaginary file.
Digest digest_of(std::string_view text);

}  // namespace assay::testing
