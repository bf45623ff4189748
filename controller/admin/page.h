#pragma once
// The status page: one document with its style and script inside, and the headers that allow
// exactly those two and nothing from anywhere else.
#include "proxy/base/http_server.h"

namespace penstock::admin {

const base::HttpReply& status_page();

}  // namespace penstock::admin
