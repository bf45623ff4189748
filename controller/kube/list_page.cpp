#include "controller/kube/list_page.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "proxy/base/text.h"

namespace penstock::kube {

namespace {

using namespace simdjson;
using base::fail;
using base::Result;

constexpr std::size_t kMaxMessage = 300;

std::unexpected<base::Error> not_understood(std::string_view what, const char* why) {
  return fail(fmt::format("the API server's {} was not understood: {}", what, why));
}

padded_string_view padded(std::string& text) {
  text.reserve(text.size() + SIMDJSON_PADDING);
  return padded_string_view(text.data(), text.size(), text.size() + SIMDJSON_PADDING);
}

std::string_view trim_end(std::string_view text) {
  while (!text.empty() &&
         (base::is_space(text.back()) || text.back() == '\n' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

/// Fills the names out of an object's metadata. `object.json` lies inside a padded text.
void read_metadata(ondemand::parser& parser, RawObject& object) {
  const padded_string_view text(object.json.data(), object.json.size(),
                                object.json.size() + SIMDJSON_PADDING);
  auto document = parser.iterate(text);
  for (auto field : document.get_object()) {
    if (field.unescaped_key().value() != "metadata") continue;
    for (auto part : field.value().get_object()) {
      const std::string_view key = part.unescaped_key();
      std::string* target = key == "name"              ? &object.name
                            : key == "namespace"       ? &object.name_space
                            : key == "resourceVersion" ? &object.resource_version
                                                       : nullptr;
      if (target != nullptr) *target = std::string_view(part.value().get_string());
    }
    return;
  }
}

void read_list_metadata(ondemand::object metadata, ListPage& page) {
  for (auto part : metadata) {
    const std::string_view key = part.unescaped_key();
    if (key == "resourceVersion") page.resource_version = std::string_view(part.value());
    if (key == "continue") page.continue_token = std::string_view(part.value());
  }
}

WatchEventType event_type(std::string_view text) {
  if (text == "ADDED") return WatchEventType::kAdded;
  if (text == "MODIFIED") return WatchEventType::kModified;
  if (text == "DELETED") return WatchEventType::kDeleted;
  if (text == "BOOKMARK") return WatchEventType::kBookmark;
  return WatchEventType::kError;
}

void read_status(ondemand::parser& parser, WatchEvent& event) {
  const padded_string_view text(event.object.json.data(), event.object.json.size(),
                                event.object.json.size() + SIMDJSON_PADDING);
  auto document = parser.iterate(text);
  for (auto field : document.get_object()) {
    const std::string_view key = field.unescaped_key();
    if (key == "code") event.status_code = static_cast<int>(std::int64_t(field.value()));
    if (key == "message") event.message = std::string_view(field.value());
  }
}

}  // namespace

Result<ListPage> parse_list_page(std::string& text) {
  try {
    ListPage page;
    ondemand::parser parser;
    ondemand::document document = parser.iterate(padded(text));
    for (auto field : document.get_object()) {
      const std::string_view key = field.unescaped_key();
      if (key == "metadata") read_list_metadata(field.value().get_object(), page);
      if (key != "items") continue;
      ondemand::value value = field.value();
      if (value.type() == ondemand::json_type::null) continue;
      for (auto item : value.get_array()) {
        ondemand::object object = item.get_object();
        page.items.push_back({{}, {}, {}, trim_end(object.raw_json())});
      }
    }
    for (auto& item : page.items) {
      read_metadata(parser, item);
      if (item.name.empty()) return not_understood("list", "an item without a name");
    }
    if (page.resource_version.empty()) return not_understood("list", "no resourceVersion");
    return page;
  } catch (const simdjson_error& error) {
    return not_understood("list", error.what());
  }
}

Result<WatchEvent> parse_watch_event(std::string& line) {
  try {
    WatchEvent event;
    std::string type;
    ondemand::parser parser;
    ondemand::document document = parser.iterate(padded(line));
    for (auto field : document.get_object()) {
      const std::string_view key = field.unescaped_key();
      if (key == "type") type = std::string_view(field.value());
      if (key != "object") continue;
      ondemand::object object = field.value();
      event.object.json = trim_end(object.raw_json());
    }
    if (event.object.json.empty()) return not_understood("watch event", "no object");
    event.type = event_type(type);
    if (event.type == WatchEventType::kError) {
      read_status(parser, event);
      return event;
    }
    read_metadata(parser, event.object);
    if (event.object.resource_version.empty()) {
      return not_understood("watch event", "no resourceVersion");
    }
    if (event.object.name.empty() && event.type != WatchEventType::kBookmark) {
      return not_understood("watch event", "an object without a name");
    }
    return event;
  } catch (const simdjson_error& error) {
    return not_understood("watch event", error.what());
  }
}

std::string status_message(const std::string& body) {
  std::string text = body;
  try {
    ondemand::parser parser;
    ondemand::document document = parser.iterate(padded(text));
    return base::escape_controls(
        std::string_view(document.find_field_unordered("message").get_string())
            .substr(0, kMaxMessage));
  } catch (const simdjson_error&) {
    return base::escape_controls(std::string_view(body).substr(0, kMaxMessage));
  }
}

}  // namespace penstock::kube
