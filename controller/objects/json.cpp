#include "controller/objects/json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace penstock::objects {
namespace {

using simdjson::dom::element_type;

std::string_view type_name(element_type type) {
  switch (type) {
    case element_type::ARRAY:
      return "a list";
    case element_type::OBJECT:
      return "an object";
    case element_type::STRING:
      return "a string";
    case element_type::BOOL:
      return "a boolean";
    case element_type::NULL_VALUE:
      return "null";
    default:
      return "a number";
  }
}

}  // namespace

std::string escape_pointer(std::string_view token) {
  std::string out;
  for (const char c : token) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string Json::pointer() const {
  if (parent_ == nullptr) return {};
  if (index_ >= 0) return fmt::format("{}/{}", parent_->pointer(), index_);
  return fmt::format("{}/{}", parent_->pointer(), escape_pointer(key_));
}

void Json::fail(std::string message) const {
  if (!failure_->message.empty()) return;
  *failure_ = {pointer(), std::move(message)};
}

void Json::expected(std::string_view what) const {
  fail(fmt::format("expected {}, got {}", what, type_name(value_->type())));
}

Json Json::get(std::string_view key) const {
  if (!value_) return {std::nullopt, *failure_, *this, key};
  simdjson::dom::object object;
  if (value_->get(object) != simdjson::SUCCESS) {
    expected("an object");
    return {std::nullopt, *failure_, *this, key};
  }
  simdjson::dom::element found;
  if (object[key].get(found) != simdjson::SUCCESS || found.is_null()) {
    return {std::nullopt, *failure_, *this, key};
  }
  return {found, *failure_, *this, key};
}

bool Json::is_text() const { return value_ && value_->is_string(); }
bool Json::is_integer() const { return value_ && value_->is_int64(); }

std::string Json::own_text() const {
  if (!value_) return {};
  std::string_view text;
  if (value_->get(text) != simdjson::SUCCESS) {
    expected("a string");
    return {};
  }
  return std::string(text);
}

std::int64_t Json::own_integer(std::int64_t low, std::int64_t high) const {
  std::int64_t number = 0;
  if (!value_) return number;
  if (value_->get(number) != simdjson::SUCCESS) {
    expected(fmt::format("a whole number from {} to {}", low, high));
    return low;
  }
  if (number < low || number > high) {
    fail(fmt::format("expected a whole number from {} to {}, got {}", low, high, number));
    return low;
  }
  return number;
}

std::string Json::text(std::string_view key) const { return get(key).own_text(); }

std::optional<std::string> Json::optional_text(std::string_view key) const {
  const auto field = get(key);
  if (field.is_absent()) return std::nullopt;
  return field.own_text();
}

std::optional<bool> Json::optional_boolean(std::string_view key) const {
  const auto field = get(key);
  if (field.is_absent()) return std::nullopt;
  bool value = false;
  if (field.value_->get(value) != simdjson::SUCCESS) field.expected("a boolean");
  return value;
}

bool Json::boolean(std::string_view key, bool fallback) const {
  return optional_boolean(key).value_or(fallback);
}

std::int64_t Json::integer(std::string_view key, std::int64_t low, std::int64_t high,
                           std::int64_t fallback) const {
  const auto field = get(key);
  return field.is_absent() ? fallback : field.own_integer(low, high);
}

std::vector<std::string> Json::texts(std::string_view key) const {
  std::vector<std::string> out;
  for_each(key, [&](const Json& item) { out.push_back(item.own_text()); });
  return out;
}

std::vector<simdjson::dom::element> Json::items() const {
  if (!value_) return {};
  simdjson::dom::array array;
  if (value_->get(array) != simdjson::SUCCESS) {
    expected("a list");
    return {};
  }
  return {array.begin(), array.end()};
}

std::vector<std::pair<std::string_view, simdjson::dom::element>> Json::members() const {
  std::vector<std::pair<std::string_view, simdjson::dom::element>> out;
  if (!value_) return out;
  simdjson::dom::object object;
  if (value_->get(object) != simdjson::SUCCESS) {
    expected("an object");
    return out;
  }
  for (const auto field : object) out.emplace_back(field.key, field.value);
  return out;
}

void Json::limit_items(std::string_view key, std::size_t low, std::size_t high) const {
  const auto list = get(key);
  if (const auto count = list.items().size(); count < low || count > high) {
    list.fail(fmt::format("expected a list of {} to {} items, got {}", low, high, count));
  }
}

void Json::limit_text(std::string_view key, std::size_t low, std::size_t high) const {
  const auto text = optional_text(key);
  if (text && (text->size() < low || text->size() > high)) {
    get(key).fail(fmt::format("expected {} to {} characters, got {}", low, high, text->size()));
  }
}

void Json::allow_only(std::initializer_list<std::string_view> keys) const {
  for (const auto& [name, value] : members()) {
    if (std::ranges::find(keys, name) != keys.end()) continue;
    const Json unknown(value, *failure_, *this, name);
    unknown.fail(fmt::format("this field is not served by this version, which knows {}",
                             fmt::join(keys, ", ")));
    return;
  }
}

}  // namespace penstock::objects
