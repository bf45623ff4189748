#include "controller/annotations/row.h"

namespace penstock::annotations {
namespace {

using snapshot::RequestBody;
using snapshot::RoutePolicy;

constexpr Setting kRequestBody[] = {
    route<settings::BufferSize, &RoutePolicy::body, &RequestBody::buffer_size>(
        "client-body-buffer-size", "Part of a request body that is held in memory."),
    route<settings::Size, &RoutePolicy::body, &RequestBody::max_size>(
        "proxy-body-size", "Largest request body; 413 beyond. 0 = no limit."),
    route<settings::OnOff, &RoutePolicy::body, &RequestBody::is_buffered>(
        "proxy-request-buffering",
        "on: read the body before choosing an endpoint, as far as client-body-buffer-size holds."),
};

}  // namespace

Table request_body() { return kRequestBody; }

}  // namespace penstock::annotations
