#ifndef REPLICA_TEST_SIM_STOCK_SENDER_HPP
#define REPLICA_TEST_SIM_STOCK_SENDER_HPP

// A replicator that goes by the rules of stock Swift 2.30.1 (Replicator, ContainerReplicator), on
// the disk of a simulated machine. It has none of our safety: the info is not of one moment (defect
// 9), points are believed (10), a copy is removed whatever waits in its pending file (2), an
// expired one without asking (71), old deletions go first of all (20), all merges of a file have
// one name (6), and rsync runs under the write lock (33).
//
// Not played: several databases at a time, and a transfer whose second part fails and is completed
// all the same (16). A file's time of change has no steps here, so no change goes unnoticed.
// Writers wait until a copy is removed, since a row that is committed into a file without a name
// could not be told from one that our broker has lost.

#include "stock_turn.hpp"
#include <replica/broker.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/file_sync.hpp>
#include <replica/observer.hpp>
#include <replica/ring.hpp>
#include <replica/send/decide.hpp>
#include <replica/settings.hpp>
#include <replica/stats.hpp>
#include <replica/storage/storage.hpp>
#include <replica/transport.hpp>
#include <replica/words/random.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

template <Broker B, Ring R, Transport T, FileSync F>
class StockSender {
public:
    using Kind = typename B::kind_type;
    using Database = typename B::database_type;
    using Info = typename Kind::info_type;

    StockSender(Settings settings, B broker, R ring, T transport, F files, std::string ip,
                StockSenderHooks hooks)
        : settings_(std::move(settings)), broker_(std::move(broker)), ring_(std::move(ring)),
          transport_(std::move(transport)), files_(std::move(files)), ip_(std::move(ip)),
          hooks_(std::move(hooks)), random_(settings_.seed + 1) {}

    void run_forever(const std::stop_token& stop) {
        stop_ = stop;
        wait(Seconds(random_.fraction() * settings_.interval.count()));
        while (!stop_.stop_requested()) {
            const Instant began = broker_.clock().monotonic();
            static_cast<void>(run_once(stop));
            const Seconds elapsed(broker_.clock().monotonic() - began);
            wait(settings_.interval - elapsed);
        }
    }

    [[nodiscard]] Stats run_once(const std::stop_token& stop = {}) {
        stop_ = stop;
        stats_ = Stats{};
        const auto devices = ring_.version().devices();
        for (const Device& device : devices) {
            const std::string path = storage::device_path(settings_.devices, device.device);
            if (device.replication_ip != ip_) {
                continue;
            }
            if (!broker_.disk().is_mount(path)) {
                ++stats_.failure;
                continue;
            }
            try {
                unlink_old(path + "/tmp");
                walk(path, device);
            } catch (const Failure&) {
                ++stats_.failure; // Swift: the pass ends with an exception
            }
        }
        return stats_;
    }

private:
    void wait(Seconds time) {
        if (time > Seconds(0)) {
            static_cast<void>(broker_.clock().sleep_until(
                broker_.clock().monotonic() + to_duration(time), stop_));
        }
    }

    [[nodiscard]] Instant patience() {
        return broker_.clock().monotonic() + to_duration(storage::broker_patience);
    }

