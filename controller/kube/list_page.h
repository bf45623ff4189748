#pragma once
// Reads the answers of list and watch just far enough to know which object each text is about. The
// objects themselves stay raw JSON. Pure; bounds are the callers' (they bound the text).
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"

namespace penstock::kube {

struct RawObject {
  std::string name_space;
  std::string name;
  std::string resource_version;
  std::string_view json;  // a slice of the parsed text
};

struct ListPage {
  std::string resource_version;
  std::string continue_token;  // empty on the last page
  std::vector<RawObject> items;
};

/// The text is a reference because the parser wants spare capacity behind it: its bytes do not
/// change, but it may move once. The page's slices point into it.
base::Result<ListPage> parse_list_page(std::string& text);

enum class WatchEventType { kAdded, kModified, kDeleted, kBookmark, kError };

struct WatchEvent {
  WatchEventType type = WatchEventType::kError;
  RawObject object;
  int status_code = 0;  // of kError; 410 means that the resource version is too old
  std::string message;  // of kError
};

base::Result<WatchEvent> parse_watch_event(std::string& line);

/// "message" of a Status object, or the first bytes of whatever it is: for logs.
std::string status_message(const std::string& body);

}  // namespace penstock::kube
