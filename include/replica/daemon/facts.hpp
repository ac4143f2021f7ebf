// What a service knows of itself, its devices and its peers: one place that the metrics, the page
// and its JSON are made of. It is told by events; nobody looks at a disk or asks a peer for it.
#ifndef REPLICA_DAEMON_FACTS_HPP
#define REPLICA_DAEMON_FACTS_HPP

#include <replica/clock.hpp>
#include <replica/daemon/behind.hpp>
#include <replica/daemon/exposition.hpp>
#include <replica/daemon/failures.hpp>
#include <replica/observer.hpp>
#include <replica/ring.hpp>
#include <replica/stats.hpp>
#include <replica/words/members.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/second.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::daemon {

/// "10.0.0.1:6201/sdb1".
[[nodiscard]] inline std::string name_of(const Device& device) {
    return device.replication_ip + ':' + std::to_string(device.replication_port) + '/' +
           device.device;
}

/// A state that a pass tells anew as long as it lasts.
struct Told {
    std::uint64_t pass = 0; ///< The last one that told it; 0: none.
    std::string reason{};
};

struct DeviceFacts {
    std::size_t partitions_done = 0; ///< Of the pass that runs, or of the last one.
    std::size_t partitions = 0;      ///< 0: nothing had to be walked.
    std::int64_t databases = 0;      ///< That the pass has come to, those at rest included.
    bool walked = false;             ///< The pass has come to the end.
    std::int64_t remembered = 0;     ///< Entries of the ledger after the last walk.
    std::uint64_t turns = 0;
    std::uint64_t failures = 0; ///< Databases whose turn did not come to a good end.
    std::uint64_t removed = 0;
    std::uint64_t quarantined = 0;
    Told skipped{};
    Told brake{};
};

struct PeerFacts {
    std::uint64_t successes = 0;
    std::uint64_t failures = 0;
    std::uint64_t rows = 0;  ///< Sent, but for those that went along with a question.
    std::uint64_t bytes = 0; ///< Of whole files.
    bool answers = true;     ///< The last turn did not fail; rows may be lacking.
    Timestamp last_success{};
    Timestamp last_failure{};
    std::string reason{}; ///< Of the last failure.
    Lag lag{};            ///< Filled in by Facts::now.
};

/// All that is known at one time.
struct FactsNow {
    std::string kind; ///< "container" or "account".
    Timestamp at{};
    Timestamp started{};
    Seconds interval{0};
    std::uint64_t passes = 0;        ///< That have ended.
    std::uint64_t failed_passes = 0; ///< That could not be done.
    bool passing = false;
    Timestamp pass_began{}; ///< Of the pass that runs, or of the last one.
    Timestamp pass_ended{}; ///< Of the last one; 0: there was none.
    Seconds pass_took{0};   ///< The last one.
    std::int64_t last_databases = 0;
    Stats total{}; ///< Of all passes and pushes.
    Stats last{};  ///< Of the last pass.
    std::map<std::string, DeviceFacts> devices{};
    std::map<std::string, PeerFacts> peers{};
    Histogram turns{};
    std::map<std::string, Histogram> requests{}; ///< Served, by verb.
    std::map<std::string, Histogram> merges{};   ///< Of them, those that merged.
    std::map<int, std::uint64_t> answers{};      ///< Served, by status.
    std::vector<NotedFailure> failures{};
    bool ring_unreadable = false; ///< The ring file cannot be used, and an older one counts.
    std::uint64_t ended = 0;      ///< The number of the last pass that has ended, for Told.

    [[nodiscard]] bool holds(const Told& told) const { return told.pass > 0 && told.pass >= ended; }
};

/// The facts of a service. Copies share them. What they hold is bounded by the ring's devices.
/// Thread safety: any thread; nothing waits for a disk or a peer.
class Facts {
public:
    /// `kind` is "container" or "account"; `devices` is Settings::devices.
    Facts(std::string_view kind, std::string devices, Timestamp started)
        : state_(std::make_shared<State>()) {
        state_->now.kind = kind;
        state_->now.started = started;
        state_->root = std::move(devices) + '/';
    }

    void passes_every(Seconds interval) const {
        const std::lock_guard guard(state_->mutex);
        state_->now.interval = interval;
    }

    /// Takes in what an event tells. Events that say nothing of these facts are passed over.
    template <class Event>
    void note(const Event& event, Timestamp at) const {
        if constexpr (requires(State& state) { state.note(event, at); }) {
            const std::lock_guard guard(state_->mutex);
            state_->note(event, at);
        }
    }

    /// Forgets devices and peers that `ring` does not have.
    template <RingVersion R>
    void keep_only(const R& ring) const {
        std::set<std::string> devices;
        std::set<std::string> peers;
        for (const Device& device : ring.devices()) {
            devices.insert(device.device);
            peers.insert(name_of(device));
        }
        const std::lock_guard guard(state_->mutex);
        std::erase_if(state_->now.devices,
                      [&](auto& each) { return !devices.contains(each.first); });
        std::erase_if(state_->now.peers, [&](auto& each) { return !peers.contains(each.first); });
        state_->behind.keep_only(peers);
    }

