#ifndef REPLICA_SEND_REFUSAL_HPP
#define REPLICA_SEND_REFUSAL_HPP

// What a 507 means. For a device that is not mounted one handoff is asked instead. A full device
// must not get a handoff, or the full disk fills the next one (defect 21). A receiver of ours says
// in its status line which of the two it is. A stock receiver answers both alike, but its recon
// middleware knows what is mounted.

#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/transport.hpp>
#include <replica/words/json.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <concepts>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>

namespace replica {

namespace detail {

/// Whether a body of /recon/diskusage lists the device as mounted. A device that is not mounted has
/// false there, or the text of an error.
[[nodiscard]] inline bool listed_as_mounted(const std::string& diskusage, std::string_view device) {
    boost::system::error_code code;
    const bool too_much = json::count_values(diskusage) > json::most_values;
    const auto listed = boost::json::parse(too_much ? std::string() : diskusage, code);
    if (code || !listed.is_array()) {
        return false;
    }
    for (const auto& each : listed.get_array()) {
        const auto* const entry = each.if_object();
        const auto* const name = entry != nullptr ? entry->if_contains("device") : nullptr;
        if (name != nullptr && name->is_string() && name->get_string() == device) {
            const auto* const mounted = entry->if_contains("mounted");
            return mounted != nullptr && mounted->is_bool() && mounted->get_bool();
        }
    }
    return false;
}

} // namespace detail

/// The error behind a 507: no_space or not_mounted. If the status line has no words of its own, the
/// node's recon is asked: a server of Swift 2.30.1 refuses a mounted device only for its
/// fallocate_reserve. Without recon, or where mount_check is off and all counts as not mounted, the
/// error is Swift's own: not_mounted.
template <Peer P>
[[nodiscard]] Error refusal_of(P& peer, const Reply& reply, [[maybe_unused]] Instant deadline,
                               [[maybe_unused]] const std::stop_token& stop) {
    if (!reply.reason.empty()) {
        return reply.reason.find("is full") != std::string::npos ? Error::no_space
                                                                 : Error::not_mounted;
    }
    if constexpr (PagePeer<P>) {
        const auto page = peer.get("/recon/diskusage", deadline, stop);
        if (page && page->success() &&
            detail::listed_as_mounted(page->body, peer.device().device)) {
            return Error::no_space;
        }
    }
    return Error::not_mounted;
}

/// The meaning of each refusal, for one pass. Thread safety: any thread. Nobody waits for another's
/// question, so threads that ask at the same time each ask the node.
class Refusals {
public:
    /// `refusal`: the device as "ip:port/device", and the words of its reply. `ask` finds out.
    template <std::invocable Ask>
    [[nodiscard]] Error find(const std::string& refusal, Ask ask) {
        {
            const std::lock_guard guard(mutex_);
            const auto known = meanings_.find(refusal);
            if (known != meanings_.end()) {
                return known->second;
            }
        }
        const Error meaning = ask();
        const std::lock_guard guard(mutex_);
        return meanings_.emplace(refusal, meaning).first->second;
    }

private:
    std::mutex mutex_;
    std::map<std::string, Error> meanings_;
};

} // namespace replica

#endif // REPLICA_SEND_REFUSAL_HPP
