#ifndef REPLICA_DAEMON_OBSERVER_HPP
#define REPLICA_DAEMON_OBSERVER_HPP

// Turns events into what a Swift operator watches: the log lines, statsd counters and recon figures
// of the stock daemons. Alarms match parts of lines, so parts written by Swift 2.30.1 stand here
// unchanged; what follows them is ours and gives the reason.

#include <replica/daemon/facts.hpp>
#include <replica/daemon/log.hpp>
#include <replica/daemon/recon.hpp>
#include <replica/daemon/server_observer.hpp>
#include <replica/daemon/settings.hpp>
#include <replica/daemon/statsd.hpp>
#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/stats.hpp>
#include <replica/words/members.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/pair.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace replica::daemon {

/// The figures of a pass under the keys of Swift's replicators, and ours beside them. An empty map
/// of failures deletes that of the last pass.
[[nodiscard]] inline boost::json::object recon_of(const event::PassEnded& pass) {
    boost::json::object stats;
    boost::hana::for_each(boost::hana::accessors<Stats>(), [&](const auto& accessor) {
        stats[boost::hana::first(accessor).c_str()] = boost::hana::second(accessor)(pass.stats);
    });
    stats["start"] = pass.began.seconds();
    boost::json::object nodes;
    for (const auto& [ip, devices] : pass.failure_nodes) {
        boost::json::object counts;
        for (const auto& [device, count] : devices) {
            counts[device] = count;
        }
        nodes[ip] = std::move(counts);
    }
    stats["failure_nodes"] = std::move(nodes);
    return {{"replication_stats", std::move(stats)},
            {"replication_time", pass.elapsed.count()},
            {"replication_last", pass.ended.seconds()}};
}

/// The observer of a replicator. Copies share one state. Thread safety: any thread.
class DaemonObserver : private LocalCopyObserver {
public:
    using LocalCopyObserver::operator();

    /// Prints progress to a terminal while a pass runs: a text that begins with a carriage return.
    /// Empty: no terminal.
    using Progress = std::function<void(const std::string&)>;

    /// `server` is "container" or "account" and names the recon file. `statsd` must outlive all
    /// copies.
    DaemonObserver(const DaemonSettings& settings, std::string_view server, Log log, Statsd& statsd,
                   Progress progress = {})
        : LocalCopyObserver(std::move(log)),
          state_(std::make_shared<State>(
              settings.recon_cache_path + '/' + std::string(server) + ".recon",
              settings.handoffs_only || settings.handoff_delete > 0, statsd, std::move(progress))) {
    }

    void operator()(const event::PassBegan& pass) const {
        state_->statsd.resolve();
        if (state_->emergency) {
            log(Level::warning, "Starting replication pass with handoffs_only and/or "
                                "handoffs_delete enabled; switch both off once there is space");
        }
        log(Level::info, "Beginning replication run");
        log(Level::debug, "{} local devices", pass.devices);
    }

    void operator()(const event::PassEnded& pass) const {
        finish_progress();
        const Stats& stats = pass.stats;
        const double seconds = pass.elapsed.count();
        log(Level::info, "Replication run OVER");
        if (state_->emergency) {
            log(Level::warning, "Finished replication pass with handoffs_only and/or "
                                "handoffs_delete enabled");
        }
        log(Level::info, "Attempted to replicate {} dbs in {:.5f} seconds ({:.5f}/s), {} at rest",
            stats.attempted, seconds, static_cast<double>(stats.attempted) / (seconds + 1e-7),
            stats.at_rest);
        log(Level::info, "Removed {} dbs", stats.remove);
        log(Level::info, "{} successes, {} failures", stats.success, stats.failure);
        log(Level::info,
            "diff:{} diff_capped:{} empty:{} hashmatch:{} no_change:{} remote_merge:{} rsync:{} "
            "ts_repl:{}",
            stats.diff, stats.diff_capped, stats.empty, stats.hashmatch, stats.no_change,
            stats.remote_merge, stats.rsync, stats.ts_repl);
        if (pass.partial) {
            return; // figures of a part would look like those of the node (defect 61)
        }
        try {
            update_recon(state_->recon, recon_of(pass));
        } catch (const std::exception& failure) {
            log(Level::error, "Exception dumping recon cache: {}", failure.what());
        }
    }

