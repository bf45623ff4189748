#pragma once
// The jobs that make what hosts and streams demand: upstreams with their endpoints, certificates.
#include "controller/translate/job.h"
#include "controller/translate/key_pairs.h"
#include "controller/translate/options.h"
#include "controller/translate/reader.h"

namespace penstock::translate {

Output translate_upstream(Reader& reader, const Options& options, const UpstreamDemand& demand);
/// Nothing where the Secret holds no usable pair.
Output translate_certificate(Reader& reader, KeyPairs& pairs, const std::string& path);
/// The Secret of --default-ssl-certificate, else the one made at start.
Output translate_default_certificate(Reader& reader, KeyPairs& pairs, const Options& options);

}  // namespace penstock::translate
