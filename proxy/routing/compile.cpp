#include "proxy/routing/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "proxy/filters/pipeline.h"

namespace penstock::routing {

using snapshot::PartKind;
using snapshot::PartPtr;

/// One update on its way to a table.
class Compiler::Build {
 public:
  Build(const Compiler& compiler, const snapshot::Update& update);
  base::Result<void> take(const snapshot::PartKey& key, const PartPtr& part);
  void take_host(const std::string& name, const PartPtr& part);
  void place_upstreams();
  Compiled finish();

  std::vector<std::uint32_t> free_slots;
  std::uint32_t next_slot;

 private:
  using Table = RoutingTable;
  CompiledUpstream& upstream_of(const std::string& name);
  Table::Chunk& own_chunk(std::size_t index);
  base::Result<void> take_certificate(const std::string& name, const PartPtr& part);

  const Table& last_;
  std::shared_ptr<Table> table_ = std::make_shared<Table>();
  TableChange change_;
  decltype(Table::hosts_)::Editor hosts_;
  decltype(Table::identities_)::Editor identities_;
  decltype(Table::slots_)::Editor slots_;
  decltype(Table::streams_)::Editor streams_;
  std::map<std::string, std::pair<std::uint32_t, CompiledUpstream>> upstreams_;
  std::map<std::size_t, std::shared_ptr<Table::Chunk>> chunks_;
};

// A base of zero replaces everything: it starts from nothing, but names what was there as changed.
Compiler::Build::Build(const Compiler& compiler, const snapshot::Update& update)
    : free_slots(compiler.free_slots_),
      next_slot(compiler.next_slot_),
      last_(*compiler.last_),
      hosts_(update.base == 0 ? decltype(Table::hosts_)() : last_.hosts_),
      identities_(update.base == 0 ? decltype(Table::identities_)() : last_.identities_),
      slots_(last_.slots_),
      streams_(update.base == 0 ? decltype(Table::streams_)() : last_.streams_) {
  table_->version_ = update.version;
  table_->global_ = last_.global_;
  table_->texts_ = last_.texts_;
  table_->upstreams_ = last_.upstreams_;
  if (update.base != 0) return;
  last_.slots_.for_each([&](const std::string& name, std::uint32_t slot) {
    upstreams_[name] = {slot, CompiledUpstream{}};
  });
  last_.streams_.for_each(
      [&](const std::string& name, const PartPtr&) { change_.streams.push_back(name); });
}

CompiledUpstream& Compiler::Build::upstream_of(const std::string& name) {
  if (const auto begun = upstreams_.find(name); begun != upstreams_.end()) {
    return begun->second.second;
  }
  auto& [slot, compiled] = upstreams_[name];
  if (const auto* known = slots_.find(name)) {
    slot = *known;
    if (const auto* before = last_.upstream(slot)) compiled = *before;
    return compiled;
  }
  if (free_slots.empty()) {
    slot = next_slot++;
  } else {
    slot = free_slots.back();
    free_slots.pop_back();
  }
  slots_.set(name, slot);
  return compiled;
}

base::Result<void> Compiler::Build::take_certificate(const std::string& name, const PartPtr& part) {
  if (!part) {
    identities_.erase(name);
    return {};
  }
  const auto& certificate = std::get<snapshot::Certificate>(*part);
  auto identity = net::TlsIdentity::parse(certificate.chain_pem, certificate.private_key_pem);
  if (!identity) {
    return base::fail(fmt::format("certificate {}: {}", name, identity.error().message));
  }
  identities_.set(name, *identity);
  return {};
}

base::Result<void> Compiler::Build::take(const snapshot::PartKey& key, const PartPtr& part) {
  const bool is_known = part || slots_.find(key.name) != nullptr;
  switch (key.kind) {
    case PartKind::kGlobal:
      if (part) {
        table_->global_ = part;
        table_->texts_ = filters::make_texts(table_->global());
      }
      change_.is_global_changed = true;
      return {};
    case PartKind::kCertificate:
      return take_certificate(key.name, part);
    case PartKind::kUpstream:
      if (is_known) upstream_of(key.name).upstream_part = part;
      return {};
    case PartKind::kEndpoints:
      if (is_known) upstream_of(key.name).endpoints_part = part;
      return {};
    case PartKind::kHost:
      return {};  // take_host, when every slot is known
    case PartKind::kStream:
    case PartKind::kUdpStream:
      change_.streams.push_back(key.name);
      if (part) {
        streams_.set(key.name, part);
      } else {
        streams_.erase(key.name);
      }
      return {};
  }
  return {};
}

void Compiler::Build::take_host(const std::string& name, const PartPtr& part) {
  if (!part) {
    hosts_.erase(name);
    return;
  }
  auto compiled = std::make_shared<CompiledHost>();
  compiled->part = part;
  compiled->host = &std::get<snapshot::Host>(*part);
  compiled->paths.emplace(compiled->host->routes);
  for (const auto& route : compiled->host->routes) {
    CompiledRoute made;
    made.route = &route;
    if (const auto* slot = slots_.find(route.upstream)) made.upstream = *slot;
    made.filters = filters::make_filters(route);
    compiled->routes.push_back(std::move(made));
  }
  hosts_.set(name, std::move(compiled));
}

RoutingTable::Chunk& Compiler::Build::own_chunk(std::size_t index) {
  auto& chunk = chunks_[index];
  if (!chunk) {
    chunk = index < table_->upstreams_.size()
                ? std::make_shared<Table::Chunk>(*table_->upstreams_[index])
                : std::make_shared<Table::Chunk>();
  }
  return *chunk;
}

void Compiler::Build::place_upstreams() {
  for (auto& [name, entry] : upstreams_) {
    auto& [slot, compiled] = entry;
    change_.upstreams.push_back(slot);
    auto& place = own_chunk(slot / Table::kChunk)[slot % Table::kChunk];
    if (!compiled.upstream_part) {
      place = nullptr;
      slots_.erase(name);
      free_slots.push_back(slot);
      continue;
    }
    if (!compiled.endpoints_part) {
      snapshot::Endpoints none{name, {}};
      compiled.endpoints_part = std::make_shared<const snapshot::Part>(std::move(none));
    }
    place = std::make_shared<const CompiledUpstream>(compiled);
  }
  for (auto& [index, chunk] : chunks_) {
    while (index >= table_->upstreams_.size()) {
      table_->upstreams_.push_back(std::make_shared<const Table::Chunk>());
    }
    table_->upstreams_[index] = std::move(chunk);
  }
}

Compiled Compiler::Build::finish() {
  table_->hosts_ = hosts_.finish();
  table_->identities_ = identities_.finish();
  table_->slots_ = slots_.finish();
  table_->streams_ = streams_.finish();
  std::ranges::sort(change_.streams);
  const auto repeats = std::ranges::unique(change_.streams);
  change_.streams.erase(repeats.begin(), repeats.end());
  return Compiled{std::move(table_), std::move(change_)};
}

Compiler::Compiler() {
  auto empty = std::make_shared<RoutingTable>();
  empty->global_ = std::make_shared<const snapshot::Part>(snapshot::Global{});
  empty->texts_ = filters::make_texts(empty->global());
  last_ = std::move(empty);
}

base::Result<Compiled> Compiler::compile(const snapshot::Update& update) {
  Build build(*this, update);
  for (const auto& [key, part] : update.parts) {
    if (auto taken = build.take(key, part); !taken) return std::unexpected(taken.error());
  }
  for (const auto& [key, part] : update.parts) {
    if (key.kind == PartKind::kHost) build.take_host(key.name, part);
  }
  build.place_upstreams();
  free_slots_ = std::move(build.free_slots);
  next_slot_ = build.next_slot;
  auto compiled = build.finish();
  last_ = compiled.table;
  return compiled;
}

}  // namespace penstock::routing