    void operator()(const event::PushesEnded& pushes) const {
        log(Level::info, "Pushed {} changed dbs: {} successes, {} failures, {} rows",
            pushes.stats.attempted, pushes.stats.success, pushes.stats.failure, pushes.stats.rows);
    }
    void operator()(const event::ChangesUnknown& changes) const {
        log(Level::warning, "{}: what has changed is left to the passes: {}", changes.path,
            changes.reason);
    }
    void operator()(const event::PassFailed& pass) const {
        finish_progress();
        log(Level::error, "ERROR trying to replicate: {}", pass.what);
    }
    void operator()(const event::NoLocalDevices& none) const {
        log(Level::error,
            "Can't find itself {} with port {} in ring file, not replicating; compare bind_ip and "
            "bind_port with the ring",
            none.addresses, none.port);
    }
    void operator()(const event::DeviceSkipped& device) const {
        std::error_code ignored; // a directory that cannot be looked at may be there
        const auto parent = std::filesystem::path(device.path).parent_path();
        const bool stray = !std::filesystem::exists(parent, ignored) && !ignored;
        log(Level::warning, "Skipping: {} {}{}", device.path, device.reason,
            stray ? "; there is no directory " + parent.string() + ": correct the option devices"
                  : "");
    }
    void operator()(const event::DeviceStalled& device) const {
        log(Level::error, "{} has not answered for {:.0f} seconds; the pass goes on without it",
            device.device, device.silent.count());
    }
    void operator()(const event::Braked& device) const {
        log(Level::error, "{}: {}; {}", device.device, device.reason,
            device.names
                ? "compare swift_hash_path_suffix and swift_hash_path_prefix in swift.conf "
                  "with the other nodes"
                : "look at swift.conf, the ring and the clock, or raise leave_share");
    }
    void operator()(const event::ClockJumped& clock) const {
        log(Level::error,
            "The clock has jumped by {:+.0f} seconds against the time that has passed; nothing is "
            "forgotten by it until a peer agrees with it",
            clock.ahead.count());
    }
    void operator()(const event::ClockDiffers& clock) const {
        log(Level::error,
            "The clock is {:+.0f} seconds ahead of that of {}; the earlier of the two counts for "
            "what is forgotten",
            clock.ahead.count(), clock.peer.replication_ip);
    }
    void operator()(const event::DeviceProgress& at) const {
        if (state_->progress) {
            const std::lock_guard guard(state_->mutex);
            state_->progress(fmt::format("\r{}: {}/{} partitions, {} databases", at.device,
                                         at.partitions_done, at.partitions, at.databases));
            state_->shown = true;
        }
    }
    void operator()(const event::ListingFailed& listing) const {
        log(Level::error, "ERROR reading {}: {}", listing.path, listing.what);
    }
    void operator()(const event::OrphanPending& orphan) const {
        log(Level::warning, "{} holds pending rows without a database; it is kept", orphan.path);
    }

    void operator()(const event::DatabaseBegan& database) const {
        state_->statsd.count("attempts");
        log(Level::debug, "Replicating db {}", database.path);
    }
    void operator()(const event::DatabaseEnded& database) const {
        if (!forget_unreadable(database.path)) {
            state_->statsd.timing("timing", database.elapsed);
        }
    }
    void operator()(const event::DatabaseFailed& database) const {
        note_unreadable(database.path);
        log(Level::error, "ERROR reading db {}: {}", database.path, database.what);
    }
    void operator()(const event::Quarantined& database) const {
        note_unreadable(database.path);
        LocalCopyObserver::operator()(database);
    }
    void operator()(const event::WrongHash& database) const {
        note_unreadable(database.path);
        log(Level::error,
            "{} holds {}, and the hash of that name is not the file's: is swift_hash_path_suffix "
            "or "
            "swift_hash_path_prefix wrong? Nothing on its device is removed in this pass",
            database.path, database.name);
    }
    void operator()(const event::Misplaced& database) const {
        log(Level::error,
            "Found {} for {} when it should be on partition {}; will replicate out and remove.",
            database.path, database.name, database.partition);
    }
    void operator()(const event::Reidentified& database) const {
        log(Level::warning, "{} has a new id: {}", database.path, database.reason);
    }
    void operator()(const event::Removed& database) const {
        state_->statsd.count(
            {"removes." + database.device, "removes", {{"device", database.device}}});
        log(Level::debug, "Successfully deleted db {} ({})", database.path, database.reason);
    }
    void operator()(const event::Kept& database) const {
        log(Level::debug, "Not deleting db {} ({})", database.path, database.reason);
    }

