#include "controller/program/program.h"

#include <set>

#include "controller/program/admin_document.h"
#include "proxy/base/log.h"

namespace penstock::program {

base::Result<void> Program::prepare(const std::string& manifests) {
  auto options = to_options(flags_);
  if (!options) return std::unexpected(options.error());
  metrics_.identify(options->translate.instance, flags_.election_id);
  options->translate.allows_local_endpoints = !manifests.empty();
  options->translate.is_without_api_server = !manifests.empty();
  auto controller = Controller::make(io_, std::move(*options), metrics_);
  if (!controller) return std::unexpected(controller.error());
  controller_ = std::move(*controller);
  if (!manifests.empty()) {
    if (!flags_.webhook_address.empty()) {
      base::log::warn("--validating-webhook has no effect without an API server");
    }
    if (auto made = prepare_directory(manifests); !made) return made;
  } else {
    auto cluster = Cluster::make(io_, flags_, *controller_, metrics_);
    if (!cluster) return std::unexpected(cluster.error());
    cluster_ = std::move(*cluster);
  }
  if (auto served = serve_admin(); !served) return served;
  return serve_status();
}

base::Result<void> Program::prepare_directory(const std::string& path) {
  directory::Directory::Events events;
  events.source = controller_->source_events();
  events.on_problems = [said = std::set<std::string>()](
                           const std::vector<directory::Problem>& problems) mutable {
    std::set<std::string> now;
    for (const auto& problem : problems) now.insert(directory::to_string(problem));
    for (const auto& text : now) {
      if (!said.contains(text)) base::log::error("{}", text);
    }
    for (const auto& text : said) {
      if (!now.contains(text)) base::log::info("no longer so: {}", text);
    }
    said = std::move(now);
  };
  auto opened = directory::Directory::open(io_, path, std::move(events));
  if (!opened) return std::unexpected(opened.error());
  directory_ = std::move(*opened);
  return {};
}

base::Result<void> Program::serve_status() {
  if (flags_.status_address.empty()) return {};
  const auto is_alive = [] { return base::StatusReply{200, "ok\n"}; };
  auto server = base::StatusServer::start(
      flags_.status_address,
      {{"/healthz", is_alive},
       {flags_.health_path, is_alive},
       {"/readyz",
        [this] {
          return controller_->is_ready() ? base::StatusReply{200, "ok\n"}
                                         : base::StatusReply{503, "no proxy serves yet\n"};
        }},
       {"/metrics", [this] {
          return base::StatusReply{200, metrics_.text(),
                                   "text/plain; version=0.0.4; charset=utf-8"};
        }}});
  if (!server) return std::unexpected(server.error());
  status_ = std::move(*server);
  return {};
}

base::Result<void> Program::serve_admin() {
  if (flags_.admin_port == 0) return {};
  auto options = admin_options(flags_);
  if (!options) return std::unexpected(options.error());
  admin::AdminSources sources;
  sources.document = [this](const base::HttpRequest& request) {
    return admin_document(*controller_, cluster_.get(), request);
  };
  if (flags_.reviews_admin_tokens && cluster_) {
    token_review_.emplace(cluster_->client());
    sources.review = [this](const std::string& token, admin::Right right,
                            admin::Guard::OnVerdict on_verdict) {
      token_review_->review(token, right, std::move(on_verdict));
    };
  }
  auto started = admin::AdminApi::start(io_, std::move(*options), std::move(sources));
  if (!started) return std::unexpected(started.error());
  admin_ = std::move(*started);
  return {};
}

void Program::wait_for_signal() {
  signals_.async_wait([this](base::error_code code, int) {
    if (code) return;
    stop();
    wait_for_signal();
  });
}

void Program::stop() {
  if (is_stopping_ || !cluster_) {
    io_.stop();
    return;
  }
  is_stopping_ = true;
  cluster_->stop([this] { io_.stop(); });
}

void Program::run() {
  wait_for_signal();
  if (directory_) {
    controller_->run_from(*directory_);
  } else {
    cluster_->start();
  }
  io_.run();
  admin_.reset();
  token_review_.reset();
  status_.reset();
}

}  // namespace penstock::program
