#ifndef REPLICA_TEST_SIM_STOCK_TURN_HPP
#define REPLICA_TEST_SIM_STOCK_TURN_HPP

// One database and one peer by the rules of stock Swift's sender (stock_sender.hpp): ask, choose,
// send rows or the file.

#include <replica/broker.hpp>
#include <replica/error.hpp>
#include <replica/file_sync.hpp>
#include <replica/settings.hpp>
#include <replica/stats.hpp>
#include <replica/storage/place.hpp>
#include <replica/storage/storage.hpp>
#include <replica/transport.hpp>
#include <replica/words/json.hpp>
#include <replica/words/message.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

/// What a stock replicator does that may lose something.
struct StockSenderHooks {
    /// Runs a task that drops old deletions from the database at `path`.
    std::function<void(const std::string& path, const std::function<void()>& task)> reclaim;
    /// Runs a task that removes the database at `path`, while nobody writes to it.
    std::function<void(const std::string& path, const std::function<void()>& task)> remove;
    /// A peer may take the rows of `id` from `first` to `last` for known.
    std::function<void(const std::string& id, std::int64_t first, std::int64_t last)> overstate;
    /// Something that is worth a mark.
    std::function<void(const char*)> mark;
};

/// Lives for one question. Whatever it refers to must outlive it.
template <Broker B, Peer P, FileSync F>
class StockTurn {
public:
    using Kind = typename B::kind_type;
    using Database = typename B::database_type;
    using Info = typename Kind::info_type;

    StockTurn(const Settings& settings, B& broker, P peer, const F& files,
              const StockSenderHooks& hooks, Stats& stats, const std::stop_token& stop,
              const Place& place, Database& database, const Info& info)
        : settings_(settings), broker_(broker), peer_(std::move(peer)), files_(files),
          hooks_(hooks), stats_(stats), stop_(stop), place_(place), database_(database),
          info_(info),
          request_{peer_.device().device, std::to_string(place.partition), place.hash, {}, true} {}

    /// Whether the peer has all (Swift: _repl_to_node and _handle_sync_response). `mounted`: its
    /// device is.
    [[nodiscard]] bool replicate(bool& mounted) {
        try {
            database_.set_deadline(patience());
            const auto reply =
                ask(message::encode(message::Sync{
                        info_.max_row, info_.hash, info_.id, info_.timestamps(), info_.metadata,
                        Kind::sync_arguments(info_, settings_.policies.size())}),
                    settings_.node_timeout);
            if (!reply) {
                ++stats_.failure;
                return false;
            }
            if (reply->status == 404) {
                ++stats_.rsync;
                return send_file<message::CompleteRsync>(settings_.node_timeout);
            }
            mounted = reply->status != 507;
            if (!reply->success()) {
                ++stats_.failure;
                return false;
            }
            database_.set_deadline(patience());
            const auto remote = message::decode_reply<Info>(reply->body);
            if constexpr (ShardedKind<Kind>) {
                Kind::adopt_policy(database_, info_, remote.info, broker_.clock().now());
                if (remote.info.timestamps() != info_.timestamps()) {
                    database_.merge_timestamps(remote.info.timestamps());
                }
                if (remote.info.shard_max_row >= 0) {
                    fetch_shard_ranges();
                }
            }
            const auto known = database_.sync_point(remote.info.id, Direction::outgoing);
            if (!remote.info.metadata.empty()) {
                database_.merge_metadata(remote.info.metadata);
            }
            return choose(remote.info, std::max(remote.point, known), remote.point);
        } catch (const Failure&) {
            ++stats_.failure;
            return false;
        }
    }

private:
    [[nodiscard]] Instant patience() {
        return broker_.clock().monotonic() + to_duration(storage::broker_patience);
    }

    /// None: no answer came.
    [[nodiscard]] std::optional<Reply> ask(std::string body, Seconds timeout) {
        request_.body = std::move(body);
        auto reply =
            peer_.send(request_, broker_.clock().monotonic() + to_duration(timeout), stop_);
        return reply ? std::optional(*reply) : std::nullopt;
    }

    [[nodiscard]] bool succeeds(std::string body) {
        const auto reply = ask(std::move(body), settings_.node_timeout);
        return reply && reply->success();
    }

    void fetch_shard_ranges() {
        const auto reply = ask(message::encode_get_shard_ranges(), settings_.node_timeout);
        if (reply && reply->success()) {
            database_.set_deadline(patience());
            database_.merge_shard_ranges(Kind::decode_shard_ranges(json::parse(reply->body)));
        }
    }

