#pragma once
// What the admin API tells of the controller itself (docs/admin.md), and the options of the API
// from the flags. On the controller's thread.
#include "controller/admin/admin_api.h"
#include "controller/program/cluster.h"
#include "controller/program/controller.h"
#include "controller/program/flags.h"
#include "proxy/base/http_server.h"
#include "proxy/base/result.h"

namespace penstock::program {

/// Reads the certificate's files. Errors name the flag.
base::Result<admin::AdminOptions> admin_options(const Flags& flags);

/// `cluster` is null for a directory. Parameters q, after (a number) and limit are those of the
/// list of diagnostics.
base::HttpReply admin_document(const Controller& controller, const Cluster* cluster,
                               const base::HttpRequest& request);

}  // namespace penstock::program
