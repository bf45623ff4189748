#pragma once
// Every flag of ingress-nginx's controller (release 1.15, its own and those of its log library), so
// that the arguments of an installation keep working: a flag is served under its name, or mapped to
// one of ours, or taken with one line of warning that says why it changes nothing. One table; the
// reference page and the warnings come from it.
#include <CLI/App.hpp>

#include <span>
#include <string>
#include <string_view>

namespace penstock::program {

struct Flags;

struct NginxFlag {
  enum class Fate : char {
    kServed,   // an option of ours has the name and the meaning
    kMapped,   // `apply` says it with options of ours
    kIgnored,  // taken, with a warning
  };

  std::string_view name;           // without dashes
  std::string_view default_value;  // in ingress-nginx
  Fate fate;
  std::string_view doc;       // what differs, what it is mapped to, or why it changes nothing
  std::string_view harmless;  // kIgnored: the value that says what we do anyway; no warning then
  /// kMapped: false where `value` cannot be read.
  bool (*apply)(Flags& flags, const std::string& value) = nullptr;
  std::string_view expected = {};  // kMapped: what `apply` can read
};

/// In the order of their names; those of the log library last.
std::span<const NginxFlag> nginx_flags();

/// Adds those that are mapped or ignored, which `--help` does not list. Warnings are gathered in
/// `flags` and logged by `start_log`. Comes after the options that they are mapped to.
void add_nginx_flags(CLI::App& app, Flags& flags);

/// The table as a page of the documentation.
std::string nginx_flags_reference();

}  // namespace penstock::program
