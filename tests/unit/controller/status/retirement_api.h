#pragma once
#include <fmt/ranges.h>

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/unit/controller/kube/scripted_server.h"

namespace penstock::status {

inline constexpr char kOurLease[] = "/apis/coordination.k8s.io/v1/namespaces/edge/leases/leader";

/// An API server with as much of its manners as a retirement needs, on a thread of its own.
class RetirementApi {
 public:
  struct Object {
    std::string metadata;  // more of it: R"(,"labels":{})"
    std::string rest;      // R"("spec":{})"
    std::string status = "{}";
    int version = 1;
  };

  RetirementApi() : thread_([this] { io_.run(); }) {}
  ~RetirementApi() {
    work_.reset();
    io_.stop();
    thread_.join();
  }
  std::string url() const { return server_.url(); }

  Object& operator[](const std::string& path) { return objects_[path]; }
  bool has(const std::string& path) const { return objects_.contains(path); }
  std::string status_of(const std::string& path) const { return objects_.at(path).status; }
  std::vector<std::string> take_writes() { return std::exchange(writes_, {}); }

  std::string missing_kind;
  std::string forbidden;  // method and the end of a path
  std::string contended;  // path that somebody else writes before each of our writes
  int contentions = 0;

 private:
  using Scripted = kube::ScriptedServer;

  static std::string query_less(const std::string& target) {
    return target.substr(0, target.find('?'));
  }
  std::string json_of(const std::string& path, const Object& object) const {
    const auto name = path.substr(path.rfind('/') + 1);
    auto scope = path.find("/namespaces/");
    std::string name_space;
    if (scope != path.npos) {
      name_space = path.substr(scope + 12);
      name_space.resize(name_space.find('/'));
    }
    return fmt::format(
        R"({{"metadata":{{"name":"{}","namespace":"{}","uid":"u-{}","resourceVersion":"{}"{}}},)"
        R"("status":{},{}}})",
        name, name_space, name, object.version, object.metadata, object.status, object.rest);
  }
  static bool is_of(const std::string& collection, const std::string& path) {
    const auto slash = collection.rfind('/');
    const auto group = collection.substr(0, slash + 1);
    const auto plural = collection.substr(slash) + "/";
    const auto at = path.rfind(plural);
    return path.starts_with(group) && at != path.npos && at + plural.size() > path.rfind('/');
  }

  Scripted::Reply handle(const Scripted::Seen& seen) {
    const std::lock_guard lock(mutex_);
    const auto path = query_less(seen.target);
    if (!missing_kind.empty() && path.find(missing_kind) != path.npos) return answer(404);
    if (!forbidden.empty() && (seen.method + " " + path).ends_with(forbidden)) {
      return Scripted::answer(403, R"({"message":"must not"})");
    }
    if (seen.method != "GET") writes_.push_back(seen.method + " " + seen.target);
    if (seen.method == "GET") return get(path);
    if (seen.method == "POST") {
      objects_[kOurLease] = {"", seen.body.substr(1, seen.body.size() - 2)};
      return answer(201);
    }
    const auto object = path.ends_with("/status") ? path.substr(0, path.size() - 7) : path;
    if (!objects_.contains(object)) return answer(404);
    if (seen.method == "DELETE") {
      objects_.erase(object);
      return answer(200);
    }
    return patch(object, seen.body);
  }
  Scripted::Reply get(const std::string& path) {
    if (const auto found = objects_.find(path); found != objects_.end()) {
      // A Lease that was written is what was written.
      if (path == kOurLease) return Scripted::answer(200, "{" + found->second.rest + "}");
      return Scripted::answer(200, json_of(path, found->second));
    }
    const auto last = path.substr(path.rfind('/') + 1);
    if (path.find("/leases/") != path.npos || !last.ends_with("s")) return answer(404);
    std::vector<std::string> items;
    for (const auto& [name, object] : objects_) {
      if (is_of(path, name)) items.push_back(json_of(name, object));
    }
    return Scripted::answer(200, fmt::format(R"({{"metadata":{{"resourceVersion":"1"}},)"
                                             R"("items":[{}]}})",
                                             fmt::join(items, ",")));
  }
  Scripted::Reply patch(const std::string& path, const std::string& body) {
    auto& object = objects_[path];
    if (path == contended && contentions-- > 0) ++object.version;
    const auto version = fmt::format(R"("resourceVersion":"{}")", object.version);
    if (path == kOurLease) {
      object.rest = body.substr(1, body.size() - 2);
    } else if (const auto at = body.find(R"("status":)"); at != body.npos) {
      if (body.find(version) == body.npos) return answer(409);
      object.status = body.substr(at + 9, body.size() - at - 10);
      ++object.version;
    }
    return answer(200);
  }
  static Scripted::Reply answer(int status) { return Scripted::answer(status, "{}"); }

  std::mutex mutex_;
  std::map<std::string, Object> objects_;
  std::vector<std::string> writes_;
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  Scripted server_{io_, [this](const Scripted::Seen& seen) { return handle(seen); }};
  std::thread thread_;
};

}  // namespace penstock::status
