#include "controller/directory/manifest_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>

#include "controller/directory/ingress_fields.h"
#include "controller/directory/near_kind.h"
#include "controller/translate/diagnostic.h"
#include "proxy/base/base64.h"
#include "proxy/base/text.h"

namespace penstock::directory {
namespace {

constexpr std::size_t kMaxDocuments = 100'000;
constexpr std::size_t kMostReported = 10'000;
// The API server sets it on every Namespace.
constexpr const char* kNameLabel = "kubernetes.io/metadata.name";

std::string text_of(const YAML::Node& node) { return node.IsScalar() ? node.Scalar() : ""; }

/// Up to the next "---" or "..." at the beginning of a line: nothing in a document can hold one.
std::size_t document_size(std::string_view text) {
  for (std::size_t line = text.find('\n'); line != std::string_view::npos;
       line = text.find('\n', line + 1)) {
    const auto next = text.substr(line + 1);
    const bool is_marker = next.starts_with("---") || next.starts_with("...");
    if (is_marker && (next.size() == 3 || next[3] == '\n' || next[3] == ' ' || next[3] == '\r' ||
                      next[3] == '\t')) {
      return line + 1;
    }
  }
  return text.size();
}

class NoEvents final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

class FileParser {
 public:
  explicit FileParser(const std::string& file) : file_(file) {}

  Manifests run(std::string_view text) {
    int line = 1;
    while (!text.empty() && !out_.is_broken) {
      const auto size = document_size(text);
      take_document(std::string(text.substr(0, size)), line);
      line += static_cast<int>(std::ranges::count(text.substr(0, size), '\n'));
      text.remove_prefix(size);
    }
    return std::move(out_);
  }

 private:
  /// The text of one document. It is checked to be all of what stands between two markers: the
  /// library would leave a rest unread, and its way to read several documents never ends on some.
  void take_document(const std::string& text, int first_line) {
    first_line_ = first_line;
    try {
      std::istringstream stream(text);
      YAML::Parser parser(stream);
      NoEvents ignored;
      parser.HandleNextDocument(ignored);
      if (parser) {
        out_.is_broken = true;
        return report(first_line, "expected one document between two markers, found more text");
      }
      auto node = YAML::Load(text);
      take(node);
    } catch (const YAML::Exception& error) {
      out_.is_broken = true;
      report(error.mark.line + first_line,
             fmt::format("expected YAML: {} (is the line, or the one above, indented like its "
                         "neighbours?)",
                         error.msg));
    }
  }

  void take(YAML::Node& node) {
    if (!node || node.IsNull()) return;
    const auto line = node.Mark().line + first_line_;
    if (!node.IsMap()) return drop(line, "expected an object with apiVersion and kind");
    const auto kind = text_of(node["kind"]);
    const auto version = text_of(node["apiVersion"]);
    if (kind.empty() || version.empty()) {
      return drop(
          line, fmt::format("{}: expected a text, got none", kind.empty() ? "kind" : "apiVersion"));
    }
    if (kind == "List" && version == "v1") {
      for (auto item : node["items"]) take(item);
      return;
    }
    const auto* info = objects::find_kind(version, kind);
    if (info == nullptr) {
      if (auto near = near_kind(version, kind); !near.empty()) return drop(line, std::move(near));
      ++out_.ignored;
      return;
    }
    take_object(node, *info, line);
  }