    void unlink_old(const std::string& tmp) {
        auto& disk = broker_.disk();
        if (!disk.stat(tmp)) {
            return;
        }
        const std::int64_t limit =
            broker_.clock().now().plus(-settings_.reclaim_age).ticks * (1'000'000'000 / ticks);
        for (const Entry& entry : disk.list(tmp)) {
            const auto status = disk.stat(tmp + '/' + entry.name);
            if (status && !status->directory && status->modified_ns < limit) {
                disk.remove(tmp + '/' + entry.name);
            }
        }
    }

    [[nodiscard]] std::vector<std::string> directories(const std::string& path) {
        std::vector<std::string> names;
        const auto entries = broker_.disk().list(path);
        for (const Entry& entry : entries) {
            if (entry.directory) {
                names.push_back(path + '/' + entry.name);
            }
        }
        return names;
    }

    /// Swift: roundrobin_datadirs.
    void walk(const std::string& device_path, const Device& device) {
        auto& disk = broker_.disk();
        const std::string root = device_path + '/' + std::string(Kind::datadir);
        if (!disk.stat(root)) {
            return;
        }
        auto partitions = directories(root);
        random_.shuffle(partitions);
        for (const std::string& partition : partitions) {
            const auto suffixes = directories(partition);
            for (const std::string& suffix : suffixes) {
                const auto hashes = directories(suffix);
                for (const std::string& directory : hashes) {
                    if (stop_.stop_requested()) {
                        return;
                    }
                    const std::string hash = storage::base(directory);
                    Place place = Place::of(directory + '/' + hash + ".db", Kind::datadir);
                    if (disk.stat(place.path())) {
                        replicate(place, device);
                    } else {
                        disk.remove_empty(directory);
                    }
                }
                if (hashes.empty()) {
                    disk.remove_empty(suffix);
                }
            }
            if (suffixes.empty()) {
                disk.remove_empty(partition);
            }
        }
    }

    /// Swift: _replicate_object, which lets nothing out but what ends the process.
    void replicate(const Place& place, const Device& local) {
        ++stats_.attempted;
        const Timestamp now = broker_.clock().now();
        std::optional<Database> database;
        Info info;
        try {
            database.emplace(broker_.open(place.path(), patience()));
            reclaim(*database, now);
            info = read_info(*database);
        } catch (const Failure&) {
            ++stats_.failure;
            return;
        }
        try {
            if (is_reclaimable(info, now)) {
                if (Kind::reported(info)) {
                    hooks_.mark("a stock replicator removes what is expired");
                    remove(place, *database);
                }
                return;
            }
            replicate_to_nodes(place, local, *database, info);
        } catch (const Failure&) {
            ++stats_.failure;
        }
    }

    void replicate_to_nodes(const Place& place, const Device& local, Database& database,
                            const Info& info) {
        const auto ring = ring_.version();
        const auto nodes = ring.primaries(place.partition);
        const auto own = std::ranges::find(nodes, local.id, &Device::id);
        std::vector<Device> peers = nodes;
        if (nodes.size() > 1) { // Swift's footnote 1: each asks the next one first
            peers.assign(own == nodes.end() ? own : std::next(own), nodes.end());
            peers.insert(peers.end(), nodes.begin(), own);
        }
        auto more = ring.handoffs(place.partition);
        std::int64_t done = 0;
        for (std::size_t at = 0; at < peers.size(); ++at) {
            bool mounted = true;
            StockTurn turn(settings_, broker_, transport_.peer(peers[at]), files_, hooks_, stats_,
                           stop_, place, database, info);
            const bool success = turn.replicate(mounted);
            if (!mounted) {
                if (const auto stand_in = more.next()) {
                    hooks_.mark("a stock replicator turns to a handoff");
                    peers.push_back(*stand_in);
                }
            }
            done += success ? 1 : 0;
            stats_.success += success ? 1 : 0;
        }
        if (own == nodes.end()) {
            cleanup(place, database, info, done, std::ssize(peers));
        }
    }

    /// Swift: cleanup_post_replicate.
    void cleanup(const Place& place, Database& database, const Info& info, std::int64_t done,
                 std::int64_t asked) {
        if (!Kind::may_remove(database.info()) || database.info().max_row != info.max_row) {
            return;
        }
        const bool all = asked > 0 && done == asked;
        if (settings_.handoff_delete > 0 ? done >= settings_.handoff_delete : all) {
            hooks_.mark("a stock replicator removes a handoff");
            remove(place, database);
        }
    }

    /// Swift: delete_db. Whatever is in the directory goes.
    void remove(const Place& place, Database& database) {
        auto& disk = broker_.disk();
        {
            const auto lock =
                storage::lock_directory(disk, broker_.clock(), place.directory, patience());
            const auto writers = database.exclusive(patience());
            hooks_.remove(place.path(), [&] { disk.remove_tree(place.directory); });
        }
        ++stats_.remove;
        const std::string suffix = storage::parent(place.directory);
        if (disk.remove_empty(suffix)) {
            disk.remove_empty(storage::parent(suffix));
        }
    }

    void reclaim(Database& database, Timestamp now) {
        storage::flush_pending(broker_, database, database.path(), patience());
        const Info info = database.info();
        hooks_.reclaim(database.path(), [&] {
            static_cast<void>(database.reclaim(info, now.plus(-settings_.reclaim_age),
                                               now.plus(-2 * settings_.reclaim_age)));
        });
    }

    /// Swift: get_replication_info, in three statements.
    [[nodiscard]] Info read_info(Database& database) {
        Info info = database.info();
        const Info later = database.info();
        if (later.max_row > info.max_row) {
            hooks_.mark("a stock replicator reads an info of two moments");
            hooks_.overstate(info.id, info.max_row + 1, later.max_row);
        }
        info.metadata = later.metadata;
        info.max_row = later.max_row;
        return info;
    }

    [[nodiscard]] bool is_reclaimable(const Info& info, Timestamp now) const {
        return decide::is_expired(info.count, info.put_timestamp, info.delete_timestamp, now,
                                  settings_.reclaim_age) &&
               Kind::may_expire(info);
    }

    static constexpr std::int64_t ticks = Timestamp::ticks_per_second;

    Settings settings_;
    B broker_;
    R ring_;
    T transport_;
    F files_;
    std::string ip_;
    StockSenderHooks hooks_;
    Random random_;
    std::stop_token stop_{};
    Stats stats_{};
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_STOCK_SENDER_HPP
