#pragma once
// May an object of a namespace open a port? (StreamPortPolicy)
#include <string>
#include <string_view>

#include "controller/objects/service.h"
#include "controller/translate/options.h"
#include "controller/translate/reader.h"

namespace penstock::translate {

/// Empty where it may; else why not. Without a policy of our class every port from 1024 up is open;
/// with one, those that a policy gives to the namespace are. A policy that cannot be read gives
/// nothing, and is there all the same. `config_map` names who may open the others.
std::string refused_because(Reader& reader, const Options& options, objects::Protocol protocol,
                            std::uint16_t port, const std::string& name_space,
                            std::string_view config_map);

}  // namespace penstock::translate
