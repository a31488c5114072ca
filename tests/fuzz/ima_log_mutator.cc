// Mutates a measurement log as what it is: records, their templates and fields, and the form that
// they are written in. Bytes at random hardly ever keep a record's lengths and its digest true, and
// so never get past the first comparison.
#include <algorithm>
#include <random>

#include "tests/fuzz/ima_records.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace assay::testing {
namespace {

constexpr std::size_t kMostRead = 256;
constexpr std::ptrdiff_t kWindow = 8;
constexpr std::string_view kTemplates[] = {"ima",
                                           "ima-ng",
                                           "ima-sig",
                                           "ima-ngv2",
                                           "ima-sigv2",
                                           "ima-buf",
                                           "evm-sig",
                                           "ima-ns",
                                           "ima-modsig",
                                           "ima-cgpath",
                                           "ima-dep-cgn",
                                           "ima-id",
                                           "my-own",
                                           "d-ng|n-ng",
                                           "n-ng|d-ng|sig",
                                           "d|n",
                                           "d-ng",
                                           "ns|d|n",
                                           "d-ng|unheard|n-ng",
                                           "d-ngv2|n-ng|buf",
                                           "|",
                                           "",
                                           "d-ng|n-ng|",
                                           "dep|cgn|cg-path|ns|d-ng|n",
                                           "n|n|n|n|n|n|n|n|n|n|n|n|n|n|n|d"};

Bytes bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}

class Mutation {
 public:
  Mutation(ByteView log, unsigned seed)
      : random_(seed),
        form_(guess_ima_log_form(log)),
        records_(read_records(log, form_, kMostRead)) {
    // A few records in a row: a longer log only makes the run slower.
    const auto last = records_.begin() + static_cast<std::ptrdiff_t>(below(records_.size() + 1));
    if (std::ssize(records_) > kWindow) {
      const auto first = std::max(last, records_.begin() + kWindow) - kWindow;
      records_ = std::vector<ImaRecord>(first, first + kWindow);
    }
  }

  std::vector<ImaRecord>& records() { return records_; }
  ImaLogForm form() const { return form_; }

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

  void change_something() {
    switch (below(10)) {
      case 0:
        return rename(any());
      case 1:
        return move_records();
      case 2:
        return change_field_count(any());
      case 3:
        return change_header(any());
      case 4:
        return change_length(any());
      case 5:
        return change_form();
      case 6:
        return change_digest_field(any());
      case 7:
        any().pcr = static_cast<std::uint32_t>(below(26));
        return;
      default:
        return change_field(any());
    }
  }

  void make_digests_true() {
    for (ImaRecord& record : records_) {
      if (!record.violation()) set_digest(record, form_.digests);
    }
  }

  // Puts the records of another log among ours, in ours' form.
  void splice(std::vector<ImaRecord> other, ByteOrder order) {
    for (ImaRecord& record : other) {
      convert(record, order);
      if (below(2) == 0) records_.insert(place(), std::move(record));
    }
  }

  Bytes written() {
    Bytes out;
    for (const ImaRecord& record : records_) write_record(record, form_, out);
    return out;
  }

 private:
  ImaRecord& any() { return records_[below(records_.size())]; }
  std::vector<ImaRecord>::iterator place() {
    return records_.begin() + static_cast<std::ptrdiff_t>(below(records_.size() + 1));
  }

  void set_digest(ImaRecord& record, HashAlg alg) {
    const Digest digest = hash(alg, hashed_bytes(record, form_.order));
    record.header_digest.assign(digest.bytes().begin(), digest.bytes().end());
    record.header_digest.resize(hash_size(form_.digests));
  }

  void rename(ImaRecord& record) {
    const auto fields = split_fields(record, form_.order);
    record.name = bytes_of(kTemplates[below(std::size(kTemplates))]);
    if (record.legacy() && fields && fields->size() >= 2) {
      join_fields(record, {Bytes(20, 1), (*fields)[1]}, form_.order);
    } else if (fields) {
      join_fields(record, *fields, form_.order);
    }
  }

  void move_records() {
    const ImaRecord copied = any();
    switch (below(3)) {
      case 0:
        records_.insert(place(), copied);
        return;
      case 1:
        std::swap(any(), any());
        return;
      default:
        if (records_.size() > 1)
          records_.erase(records_.begin() + static_cast<std::ptrdiff_t>(below(records_.size())));
    }
  }