    void operator()(const event::InSync& peer) const {
        state_->statsd.count(peer.by_hash ? "hashmatches" : "no_changes");
        log(Level::debug, "{} in sync with {}, nothing to do", peer.path, name_of(peer.peer));
    }
    void operator()(const event::UsyncBegan& rows) const {
        state_->statsd.count("diffs");
        log(Level::debug, "{} usyncing chunks to {}, starting at row {}", rows.path,
            name_of(rows.peer), rows.point);
    }
    void operator()(const event::UsyncEnded& rows) const {
        log(Level::debug, "{} usyncing chunks to {}, finished at row {} ({:g}s)", rows.path,
            name_of(rows.peer), rows.point, rows.elapsed.count());
        if (rows.capped) {
            state_->statsd.count("diff_caps");
            log(Level::debug,
                "Synchronization for {} has fallen more than {} rows behind; moving on and will "
                "try again next pass.",
                rows.path, rows.rows);
        }
    }
    void operator()(const event::Compared& rows) const {
        state_->statsd.count("compares");
        log(Level::debug, "{} compared with {}: {} of {} rows sent ({:g}s)", rows.path,
            name_of(rows.peer), rows.sent, rows.rows, rows.elapsed.count());
    }
    void operator()(const event::WholeFileSent& file) const {
        state_->statsd.count(file.merge ? "remote_merges" : "rsyncs");
        log(Level::debug, "{} sent to {}: {} bytes{}{}", file.path, name_of(file.peer), file.bytes,
            file.merge ? ", merged there" : "", file.snapshot ? ", from a private copy" : "");
    }
    void operator()(const event::Diverged& peer) const {
        log(Level::warning, "{} and {} differ though each claims to have all rows; sending all",
            peer.path, name_of(peer.peer));
    }
    void operator()(const event::Stale& copy) const {
        std::string_view why =
            "longer ago than reclaim_age: live rows from before are held back, for they may have "
            "been deleted since. Set accept_stale to send them, or move the database away to have "
            "it copied from a peer";
        if (copy.alone) {
            why = "longer ago than reclaim_age, and no other primary has a copy: it goes to them "
                  "as it is. If the database was deleted meanwhile, delete it once more";
        } else if (copy.awaits) {
            why = "and differs from one whose last rows have not come for a quarter of "
                  "reclaim_age: nothing is sent again, for they may have been deletions";
        }
        log(Level::error, "{} agreed with a peer last at {}, {}", copy.path, copy.agreed.normal(),
            why);
    }
    void operator()(const event::Deferred& peer) const {
        log(Level::warning, "{} is able to shard -- refusing to replicate objects to peer {}",
            peer.path, name_of(peer.peer));
    }
    void operator()(const event::NoMoreHandoffs& partition) const {
        log(Level::error,
            "ERROR There are not enough handoff nodes to reach replica count for partition {}",
            partition.partition);
    }
    void operator()(const event::PeerNotMounted& peer) const {
        state_->statsd.count("failures");
        log(Level::error, "ERROR Remote drive not mounted {}", name_of(peer.peer));
    }
    void operator()(const event::PeerFailed& peer) const {
        state_->statsd.count("failures");
        const std::string node = name_of(peer.peer);
        switch (static_cast<Error>(peer.code.value())) {
        case Error::stopped:
        case Error::held_back: // its first failure was logged
            log(Level::debug, "{} not replicated to {}: {}", peer.path, node, peer.what);
            return;
        case Error::timed_out:
        case Error::connect_failed:
        case Error::connection_lost:
        case Error::bad_reply:
            log(Level::error, "ERROR reading HTTP response from {}: {}", node, peer.what);
            break;
        case Error::transfer_failed:
            log(Level::error, "ERROR rsync failed with {}", peer.what);
            break;
        case Error::peer_refused:
        case Error::peer_failed:
            log(Level::error, "ERROR Bad response {} from {}", status_in(peer.what), node);
            break;
        default:
            break;
        }
        log(Level::error, "ERROR syncing {} with node {}: {}", peer.path, node, peer.what);
    }
    void operator()(const event::PeerEnded& peer) const {
        if (peer.success) {
            state_->statsd.count("successes");
        }
    }

