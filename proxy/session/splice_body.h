#pragma once
// What is left of a large body with a known length, from one clear connection to another without
// passing through user space.
#include "proxy/net/deadline.h"
#include "proxy/net/stream.h"
#include "proxy/session/body_reader.h"
#include "proxy/session/worker_parts.h"

namespace penstock::session {

/// One side of a transfer, and how long it may stand still. Zero: something else watches it.
struct TransferSide {
  net::Stream& stream;
  net::Deadline& deadline;
  base::Duration timeout;
};

/// Is enough left for a pipe to pay, and can one be used?
bool may_splice(const BodyReader& reader, const net::Stream& from, const net::Stream& to);

/// Moves the rest of the body. False where it failed: a problem of the sender is the reader's
/// `problem`, else it was the receiver. Where the kernel gives no pipe it moves nothing.
base::Task<bool> splice_body(WorkerParts& worker, BodyReader& reader, TransferSide from,
                             TransferSide to);

}  // namespace penstock::session
