#include "proxy/snapshot/yaml.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "proxy/base/text.h"
#include "proxy/snapshot/archive.h"

namespace penstock::snapshot {
namespace {

constexpr std::string_view kHidden = "(hidden)";

struct Node {
  enum class Kind { kScalar, kList, kMap } kind = Kind::kScalar;
  std::string scalar;
  std::vector<std::pair<std::string, Node>> items;  // of a list: without names

  bool operator==(const Node&) const = default;
};

bool is_plain(std::string_view text) {
  const auto is_word = [](char c) {
    return base::is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-' || c == '.' || c == '/';
  };
  const bool is_number = !text.empty() && std::ranges::all_of(text, [](char c) {
    return base::is_digit(c) || c == '.' || c == '-' || c == 'e';
  });
  return !text.empty() && !is_number && std::ranges::all_of(text, is_word) && text.front() != '-' &&
         text != "true" && text != "false" && text != "null" && text != "yes" && text != "no" &&
         text != "on" && text != "off";
}

std::string quoted(std::string_view text) {
  return is_plain(text) ? std::string(text) : '"' + base::escape_json(text) + '"';
}

Node scalar(std::string text) {
  Node node;
  node.scalar = std::move(text);
  return node;
}

template <class T>
Node node_of(const T& value);

class NodeWriter {
 public:
  template <class T>
  NodeWriter& operator()(std::string_view name, T& value) {
    node.items.emplace_back(name, node_of(value));
    return *this;
  }
  template <class T>
  NodeWriter& secret(std::string_view name, T& value) {
    node.items.emplace_back(name, scalar(value == T{} ? "\"\"" : std::string(kHidden)));
    return *this;
  }
  Node node{Node::Kind::kMap, {}, {}};
};

/// Without the fields that a value made from nothing would have, too.
template <Described T>
Node described(const T& value) {
  NodeWriter writer;
  const_cast<T&>(value).describe(writer);  // describe only reads for a writer
  NodeWriter defaults;
  T fresh{};
  fresh.describe(defaults);
  auto& items = writer.node.items;
  std::erase_if(items, [&](const auto& item) {
    const auto& other = defaults.node.items;
    return item.first != "name" && std::ranges::find(other, item) != other.end();
  });
  return std::move(writer.node);
}

template <class T>
Node node_of(const T& value) {
  if constexpr (std::same_as<T, bool>) {
    return scalar(value ? "true" : "false");
  } else if constexpr (std::is_enum_v<T>) {
    return scalar(quoted(name_of(value)));
  } else if constexpr (std::integral<T>) {
    return scalar(std::to_string(value));
  } else if constexpr (std::same_as<T, std::string>) {
    return scalar(quoted(value));
  } else if constexpr (std::same_as<T, base::Duration>) {
    return scalar(base::format_duration(value));
  } else if constexpr (std::same_as<T, base::ByteSize>) {
    return scalar(quoted(base::format_byte_size(value)));
  } else if constexpr (std::same_as<T, base::IpNet>) {
    return scalar(quoted(value.to_string()));
  } else if constexpr (Described<T>) {
    return described(value);
  } else {
    Node list{Node::Kind::kList, {}, {}};
    for (const auto& item : value) list.items.emplace_back("", node_of(item));
    return list;
  }
}

void write(const Node& node, std::size_t indent, std::string& out) {
  const std::string space(indent, ' ');
  for (const auto& [name, item] : node.items) {
    const bool is_list = node.kind == Node::Kind::kList;
    out += space + (is_list ? "-" : name + ":");
    if (item.kind == Node::Kind::kScalar) {
      out += " " + item.scalar + "\n";
    } else if (item.items.empty()) {
      out += item.kind == Node::Kind::kMap ? " {}\n" : " []\n";
    } else if (is_list) {
      // The first field stands beside the dash.
      std::string inner;
      write(item, indent + 2, inner);
      out += " " + inner.substr(indent + 2);
    } else {
      out += "\n";
      write(item, indent + 2, out);
    }
  }
}

Node node_of_part(const Part& part) {
  return std::visit([](const auto& value) { return described(value); }, part);
}

}  // namespace

std::string to_yaml(const Part& part) {
  std::string out;
  write(node_of_part(part), 0, out);
  return out;
}

std::string to_yaml(const Snapshot& snapshot) {
  std::string out;
  std::optional<PartKind> kind;
  for (const auto& [key, part] : snapshot.parts) {
    if (kind != key.kind) out += fmt::format("{}:\n", name_of(key.kind));
    kind = key.kind;
    const auto node = node_of_part(*part);
    if (key.kind == PartKind::kGlobal) {
      write(node, 2, out);
      continue;
    }
    out += fmt::format("  {}:{}\n", quoted(key.name), node.items.empty() ? " {}" : "");
    write(node, 4, out);
  }
  return out;
}

}  // namespace penstock::snapshot
