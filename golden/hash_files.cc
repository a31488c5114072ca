#include "golden/hash_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace assay {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{256} << 10;
constexpr std::uint64_t kProgressBytes = std::uint64_t{4} << 20;

// All that one thread hashes with.
struct Worker {
  explicit Worker(const HashOptions& options) : buffer(kBufferBytes) {
    for (const HashAlg alg : options.algorithms) hashers.emplace_back(alg);
    if (options.md5 == WithMd5::kYes) md5.emplace();
  }

  void start() {
    for (Hasher& hasher : hashers) hasher.start();
    if (md5) md5->start();
    kind.start();
  }
  void add(ByteView part) {
    for (Hasher& hasher : hashers) hasher.add(part);
    if (md5) md5->add(part);
    kind.add(part);
  }
  void finish(HashedFile& out) {
    for (Hasher& hasher : hashers) out.golden.digests.push_back(hasher.finish());
    std::ranges::sort(out.golden.digests);
    if (md5) out.md5 = md5->finish();
    out.golden.kind = kind.finish();
  }

  std::vector<Hasher> hashers;
  std::optional<Md5Hasher> md5;
  ContentKindReader kind;
  Bytes buffer;
};

// Threads that take files from one list until it is done or one of them has failed.
class HashRun {
 public:
  HashRun(const TreeRoot& root, const HashOptions& options, const std::vector<ListedFile>& listed)
      : root_(root), options_(options), listed_(listed) {
    progress_.files_total = listed_.size();
    for (const ListedFile& file : listed_) progress_.bytes_total += file.bytes;
  }

  Result<HashedFiles> run() && {
    {
      std::vector<std::jthread> others;
      for (unsigned i = 1; i < options_.threads; ++i) others.emplace_back([this] { work(); });
      work();
    }
    if (fault_) return tl::unexpected<Fault>(*std::move(fault_));
    return std::move(out_);
  }

 private:
  void work() {
    Worker worker(options_);
    for (std::size_t i = next_++; i < listed_.size() && !failed_; i = next_++) {
      auto file = hash_file(listed_[i], worker);
      const std::scoped_lock lock(mutex_);
      if (!file) {
        failed_ = true;
        if (!fault_) fault_ = std::move(file).error();
      } else if (*file) {
        out_.files.push_back(*std::move(*file));
      } else {
        out_.changed.push_back("/" + listed_[i].path);
      }
      ++progress_.files_done;
      report();
    }
  }

  // Nothing when the file is not what it was.
  Result<std::optional<HashedFile>> hash_file(const ListedFile& listed, Worker& worker) {
    const Fd fd = root_.open_beneath(listed.path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat before = {};
    if (!fd.ok() || ::fstat(fd.get(), &before) != 0) {
      if (!gone(errno)) return root_.unreadable(listed.path, errno);
      return std::nullopt;
    }
    if (!S_ISREG(before.st_mode)) return std::nullopt;
    ASSAY_TRY(const std::uint64_t bytes, read_through(fd, listed, worker));
    struct stat after = {};
    if (::fstat(fd.get(), &after) != 0) return root_.unreadable(listed.path, errno);
    // Both: times have the kernel's tick, sizes miss what is overwritten.
    if (after.st_size != before.st_size || after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
        after.st_mtim.tv_nsec != before.st_mtim.tv_nsec) {
      return std::nullopt;
    }
    HashedFile out{.golden = {.path = "/" + listed.path,
                              .digests = {},
                              .size = bytes,
                              .mode = static_cast<std::uint32_t>(after.st_mode & 07777),
                              .uid = after.st_uid,
                              .gid = after.st_gid}};
    worker.finish(out);
    return out;
  }

  Result<std::uint64_t> read_through(const Fd& fd, const ListedFile& listed, Worker& worker) {
    worker.start();
    std::uint64_t total = 0;
    std::uint64_t unreported = 0;
    while (true) {
      const ssize_t size = ::read(fd.get(), worker.buffer.data(), worker.buffer.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return root_.unreadable(listed.path, errno);
      const ByteView part = ByteView(worker.buffer).first(static_cast<std::size_t>(size));
      worker.add(part);
      total += part.size();
      unreported += part.size();
      if (part.empty() || unreported >= kProgressBytes) {
        count_bytes(std::exchange(unreported, 0));
      }
      if (part.empty()) return total;
    }
  }

  void count_bytes(std::uint64_t bytes) {
    const std::scoped_lock lock(mutex_);
    progress_.bytes_done += bytes;
    report();
  }

  void report() const {
    if (options_.on_progress) options_.on_progress(progress_);
  }

  const TreeRoot& root_;
  const HashOptions& options_;
  const std::vector<ListedFile>& listed_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<bool> failed_ = false;

  std::mutex mutex_;  // guards all below
  BuildProgress progress_;
  HashedFiles out_;
  std::optional<Fault> fault_;
};

}  // namespace

Result<HashedFiles> hash_files(const TreeRoot& root, const HashOptions& options,
                               const std::vector<ListedFile>& files) {
  ASSAY_CHECK(!options.algorithms.empty() && options.threads > 0);
  return HashRun(root, options, files).run();
}

}  // namespace assay