    void operator()(const event::SyncStoreFailed& link) const {
        log(Level::error, "Failed to update sync_store {}: {}", link.path, link.what);
    }
    void operator()(const event::QueueOpened& queue) const {
        state_->statsd.count(queue.made ? "reconciler_db_created" : "reconciler_db_exists");
    }
    void operator()(const event::RowsQueued& queue) const {
        log(Level::debug, "Adding {} objects to the reconciler at {}", queue.rows, queue.path);
    }
    void operator()(const event::QueueFailed& queue) const {
        log(Level::error, "Failed to get reconciler broker for container {}: {} rows of {}: {}",
            queue.queue, queue.rows, queue.path, queue.what);
    }
    void operator()(const event::NoWeight& queue) const {
        log(Level::warning,
            "Could not find a non-zero weight device for handoff partition {}, falling back device "
            "{}",
            queue.partition, queue.device.device);
    }
    void operator()(const event::QueuesReplicating& queues) const {
        log(Level::info, "Replicating {} reconciler containers", queues.count);
    }
    void operator()(const event::QueuesCleaning& queues) const {
        log(Level::info, "Cleaning up {} reconciler containers", queues.count);
    }
    void operator()(const event::QueuesEnded& /*queues*/) const {
        log(Level::info, "Finished reconciler replication");
    }

    void operator()(const event::WorkersWatched& /*look*/) const {}
    void operator()(const event::Served& /*request*/) const {}
    void operator()(const event::Doubted& /*request*/) const {}

private:
    struct State {
        State(std::string recon_, bool emergency_, Statsd& statsd_, Progress progress_)
            : recon(std::move(recon_)), emergency(emergency_), statsd(statsd_),
              progress(std::move(progress_)) {}

        std::string recon;
        bool emergency; ///< handoffs_only or handoff_delete is set.
        Statsd& statsd;
        Progress progress;
        std::mutex mutex{};
        std::set<std::string> unreadable{}; ///< Databases that are not timed, as in Swift.
        bool shown = false;                 ///< A line of progress needs its line end.
    };

    void note_unreadable(const std::string& path) const {
        state_->statsd.count("failures");
        const std::lock_guard guard(state_->mutex);
        state_->unreadable.insert(path);
    }
    [[nodiscard]] bool forget_unreadable(const std::string& path) const {
        const std::lock_guard guard(state_->mutex);
        return state_->unreadable.erase(path) > 0;
    }

    void finish_progress() const {
        const std::lock_guard guard(state_->mutex);
        if (std::exchange(state_->shown, false)) {
            state_->progress("\n");
        }
    }

    /// The number after "answered", see PeerSession::fault_of (send/session.hpp).
    [[nodiscard]] static std::string_view status_in(std::string_view what) {
        constexpr std::string_view word = " answered ";
        const auto at = what.find(word);
        if (at == what.npos) {
            return "?";
        }
        what.remove_prefix(at + word.size());
        return what.substr(0, what.find(' '));
    }

    std::shared_ptr<State> state_;
};

static_assert(Observer<DaemonObserver>);

} // namespace replica::daemon

#endif // REPLICA_DAEMON_OBSERVER_HPP
