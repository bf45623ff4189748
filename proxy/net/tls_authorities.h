#pragma once
#include <openssl/ssl.h>

#include <string>

#include "proxy/base/result.h"

namespace penstock::net {

/// Whether the handshake names the authorities to the peer (a server that asks for a certificate).
enum class TellPeer : bool { kNo, kYes };

/// Adds the certificates of a PEM text to those that the context trusts. Fails where there is none,
/// or where one of them cannot be read.
base::Result<void> trust(SSL_CTX* context, const std::string& pem, TellPeer tell);

}  // namespace penstock::net
