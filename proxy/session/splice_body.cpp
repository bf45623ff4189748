#include "proxy/session/splice_body.h"

#include <algorithm>

namespace penstock::session {
namespace {

constexpr std::uint64_t kWorthAPipe = 32 << 10;

void arm(const TransferSide& side) {
  if (side.timeout.count() > 0) side.deadline.expire_in(side.timeout);
}

}  // namespace

bool may_splice(const BodyReader& reader, const net::Stream& from, const net::Stream& to) {
  return reader.unread_length() >= kWorthAPipe && from.ssl() == nullptr && to.ssl() == nullptr;
}

base::Task<bool> splice_body(WorkerParts& worker, BodyReader& reader, TransferSide from,
                             TransferSide to) {
  reader.give_back();
  auto pipe = worker.pipes.lend();
  bool is_good = true;
  while (is_good && pipe.is_open() && !reader.is_done()) {
    arm(from);
    const auto most = std::min<std::uint64_t>(reader.unread_length(), net::PipePool::kPipeSize);
    const auto got = co_await net::SpliceInOperation(from.stream, pipe, most);
    if (!got) reader.fail(BodyReader::Problem::kConnection, got.error());
    if (got && *got == 0) reader.fail(BodyReader::Problem::kTruncated, {});
    if (reader.problem() != BodyReader::Problem::kNone) {
      is_good = false;
      break;
    }
    reader.moved(*got);
    arm(to);
    const auto sent = co_await net::SpliceOutOperation(pipe, to.stream);
    is_good = sent.has_value();
  }
  worker.pipes.give_back(std::move(pipe));
  co_return is_good;
}

}  // namespace penstock::session