  void change_field_count(ImaRecord& record) {
    auto fields = split_fields(record, form_.order);
    if (!fields || fields->empty()) return;
    const std::size_t at = below(fields->size());
    switch (below(3)) {
      case 0:
        fields->push_back((*fields)[at]);
        break;
      case 1:
        fields->erase(fields->begin() + static_cast<std::ptrdiff_t>(at));
        break;
      default:
        std::swap((*fields)[at], (*fields)[below(fields->size())]);
    }
    join_fields(record, *fields, form_.order);
  }

  void change_header(ImaRecord& record) {
    switch (below(3)) {
      case 0:
        std::ranges::fill(record.header_digest, std::uint8_t{0});
        return;
      case 1:
        set_digest(record, HashAlg::kSha1);
        return;  // padded, as for an unknown algorithm
      default:
        record.header_digest[below(record.header_digest.size())] ^= 1;
    }
  }

  // A length that is one too long or too short for its bytes.
  void change_length(ImaRecord& record) {
    Bytes& data = record.data;
    if (data.size() < 4) return;
    const std::size_t at = record.legacy() && data.size() >= 24 ? 20 : 0;
    ByteReader reader(ByteView(data).subspan(at));
    const std::uint32_t size = reader.u32(form_.order) + (below(2) == 0 ? 1 : ~std::uint32_t{0});
    Bytes length;
    append_u32(length, size, form_.order);
    std::ranges::copy(length, data.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void change_form() {
    const ByteOrder before = form_.order;
    form_.order = below(2) == 0 ? ByteOrder::kLittle : ByteOrder::kBig;
    form_.digests = kAllHashAlgs[below(std::size(kAllHashAlgs))];
    for (ImaRecord& record : records_) convert(record, before);
  }

  // Into our form, lengths inside the data too, from another order.
  void convert(ImaRecord& record, ByteOrder order) {
    const bool violation = record.violation();
    if (const auto fields = split_fields(record, order)) join_fields(record, *fields, form_.order);
    if (violation) {
      record.header_digest.assign(hash_size(form_.digests), 0);
    } else {
      set_digest(record, form_.digests);
    }
  }

  void change_digest_field(ImaRecord& record) {
    static constexpr std::string_view kPrefixes[] = {
        "sha1:", "sha256:",     "sha384:",        "sha512:", "sm3:",
        ":",     "ima:sha256:", "verity:sha512:", "a:b:c:",  "sha256"};
    auto fields = split_fields(record, form_.order);
    if (!fields || fields->empty()) return;
    Bytes& field = (*fields)[below(fields->size())];
    static constexpr std::size_t kSizes[] = {0, 20, 31, 32, 48, 64};
    field = bytes_of(kPrefixes[below(std::size(kPrefixes))]);
    field.push_back(0);
    field.resize(field.size() + kSizes[below(std::size(kSizes))],
                 static_cast<std::uint8_t>(below(256)));
    join_fields(record, *fields, form_.order);
  }

  void change_field(ImaRecord& record) {
    auto fields = split_fields(record, form_.order);
    if (!fields || fields->empty()) return mutate(record.data);
    mutate((*fields)[below(fields->size())]);
    join_fields(record, *fields, form_.order);
  }

  static void mutate(Bytes& bytes) {
    const std::size_t size = bytes.size();
    bytes.resize(size + 32);
    bytes.resize(LLVMFuzzerMutate(bytes.data(), size, bytes.size()));
  }

  std::minstd_rand random_;
  ImaLogForm form_;
  std::vector<ImaRecord> records_;
};

std::size_t put(const Bytes& log, std::uint8_t* out, std::size_t room) {
  const std::size_t size = std::min(log.size(), room);
  std::copy_n(log.begin(), size, out);
  return size;
}

}  // namespace
}  // namespace assay::testing

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  assay::testing::Mutation mutation({data, size}, seed);
  if (mutation.records().empty() || mutation.below(16) == 0) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  for (std::size_t left = 1 + mutation.below(4); left > 0; --left) mutation.change_something();
  if (mutation.below(8) != 0) mutation.make_digests_true();
  return assay::testing::put(mutation.written(), data, max_size);
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data1, std::size_t size1,
                                                 const std::uint8_t* data2, std::size_t size2,
                                                 std::uint8_t* out, std::size_t max_out_size,
                                                 unsigned seed) {
  assay::testing::Mutation mutation({data1, size1}, seed);
  assay::testing::Mutation other({data2, size2}, seed);
  mutation.splice(std::move(other.records()), other.form().order);
  return assay::testing::put(mutation.written(), out, max_out_size);
}