  void take_object(YAML::Node& node, const objects::KindInfo& info, int line) {
    auto metadata = node["metadata"];
    const auto name = metadata && metadata.IsMap() ? text_of(metadata["name"]) : "";
    if (name.empty()) {
      return drop(line, fmt::format("{}: metadata.name: expected a text, got none", info.name));
    }
    if (out_.documents.size() >= kMaxDocuments) return drop(line, "too many objects in one file");
    auto name_space = text_of(metadata["namespace"]);
    if (info.is_namespaced && name_space.empty()) {
      name_space = "default";
      metadata["namespace"] = name_space;
    }
    if (!info.is_namespaced) name_space.clear();
    if (info.kind == objects::Kind::kSecret) merge_string_data(node);
    if (info.kind == objects::Kind::kNamespace) add_name_label(metadata, name);
    auto document = std::make_shared<Document>();
    document->key = {info.kind, name_space, name};
    document->file = file_;
    document->line = line;
    auto json = to_json(node, first_line_, document->lines);
    if (!json) return drop(json.error().line, json.error().message);
    document->json = std::move(*json);
    if (info.kind == objects::Kind::kIngress) report_fields(*document);
    out_.documents.push_back(std::move(document));
  }

  void drop(int line, std::string message) {
    out_.has_gaps = true;
    report(line, std::move(message));
  }

  void report_fields(const Document& document) {
    for (const auto& [pointer, message] : check_ingress(document.json)) {
      const auto found = document.lines.line_of(pointer);
      report(found > 0 ? found : document.line,
             translate::to_string({document.key, pointer, message}));
    }
  }

  static void add_name_label(YAML::Node& metadata, const std::string& name) {
    const auto labels = metadata["labels"];
    if (labels && !labels.IsNull() && !labels.IsMap()) return;
    YAML::Node value(name);
    value.SetTag("!");  // a text, also where it looks like a number
    metadata["labels"][kNameLabel] = value;
  }

  static void merge_string_data(YAML::Node& node) {
    const auto texts = node["stringData"];
    if (!texts || !texts.IsMap()) return;
    for (const auto& member : texts) {
      node["data"][member.first.Scalar()] = base::encode_base64(text_of(member.second));
    }
    node.remove("stringData");
  }

  void report(int line, std::string message) {
    if (out_.problems.size() > kMostReported) return;
    if (out_.problems.size() == kMostReported) message = "more problems of this file are not told";
    out_.problems.push_back({file_, line, std::move(message)});
  }

  const std::string& file_;
  int first_line_ = 1;
  Manifests out_;
};

Manifests broken(const std::string& name, std::string message) {
  Manifests out;
  out.is_broken = true;
  out.problems.push_back({name, 0, std::move(message)});
  return out;
}

}  // namespace

std::string Document::where(std::string_view pointer) const {
  if (file.empty()) return {};
  const auto found = lines.line_of(pointer);
  return fmt::format("{}:{}", file, found > 0 ? found : line);
}

std::string to_string(const Problem& problem) {
  if (problem.line == 0) return fmt::format("{}: {}", problem.file, problem.message);
  return fmt::format("{}:{}: {}", problem.file, problem.line, problem.message);
}

Manifests parse_manifests(const std::string& file, const std::string& text) {
  return FileParser(file).run(text);
}

std::shared_ptr<const Document> implied_namespace(const std::string& name) {
  auto out = std::make_shared<Document>();
  const auto text = base::escape_json(name);
  out->key = {objects::Kind::kNamespace, "", name};
  out->json =
      fmt::format(R"({{"metadata":{{"name":"{0}","labels":{{"{1}":"{0}"}}}}}})", text, kNameLabel);
  return out;
}

Manifests read_manifests(const std::string& path, const std::string& name) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return broken(name, std::strerror(errno));
  struct stat status{};
  std::string text;
  std::string why;
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    why = "expected a regular file";
  } else if (static_cast<std::size_t>(status.st_size) > kMaxFile) {
    why = fmt::format("is larger than {} bytes", kMaxFile);
  } else {
    text.resize(static_cast<std::size_t>(status.st_size));
    std::size_t done = 0;
    while (done < text.size()) {
      const auto size = read(file, text.data() + done, text.size() - done);
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) break;
      done += static_cast<std::size_t>(size);
    }
    text.resize(done);
  }
  close(file);
  return why.empty() ? parse_manifests(name, text) : broken(name, why);
}

}  // namespace penstock::directory
