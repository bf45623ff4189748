#pragma once
// Which objects are for this controller (IngressClass and the older annotation).
#include <optional>
#include <string>

#include "controller/objects/ingress.h"
#include "controller/objects/tcp_service.h"
#include "controller/translate/options.h"
#include "controller/translate/reader.h"

namespace penstock::translate {

bool is_ours(Reader& reader, const objects::Ingress& ingress, const Options& options);
/// One without a class is taken.
bool is_ours(Reader& reader, const objects::TcpService& service, const Options& options);

}  // namespace penstock::translate