    [[nodiscard]] FactsNow now(Timestamp at) const {
        const std::lock_guard guard(state_->mutex);
        FactsNow facts = state_->now;
        facts.at = at;
        facts.failures = state_->failures.latest();
        for (auto& [name, peer] : facts.peers) {
            peer.lag = state_->behind.of(name);
        }
        return facts;
    }

private:
    struct State {
        // The pass.

        void note(const event::PassBegan& /*pass*/, Timestamp at) {
            ++number;
            now.passing = true;
            now.pass_began = at;
            for (auto& [name, device] : now.devices) {
                device.partitions_done = device.partitions = 0;
                device.databases = 0;
                device.walked = false;
            }
        }
        void note(const event::PassEnded& pass, Timestamp at) {
            ++now.passes;
            now.pass_took = pass.elapsed;
            now.last = pass.stats;
            now.last_databases = 0;
            for (const auto& [name, device] : now.devices) {
                now.last_databases += device.databases;
            }
            add(pass.stats);
            if (!pass.partial && hidden < number) {
                behind.end_pass(number);
            }
            end(at, !pass.partial);
        }
        void note(const event::PassFailed& pass, Timestamp at) {
            ++now.failed_passes;
            failures.add("pass", "this node", pass.what, at);
            end(at, false);
        }
        void note(const event::PushesEnded& pushes, Timestamp /*at*/) { add(pushes.stats); }
        void note(const event::DeviceProgress& at, Timestamp /*now*/) {
            DeviceFacts& facts = device(at.device);
            facts.partitions_done = at.partitions_done;
            facts.partitions = at.partitions;
            facts.databases = at.databases;
            facts.walked = at.remembered >= 0;
            facts.remembered = facts.walked ? at.remembered : facts.remembered;
        }

        // This node.

        void note(const event::NoLocalDevices& none, Timestamp at) {
            failures.add("not_in_ring", "this node",
                         "no device of the ring has the address " + std::string(none.addresses) +
                             " and the port " + std::to_string(none.port),
                         at);
        }
        void note(const event::DeviceSkipped& skipped, Timestamp at) {
            const std::string name = device_of(skipped.path + '/');
            device(name).skipped = {told(), shown(skipped.reason)};
            hidden = told();
            failures.add("device_skipped", name, skipped.reason, at);
        }
        void note(const event::DeviceStalled& stalled, Timestamp at) {
            device(stalled.device).skipped = {told(), "does not answer"};
            hidden = told();
            failures.add("device_stalled", stalled.device, "does not answer", at);
        }
        void note(const event::Braked& braked, Timestamp at) {
            device(braked.device).brake = {told(), shown(braked.reason)};
            failures.add(braked.names ? "wrong_hash" : "brake", braked.device, braked.reason, at);
        }
        void note(const event::ClockJumped& /*clock*/, Timestamp at) {
            failures.add("clock", "this node", "the clock has jumped", at);
        }
        void note(const event::ClockDiffers& clock, Timestamp at) {
            failures.add("clock", clock.peer.replication_ip,
                         "its clock differs from ours by " +
                             std::to_string(static_cast<std::int64_t>(-clock.ahead.count())) + " s",
                         at);
        }
        void note(const event::ListingFailed& listing, Timestamp at) {
            failures.add("listing", device_of(listing.path), listing.what, at);
        }
        void note(const RingLook& ring, Timestamp at) {
            now.ring_unreadable = !ring.fault.empty();
            failures.set("ring", "this node", ring.fault, at);
        }

        // One database.

        void note(const event::DatabaseEnded& database, Timestamp /*at*/) {
            DeviceFacts& facts = device(database.device);
            ++facts.turns;
            facts.failures += database.success ? 0 : 1;
            now.turns.observe(database.elapsed.count());
        }
        void note(const event::DatabaseFailed& database, Timestamp at) {
            failures.add("database", device_of(database.path), database.what, at);
        }
        void note(const event::Quarantined& database, Timestamp at) {
            const std::string name = device_of(database.path);
            ++device(name).quarantined;
            failures.add("quarantined", name, database.reason, at);
        }
        void note(const event::WrongHash& database, Timestamp at) {
            failures.add("wrong_hash", device_of(database.path), database.path, at);
        }
        void note(const event::Removed& database, Timestamp /*at*/) {
            ++device(database.device).removed;
        }
        void note(const event::Stale& copy, Timestamp at) {
            failures.add(word_for(copy), device_of(copy.path), copy.path, at);
        }

        // One peer.