    /// Swift: _choose_replication_mode and _in_sync.
    [[nodiscard]] bool choose(const Info& remote, std::int64_t point, std::int64_t told) {
        bool ranges = true;
        if constexpr (ShardedKind<Kind>) {
            const auto all = database_.shard_ranges();
            ranges = all.empty() || succeeds(message::encode_shard_ranges(all, info_.id));
            if (!Kind::sends_rows(database_.info())) {
                ++stats_.deferred;
                return ranges;
            }
            database_.set_deadline(patience());
        }
        if (point >= info_.max_row) {
            ++stats_.no_change;
            return ranges;
        }
        if (remote.hash == info_.hash) {
            ++stats_.hashmatch;
            note({told, remote.id});
            return ranges;
        }
        if (static_cast<double>(remote.max_row) / static_cast<double>(info_.max_row) < 0.5 &&
            info_.max_row - remote.max_row > settings_.per_diff) {
            ++stats_.remote_merge;
            hooks_.mark("a stock replicator sends a file to merge");
            return send_file<message::RsyncThenMerge>(
                       info_.count > 0 ? Seconds(static_cast<double>(info_.count) / 2000)
                                       : settings_.node_timeout) &&
                   ranges;
        }
        return send_rows(remote.id, point) && ranges;
    }

    void note(const SyncPoint& point) {
        const std::vector<SyncPoint> points{point};
        database_.merge_sync_points(points, Direction::outgoing);
    }

    /// Swift: _usync_db.
    [[nodiscard]] bool send_rows(const std::string& remote, std::int64_t point) {
        ++stats_.diff;
        const message::MergeSyncs table{database_.sync_points(Direction::incoming)};
        auto rows = database_.items_since(point, settings_.per_diff);
        for (std::int64_t diffs = 0; !rows.empty() && diffs < settings_.max_diffs; ++diffs) {
            stats_.rows += std::ssize(rows);
            if (!succeeds(message::encode_rows(rows, info_.id))) {
                ++stats_.failure;
                return false;
            }
            hooks_.mark("a stock replicator sends rows");
            point = rows.back().rowid;
            database_.set_deadline(patience());
            rows = database_.items_since(point, settings_.per_diff);
        }
        if (!rows.empty()) {
            ++stats_.diff_capped;
            return false;
        }
        if (!succeeds(message::encode(table))) {
            ++stats_.failure;
            return false;
        }
        database_.set_deadline(patience());
        note({point, remote});
        return true;
    }

    /// A file by its path.
    struct Path {
        std::string file;
        [[nodiscard]] std::string path() const { return file; }
        void copy_to(const std::string& /*path*/, Instant /*deadline*/) const {}
    };

    /// Swift: _rsync_db.
    template <class Finish>
    [[nodiscard]] bool send_file(Seconds timeout) {
        const auto before = broker_.disk().content(place_.path());
        bool sent = rsync(true);
        const auto after = broker_.disk().content(place_.path());
        const bool changed = !before || !after || before->bytes != after->bytes;
        if (sent && (changed || broker_.disk().stat(place_.path() + "-journal"))) {
            hooks_.mark("a stock replicator sends a file again under its lock");
            database_.set_deadline(patience());
            const auto writers = database_.exclusive(patience());
            sent = rsync(false);
        }
        const auto reply =
            sent ? ask(message::encode_finish(Finish{info_.id, storage::base(place_.path())}),
                       timeout)
                 : std::nullopt;
        if (!reply || !reply->success()) {
            ++stats_.failure;
            return false;
        }
        hooks_.mark("a stock replicator sends a file");
        return true;
    }

    [[nodiscard]] bool rsync(bool whole) {
        Path source{place_.path()};
        Upload upload{peer_.device(), info_.id};
        upload.whole_file = whole;
        const Instant deadline = broker_.clock().monotonic() + to_duration(settings_.node_timeout);
        return static_cast<bool>(files_.send(source, upload, deadline, stop_));
    }

    const Settings& settings_;
    B& broker_;
    P peer_;
    const F& files_;
    const StockSenderHooks& hooks_;
    Stats& stats_;
    const std::stop_token& stop_;
    const Place& place_;
    Database& database_;
    const Info& info_;
    Request request_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_STOCK_TURN_HPP
