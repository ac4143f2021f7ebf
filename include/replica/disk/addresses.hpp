#ifndef REPLICA_DISK_ADDRESSES_HPP
#define REPLICA_DISK_ADDRESSES_HPP

// Finds the devices of the ring that are on this node: their replication address is one of ours and
// their replication port is our service's. Addresses are compared in one spelling, since "::1" and
// "0:0::1" are the same, and a node that does not recognise itself replicates nothing.

#include <replica/ring.hpp>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

/// An IPv4 or IPv6 address in its shortest form, without scope ("%eth0") and brackets. Empty for
/// any other text.
[[nodiscard]] inline std::optional<std::string> canonical_address(std::string_view text) {
    if (text.starts_with('[') && text.ends_with(']')) {
        text = text.substr(1, text.size() - 2);
    }
    const std::string address(text.substr(0, text.find('%')));
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    for (const int family : {AF_INET, AF_INET6}) {
        if (::inet_pton(family, address.c_str(), bytes.data()) == 1) {
            std::array<char, INET6_ADDRSTRLEN> shortest{};
            ::inet_ntop(family, bytes.data(), shortest.data(), shortest.size());
            return std::string(shortest.data());
        }
    }
    return std::nullopt;
}

namespace detail {

[[nodiscard]] inline std::optional<std::string> address_of(const sockaddr* address) {
    if (address == nullptr || (address->sa_family != AF_INET && address->sa_family != AF_INET6)) {
        return std::nullopt;
    }
    std::array<char, NI_MAXHOST> text{};
    const socklen_t size =
        address->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if (::getnameinfo(address, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
        return std::nullopt;
    }
    return canonical_address(text.data());
}

} // namespace detail

/// The addresses of all interfaces of this node, including loopback.
[[nodiscard]] inline std::vector<std::string> interface_addresses() {
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) {
        return {};
    }
    const std::unique_ptr<ifaddrs, decltype([](ifaddrs* list) { ::freeifaddrs(list); })> list(
        first);
    std::vector<std::string> addresses;
    for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
        if (auto address = detail::address_of(each->ifa_addr)) {
            addresses.push_back(std::move(*address));
        }
    }
    return addresses;
}

/// The addresses of a host name; of an address, the address itself. Empty if the name is unknown.
/// Asks the system's resolver and may block as long as that does.
[[nodiscard]] inline std::vector<std::string> resolve(const std::string& host) {
    if (auto address = canonical_address(host)) {
        return {std::move(*address)};
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* first = nullptr;
    if (host.empty() || ::getaddrinfo(host.c_str(), nullptr, &hints, &first) != 0) {
        return {};
    }
    const std::unique_ptr<addrinfo, decltype([](addrinfo* list) { ::freeaddrinfo(list); })> list(
        first);
    std::vector<std::string> addresses;
    for (const addrinfo* each = first; each != nullptr; each = each->ai_next) {
        if (auto address = detail::address_of(each->ai_addr)) {
            addresses.push_back(std::move(*address));
        }
    }
    return addresses;
}

/// The addresses of this service: `bind_ip` if it is an address; all addresses of the node if it is
/// a wildcard, a host name or empty (Swift 2.30.1: whataremyips). With bind_ip several services can
/// share a node (a cluster on 127.0.0.1, 127.0.0.2, ...).
[[nodiscard]] inline std::vector<std::string> own_addresses(const std::string& bind_ip) {
    const auto bound = canonical_address(bind_ip);
    if (bound && *bound != "0.0.0.0" && *bound != "::") {
        return {*bound};
    }
    return interface_addresses();
}

/// Whether the device is ours: its replication address, or an address of its host name, is in
/// `own`, and its replication port is `port` (Swift 2.30.1: is_local_device).
[[nodiscard]] inline bool is_local(const std::vector<std::string>& own, int port,
                                   const Device& device) {
    if (device.replication_port != port) {
        return false; // first, since it saves asking the resolver
    }
    const auto named = resolve(device.replication_ip);
    return std::ranges::find_first_of(named, own) != named.end();
}

} // namespace replica

#endif // REPLICA_DISK_ADDRESSES_HPP
