#ifndef REPLICA_BEAST_RING_ADDRESSES_HPP
#define REPLICA_BEAST_RING_ADDRESSES_HPP

// Whether an address belongs to a node of the ring. A server asks this for each connection, on the
// thread that serves all of them; but rings change, and may name nodes by host name, whose
// addresses change too and may take half a minute to be told. So another thread looks, and the
// answer is that of its last look.

#include <replica/beast/lookup.hpp>
#include <replica/beast/signature.hpp>
#include <replica/clock.hpp>
#include <replica/disk/addresses.hpp>
#include <replica/ring.hpp>

#include <boost/asio/ip/address.hpp>
#include <boost/system/result.hpp>

#include <algorithm>
#include <concepts>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

namespace replica {

/// Finds the addresses of a host name, as http::Lookup does.
template <class N>
concept Names =
    requires(N names, const std::string& host, Instant deadline, const std::stop_token& stop) {
        {
            names.find(host, deadline, stop)
        } -> std::same_as<boost::system::result<http::Lookup::Addresses>>;
    };

/// The addresses of the nodes of a ring, `ip` and `replication_ip`, and all of this node's own: its
/// daemons and its operator may ask from any of them. A name that cannot be resolved keeps the
/// addresses it had. Thread safety: contains() from any thread.
template <Ring R, Names N = http::Lookup>
class RingAddresses {
public:
    using Address = boost::asio::ip::address;

    /// How long the first look may take, so that a daemon starts without its name server. Names
    /// that are left are looked up afterwards.
    static constexpr Seconds first_look{5};

    /// Looks once before it returns, then every `pause`. `names`: what N is made of.
    template <class... Args>
    explicit RingAddresses(R ring, Seconds pause, Args&&... names)
        : ring_(std::move(ring)), names_(std::forward<Args>(names)...) {
        look(SystemClock().monotonic() + to_duration(first_look), {});
        thread_ = std::jthread([this, pause](const std::stop_token& stop) {
            do {
                look(Instant::max(), stop);
            } while (
                SystemClock().sleep_until(SystemClock().monotonic() + to_duration(pause), stop));
        });
    }

    RingAddresses(const RingAddresses&) = delete;
    RingAddresses& operator=(const RingAddresses&) = delete;

    /// Whether the address was one of the ring's or of this node's at the last look.
    [[nodiscard]] bool contains(const Address& address) const {
        const std::lock_guard lock(mutex_);
        return all_.contains(http::plain_address(address));
    }

private:
    using Addresses = std::set<Address>;

    static constexpr Seconds patience{5}; // for one name

    // What can be known at once counts at once, whatever the name server does.
    void look(Instant until, const std::stop_token& stop) noexcept {
        try {
            std::set<std::string> hosts;
            const auto version = ring_.version();
            for (const Device& device : version.devices()) {
                hosts.insert(device.ip);
                hosts.insert(device.replication_ip);
            }
            std::erase_if(known_, [&](const auto& entry) { return !hosts.contains(entry.first); });
            std::erase_if(hosts, [&](const std::string& host) {
                boost::system::error_code is_name;
                const auto address = boost::asio::ip::make_address(host, is_name);
                if (!is_name) {
                    known_[host] = {http::plain_address(address)};
                }
                return !is_name || host.empty();
            });
            publish();
            for (const std::string& host : hosts) {
                const Instant now = SystemClock().monotonic();
                if (now >= until || stop.stop_requested()) {
                    return;
                }
                const auto found =
                    names_.find(host, std::min(until, now + to_duration(patience)), stop);
                if (found) {
                    Addresses addresses;
                    for (const Address& address : *found) {
                        addresses.insert(http::plain_address(address));
                    }
                    known_[host] = std::move(addresses);
                    publish();
                }
            }
        } catch (const std::exception&) { // no memory or threads: the last look stands
        }
    }

    void publish() {
        Addresses all;
        for (const auto& [host, addresses] : known_) {
            all.insert(addresses.begin(), addresses.end());
        }
        for (const std::string& own : interface_addresses()) {
            all.insert(boost::asio::ip::make_address(own));
        }
        const std::lock_guard lock(mutex_);
        all_.swap(all);
    }

    R ring_;
    N names_;
    std::map<std::string, Addresses> known_; // by host; only of the thread that looks
    mutable std::mutex mutex_;
    Addresses all_;
    std::jthread thread_; // the first to go
};

} // namespace replica

#endif // REPLICA_BEAST_RING_ADDRESSES_HPP
