#include "proxy/control/state_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "proxy/base/log.h"
#include "proxy/base/text.h"
#include "proxy/snapshot/codec.h"

namespace penstock::control {
namespace {

constexpr std::string_view kMagic = "penstock-state-1";
constexpr std::size_t kHeaderSize = 16 + sizeof(std::uint64_t);
constexpr std::size_t kRecordHeader = sizeof(std::uint64_t) * 2;
constexpr std::uint64_t kMaxRecord = 1ULL << 30;
constexpr std::uint64_t kSlack = 4 << 20;  // a journal may always be this much larger

template <class Integer>
void put(std::string& out, Integer value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::uint64_t get(std::string_view bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::string header() {
  std::string out(kMagic);
  put(out, snapshot::schema_fingerprint());
  return out;
}

std::string record(const snapshot::Update& update) {
  const auto payload = snapshot::encode(update);
  std::string out;
  out.reserve(kRecordHeader + payload.size());
  put(out, static_cast<std::uint64_t>(payload.size()));
  put(out, base::fnv1a(payload));
  return out + payload;
}

base::Result<void> write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::fail(std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

std::string read_all(int file) {
  std::string out;
  struct stat status{};
  if (fstat(file, &status) != 0) return out;
  out.resize(static_cast<std::size_t>(status.st_size));
  std::size_t done = 0;
  while (done < out.size()) {
    const auto size = pread(file, out.data() + done, out.size() - done, static_cast<off_t>(done));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    done += static_cast<std::size_t>(size);
  }
  out.resize(done);
  return out;
}

}  // namespace

base::Result<StateFile> StateFile::open(const std::string& path) {
  const auto why = [&](const char* what) {
    return base::fail(fmt::format("state file {}: {}: {}", path, what, std::strerror(errno)));
  };
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return why("cannot be opened");
  StateFile state(path, file);
  if (flock(file, LOCK_EX | LOCK_NB) != 0) return why("is in use by another proxy");
  struct stat status{};
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    return base::fail(fmt::format("state file {}: expected a regular file", path));
  }
  if (status.st_uid != geteuid()) {
    return base::fail(fmt::format("state file {}: belongs to user {}, expected {}", path,
                                  status.st_uid, geteuid()));
  }
  if (fchmod(file, 0600) != 0) return why("cannot be closed to others");
  return state;
}

StateFile::StateFile(StateFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      size_(other.size_),
      whole_size_(other.whole_size_),
      version_(other.version_) {}

StateFile::~StateFile() {
  if (file_ >= 0) close(file_);
}

snapshot::Snapshot StateFile::load() {
  snapshot::Snapshot snapshot;
  const auto bytes = read_all(file_);
  std::string_view rest(bytes);
  size_ = 0;
  if (rest.starts_with(header())) {
    rest.remove_prefix(kHeaderSize);
    size_ = kHeaderSize;
  } else {
    if (!rest.empty()) base::log::warn("state file {}: of another release, not used", path_);
    rest = {};
  }
  while (rest.size() >= kRecordHeader) {
    const auto length = get(rest);
    if (length > kMaxRecord || length > rest.size() - kRecordHeader) break;
    const auto payload = rest.substr(kRecordHeader, length);
    if (base::fnv1a(payload) != get(rest.substr(sizeof(std::uint64_t)))) break;
    const auto update = snapshot::decode_update(payload);
    if (!update || (update->base != 0 && update->base != snapshot.version)) break;
    snapshot::apply(*update, snapshot);
    rest.remove_prefix(kRecordHeader + length);
    size_ += kRecordHeader + length;
  }
  if (!rest.empty()) {
    base::log::warn("state file {}: {} bytes after version {} are damaged, cut off", path_,
                    rest.size(), snapshot.version);
  }
  if (ftruncate(file_, static_cast<off_t>(size_)) != 0) size_ = 0;
  lseek(file_, static_cast<off_t>(size_), SEEK_SET);
  whole_size_ = size_;
  version_ = snapshot.version;
  return snapshot;
}

base::Result<void> StateFile::append(const snapshot::Update& update,
                                     const snapshot::Snapshot& after) {
  if (update.version <= version_ && update.base != 0) return {};  // the journal is ahead of it
  const auto bytes = record(update);
  const bool is_fresh = size_ == 0 || update.base == 0;
  if (is_fresh || size_ + bytes.size() > 3 * whole_size_ + kSlack) return write_whole(after);
  const auto written = write_all(file_, bytes);
  if (written) {
    size_ += bytes.size();
    version_ = update.version;
    return {};
  }
  // Half a record must not stand before the next one.
  if (ftruncate(file_, static_cast<off_t>(size_)) != 0) size_ = 0;
  lseek(file_, static_cast<off_t>(size_), SEEK_SET);
  return std::unexpected(written.error());
}

base::Result<void> StateFile::write_whole(const snapshot::Snapshot& snapshot) {
  snapshot::Update update;
  update.version = snapshot.version;
  update.parts.assign(snapshot.parts.begin(), snapshot.parts.end());
  const auto bytes = header() + record(update);
  const auto path = path_ + ".new";
  unlink(path.c_str());
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return base::fail(std::strerror(errno));
  auto written = write_all(file, bytes);
  if (written && (flock(file, LOCK_EX | LOCK_NB) != 0 || fsync(file) != 0 ||
                  rename(path.c_str(), path_.c_str()) != 0)) {
    written = base::fail(std::strerror(errno));
  }
  if (!written) {
    close(file);
    unlink(path.c_str());
    return written;
  }
  close(file_);
  file_ = file;
  size_ = whole_size_ = bytes.size();
  version_ = snapshot.version;
  return {};
}

}  // namespace penstock::control