        void note(const event::UsyncEnded& rows, Timestamp /*at*/) {
            peer(rows.peer).rows += static_cast<std::uint64_t>(rows.rows);
        }
        void note(const event::Compared& rows, Timestamp /*at*/) {
            peer(rows.peer).rows += static_cast<std::uint64_t>(rows.sent);
        }
        void note(const event::WholeFileSent& file, Timestamp /*at*/) {
            peer(file.peer).bytes += static_cast<std::uint64_t>(file.bytes);
        }
        void note(const event::Diverged& differing, Timestamp at) {
            failures.add("diverged", name_of(differing.peer), differing.path, at);
        }
        void note(const event::PeerNotMounted& unmounted, Timestamp at) {
            fail(unmounted.peer, "peer_not_mounted", "its device is not mounted, or is full", at);
        }
        void note(const event::PeerFailed& failed, Timestamp at) {
            const auto error = static_cast<Error>(failed.code.value());
            if (error == Error::held_back || error == Error::stopped) {
                return; // its first failure was noted
            }
            fail(failed.peer, word_for(error, failed.what),
                 reason_of(failed.code, name_of(failed.peer), failed.what), at);
        }
        void note(const event::PeerEnded& ended, Timestamp at) {
            const std::string name = name_of(ended.peer);
            PeerFacts& facts = now.peers[name];
            facts.answers = facts.answers || !ended.failed;
            if (ended.success) {
                ++facts.successes;
                facts.last_success = at;
                behind.succeeds(name, ended.path);
            } else {
                behind.fails(name, ended.path, ended.max_row, ended.reached, told(), at);
            }
            if (!ended.failed) {
                failures.went_well(name, behind.of(name).databases == 0, at);
            }
        }

        // The receiver.

        void note(const event::Served& request, Timestamp /*at*/) {
            static constexpr std::array verbs{
                "compare",     "complete_rsync",     "get_shard_ranges",
                "merge_items", "merge_shard_ranges", "merge_syncs",
                "put_file",    "rsync_then_merge",   "summary",
                "sync"};
            static constexpr std::array merging{"complete_rsync", "merge_items",
                                                "merge_shard_ranges", "rsync_then_merge"};
            ++now.answers[request.status];
            const bool known = std::ranges::find(verbs, request.verb) != verbs.end();
            const std::string verb(known ? request.verb : "other");
            now.requests[verb].observe(request.elapsed.count());
            if (std::ranges::find(merging, request.verb) != merging.end() &&
                request.status / 100 == 2) {
                now.merges[verb].observe(request.elapsed.count());
            }
        }
        void note(const event::ServeFailed& request, Timestamp at) {
            failures.add("request", "this node", class_of(request.code), at);
        }

        void add(const Stats& stats) {
            boost::hana::for_each(boost::hana::accessors<Stats>(), [&](const auto& accessor) {
                boost::hana::second(accessor)(now.total) += boost::hana::second(accessor)(stats);
            });
        }
        void end(Timestamp at, bool whole) {
            now.passing = false;
            now.pass_ended = at;
            now.ended = number;
            failures.end_pass(at, [&](auto& who) { return !whole || is_in_trouble(who); });
        }
        /// Whether the pass left this device out, or this peer fails or is behind.
        [[nodiscard]] bool is_in_trouble(const std::string& subject) const {
            const auto device = now.devices.find(subject);
            const auto peer = now.peers.find(subject);
            return (device != now.devices.end() && device->second.skipped.pass == number) ||
                   (peer != now.peers.end() &&
                    (!peer->second.answers || behind.of(subject).databases > 0));
        }
        void fail(const Device& device, std::string_view word, const std::string& what,
                  Timestamp at) {
            PeerFacts& facts = peer(device);
            ++facts.failures;
            facts.answers = false;
            facts.last_failure = at;
            facts.reason = shown(what);
            failures.add(word, name_of(device), what, at);
        }

        /// The pass that something is told of: between two passes the next one.
        [[nodiscard]] std::uint64_t told() const { return now.passing ? number : number + 1; }

        [[nodiscard]] DeviceFacts& device(const std::string& name) { return now.devices[name]; }
        [[nodiscard]] PeerFacts& peer(const Device& device) { return now.peers[name_of(device)]; }

        /// The device in "/srv/node/sda/containers/1".
        [[nodiscard]] std::string device_of(const std::string& path) const {
            return path.starts_with(root)
                       ? path.substr(root.size(), path.find('/', root.size()) - root.size())
                       : "this node";
        }

        std::mutex mutex{};
        std::string root{};
        std::uint64_t number = 0; ///< Of the pass that runs, or of the last one.
        std::uint64_t hidden = 0; ///< The last pass that a device was left out of.
        FactsNow now{};
        Behind behind{};
        Failures failures{};
    };

    std::shared_ptr<State> state_;
};

/// Tells another observer everything, and Facts what they are about.
template <Observer O>
class FactsObserver {
public:
    FactsObserver(O observer, Facts facts)
        : observer_(std::move(observer)), facts_(std::move(facts)) {}

    template <class Event>
    void operator()(const Event& event) const {
        observer_(event);
        facts_.note(event, SystemClock().now());
    }

private:
    O observer_;
    Facts facts_;
};

} // namespace replica::daemon

#endif
