#pragma once
// The one way in to Boost.Asio: 1.74 uses std::exchange without including <utility>.
#include <utility>

#include <boost/asio.hpp>

namespace penstock {
namespace asio = boost::asio;
}

namespace penstock::base {

using error_code = boost::system::error_code;
using Address = asio::ip::address;
using TcpEndpoint = asio::ip::tcp::endpoint;
using UdpEndpoint = asio::ip::udp::endpoint;

/// A socket on a concrete executor: the type-erased default costs an indirect call per operation.
using Executor = asio::io_context::executor_type;
using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using TcpAcceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
using LocalSocket = asio::basic_stream_socket<asio::local::stream_protocol, Executor>;

}  // namespace penstock::base
