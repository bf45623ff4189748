#pragma once
// A program that runs beside this one and ends with it.
#include <sys/types.h>

#include <string>
#include <vector>

#include "proxy/base/result.h"

namespace penstock::cli {

class Child {
 public:
  /// `program` is looked for beside this executable, then in the path.
  static base::Result<Child> start(const std::string& program, std::vector<std::string> arguments);
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Child& operator=(Child&&) = delete;
  /// Asks it to end and waits for it.
  ~Child();

  /// The exit status once it has ended; nothing while it runs.
  bool has_ended(int& status);
  pid_t pid() const { return pid_; }

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_;
};

}  // namespace penstock::cli
