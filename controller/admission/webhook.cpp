#include "controller/admission/webhook.h"

#include "proxy/base/ip_net.h"
#include "proxy/base/log.h"

namespace penstock::admission {

Webhook::Webhook(asio::io_context& io, GetSite get_site, OnJudged on_judged)
    : io_(io), get_site_(std::move(get_site)), on_judged_(std::move(on_judged)) {}

base::Result<std::unique_ptr<Webhook>> Webhook::start(asio::io_context& io, kube::Client& client,
                                                      Options options, GetSite get_site,
                                                      OnJudged on_judged) {
  std::unique_ptr<Webhook> out(new Webhook(io, std::move(get_site), std::move(on_judged)));
  auto* self = out.get();
  auto server = Server::start(options.address, [self](Review review, Answer answer) {
    const auto began = std::chrono::steady_clock::now();
    asio::post(self->io_, [self, alive = std::weak_ptr(self->alive_), began,
                           review = std::move(review), answer = std::move(answer)] {
      if (!alive.expired()) self->take(review, began, answer);
    });
  });
  if (!server) return std::unexpected(server.error());
  out->server_ = std::move(*server);
  const auto use = [self](const std::string& chain, const std::string& key) {
    return self->use(chain, key);
  };
  if (options.certificate_file.empty()) {
    const auto host = options.address.substr(0, options.address.rfind(':'));
    const auto ip = base::parse_address(host);
    out->own_.emplace(io, client,
                      OwnCertificate::Options{options.name_space, std::move(options.name),
                                              ip ? ip->to_string() : ""},
                      use);
    out->own_->start();
  } else {
    out->files_.emplace(io, std::move(options.certificate_file), std::move(options.key_file), use);
    out->files_->check();
  }
  return out;
}

/// A review may fail, by lack of memory; the controller goes on.
void Webhook::take(const Review& review, base::SteadyTime began, const Answer& answer) {
  std::optional<Verdict> verdict;
  try {
    if (const auto site = get_site_()) verdict = judge(*site, review);
  } catch (const std::exception& error) {
    base::log::error("admission: a review was given up: {}", error.what());
  }
  if (verdict) on_judged_(*verdict, std::chrono::steady_clock::now() - began);
  answer(std::move(verdict));
}

base::Result<void> Webhook::use(const std::string& chain_pem, const std::string& key_pem) {
  auto used = server_->set_certificate(chain_pem, key_pem);
  if (used) {
    base::log::info("admission: reviews are taken at port {}", server_->port());
  } else {
    base::log::error("admission: the certificate cannot be used, the one before it stays: {}",
                     used.error().message);
  }
  return used;
}

}  // namespace penstock::admission
