#pragma once
// The last adopted snapshot on disk, from which the proxy starts when no controller is there.
//
// A journal: a header, then one record for each adopted update, so that a change costs what it is
// and not what the snapshot is. Each record carries its length and checksum; a torn or damaged tail
// is cut off at the last good record. When the journal has grown to several times its content it is
// written anew beside itself and renamed over. Holds private keys: mode 0600, and meant for a
// memory-backed volume. A lock keeps two proxies from using one file.
#include <cstdint>
#include <string>

#include "proxy/base/result.h"
#include "proxy/snapshot/snapshot.h"

namespace penstock::control {

class StateFile {
 public:
  /// Opens or creates. A file of another release counts as empty. Errors: not ours to use, locked,
  /// no permission.
  static base::Result<StateFile> open(const std::string& path);
  StateFile(StateFile&& other) noexcept;
  StateFile& operator=(StateFile&&) = delete;
  ~StateFile();

  /// What the journal adds up to; version 0 where it is empty.
  snapshot::Snapshot load();
  /// Adds the update that led to `after`.
  base::Result<void> append(const snapshot::Update& update, const snapshot::Snapshot& after);

 private:
  StateFile(std::string path, int file) : path_(std::move(path)), file_(file) {}
  base::Result<void> write_whole(const snapshot::Snapshot& snapshot);

  std::string path_;
  int file_ = -1;
  std::uint64_t size_ = 0;        // of the journal, in bytes
  std::uint64_t whole_size_ = 0;  // when it was last written anew
  std::uint64_t version_ = 0;     // of the last record
};

}  // namespace penstock::control
