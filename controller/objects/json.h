#pragma once
// One value of a JSON document and where it stands. Reading is total: what is absent reads as
// empty, and the first value of a wrong type is remembered with its path, what was expected and
// what was found, so that a parser is a list of fields and its caller asks once whether all was
// well.
#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "proxy/base/result.h"

namespace penstock::objects {

/// The first thing that was wrong; empty while all is well.
struct JsonFailure {
  std::string pointer;  // RFC 6901: "/spec/rules/0/host"
  std::string message;  // "expected a string, got a number"
};

/// Valid while the parser's document and the failure live; a node points at its parents, which are
/// on the stack of the parsing function.
class Json {
 public:
  Json(simdjson::dom::element value, JsonFailure& failure) : value_(value), failure_(&failure) {}

  bool is_absent() const { return !value_.has_value(); }
  /// Null and missing are both absent.
  Json get(std::string_view key) const;

  std::string text(std::string_view key) const;
  std::optional<std::string> optional_text(std::string_view key) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::optional<bool> optional_boolean(std::string_view key) const;
  /// `fallback` where absent; out of range is a failure.
  std::int64_t integer(std::string_view key, std::int64_t low, std::int64_t high,
                       std::int64_t fallback) const;
  bool is_text() const;
  bool is_integer() const;
  std::string own_text() const;
  std::int64_t own_integer(std::int64_t low, std::int64_t high) const;

  /// Visits the items of an array field in order.
  template <class Visit>
  void for_each(std::string_view key, Visit visit) const {
    const auto list = get(key);
    const auto items = list.items();
    for (std::size_t i = 0; i < items.size(); ++i) {
      visit(Json(items[i], *failure_, list, static_cast<std::int64_t>(i)));
    }
  }
  /// Visits the members of an object field.
  template <class Visit>
  void for_each_member(std::string_view key, Visit visit) const {
    const auto object = get(key);
    for (const auto& [name, value] : object.members()) {
      visit(name, Json(value, *failure_, object, name));
    }
  }
  /// The strings of an array field.
  std::vector<std::string> texts(std::string_view key) const;

  /// An array field with fewer or more items than that is a failure; absent, it has none.
  void limit_items(std::string_view key, std::size_t low, std::size_t high) const;
  /// A text field that is shorter or longer is a failure; absent, it is neither.
  void limit_text(std::string_view key, std::size_t low, std::size_t high) const;

  /// A member other than these is a failure: what is not understood is not half served.
  void allow_only(std::initializer_list<std::string_view> keys) const;

  std::string pointer() const;
  /// Remembers the sentence unless something was wrong before.
  void fail(std::string message) const;

 private:
  Json(std::optional<simdjson::dom::element> value, JsonFailure& failure, const Json& parent,
       std::string_view key)
      : value_(value), failure_(&failure), parent_(&parent), key_(key) {}
  Json(simdjson::dom::element value, JsonFailure& failure, const Json& parent, std::int64_t index)
      : value_(value), failure_(&failure), parent_(&parent), index_(index) {}

  std::vector<simdjson::dom::element> items() const;
  std::vector<std::pair<std::string_view, simdjson::dom::element>> members() const;
  void expected(std::string_view what) const;

  std::optional<simdjson::dom::element> value_;
  JsonFailure* failure_;
  const Json* parent_ = nullptr;
  std::string_view key_;
  std::int64_t index_ = -1;
};

/// A whole document by `read`, which takes a Json; the first thing that is not as expected is the
/// failure.
template <class T, class Read>
base::Result<T> read_json(std::string_view text, Read read) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (const auto code = parser.parse(text.data(), text.size()).get(root);
      code != simdjson::SUCCESS) {
    return base::fail(std::string("expected JSON: ") + simdjson::error_message(code));
  }
  JsonFailure failure;
  T out = read(Json(root, failure));
  if (!failure.message.empty()) return base::fail(failure.pointer + ": " + failure.message);
  return out;
}

/// What a text field may say, and what it means.
template <class E>
using Named = std::pair<std::string_view, E>;

inline constexpr std::int64_t kMaxPort = 65535;

/// `fallback` where the field is absent; a name that is not in the list is a failure.
template <class E>
E choose(const Json& json, std::string_view key,
         std::span<const Named<std::type_identity_t<E>>> names, E fallback) {
  const auto text = json.optional_text(key);
  if (!text) return fallback;
  std::string known;
  for (const auto& [name, value] : names) {
    if (name == *text) return value;
    known.append(known.empty() ? "" : ", ").append(name);
  }
  json.get(key).fail("expected one of " + known + ", got '" + *text + "'");
  return fallback;
}

/// "a/b" as one reference token of a JSON pointer (RFC 6901 section 3).
std::string escape_pointer(std::string_view token);

}  // namespace penstock::objects
