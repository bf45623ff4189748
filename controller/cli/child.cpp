#include "controller/cli/child.h"

#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

extern char** environ;

namespace penstock::cli {

base::Result<Child> Child::start(const std::string& program, std::vector<std::string> arguments) {
  std::error_code code;
  const auto beside = std::filesystem::read_symlink("/proc/self/exe", code).parent_path() / program;
  const auto path = std::filesystem::exists(beside, code) ? beside.string() : program;
  arguments.insert(arguments.begin(), path);
  std::vector<char*> argv;
  for (auto& each : arguments) argv.push_back(each.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  if (const int error = posix_spawnp(&pid, path.c_str(), nullptr, nullptr, argv.data(), environ)) {
    return base::fail(fmt::format("{} cannot be started: {}", path, std::strerror(error)));
  }
  return Child(pid);
}

Child::~Child() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
}

bool Child::has_ended(int& status) {
  if (pid_ <= 0 || waitpid(pid_, &status, WNOHANG) != pid_) return false;
  pid_ = -1;
  return true;
}

}  // namespace penstock::cli
