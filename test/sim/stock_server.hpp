#ifndef REPLICA_TEST_SIM_STOCK_SERVER_HPP
#define REPLICA_TEST_SIM_STOCK_SERVER_HPP

// A server that answers by the rules of stock Swift 2.30.1 (ReplicatorRpc), on the disk of a
// simulated machine. It has none of our safety: uploads are not checked, a file is put in place of
// rows that came after the last read (defects 5, 8 and 15), a merge may be begun twice (6), rows of
// a batch are not tied to a file (14), a copy that is about to leave vouches for others (70).
//
// Not played: the order in which stock merges rows (rows come from our broker), and a journal that
// is played back into another file (7), which nobody could tell from damage. So the file is put in
// place while nobody writes to the old one.

#include "fibers.hpp"
#include <replica/broker.hpp>
#include <replica/error.hpp>
#include <replica/receive/answer.hpp>
#include <replica/settings.hpp>
#include <replica/storage/storage.hpp>
#include <replica/transport.hpp>
#include <replica/words/compare.hpp>
#include <replica/words/merge_items.hpp>
#include <replica/words/message.hpp>
#include <replica/words/notes.hpp>
#include <replica/words/put_file.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace replica::test {

/// Copies share nothing but the disk. `O` hears of what was served.
template <Broker B, Observer O>
class StockServer {
public:
    using Row = row_type_of<B>;
    using Database = typename B::database_type;

    /// Called when the file `old` has just been replaced by the one at `path`, before it goes.
    using Replaced = std::function<void(const std::string& old, const std::string& path)>;

    /// Called when points of `id` from `first` to `last` may speak of rows that are not there.
    using Overstated =
        std::function<void(const std::string& id, std::int64_t first, std::int64_t last)>;

    /// `fussy`: refuses arguments of `sync` that it does not know, as a Swift before 2.0.
    StockServer(Settings settings, B broker, O observer, Fibers& fibers, bool fussy,
                Replaced replaced, Overstated overstated)
        : settings_(std::move(settings)), broker_(std::move(broker)),
          observer_(std::move(observer)), fibers_(&fibers), fussy_(fussy),
          replaced_(std::move(replaced)), overstated_(std::move(overstated)) {}

    [[nodiscard]] Reply handle(const Request& request) {
        const Instant began = broker_.clock().monotonic();
        std::string verb;
        Reply reply;
        try {
            reply = dispatch(request, verb);
        } catch (const Failure& failure) {
            const std::string what = failure.what();
            observer_(event::ServeFailed{request.hash, what});
            reply = answer::text(500, what);
        }
        reply.date = broker_.clock().now();
        verb = "stock " + verb;
        observer_(
            event::Served{request.device, verb, reply.status, broker_.clock().monotonic() - began});
        return reply;
    }

private:
    [[nodiscard]] Instant patience() {
        return broker_.clock().monotonic() + to_duration(storage::broker_patience);
    }

    [[nodiscard]] Reply dispatch(const Request& request, std::string& verb) {
        const message::Call call = message::decode_call(request.body);
        verb = call.verb;
        if (verb == message::PutFile::verb || verb == message::Compare::verb) {
            throw std::logic_error("a stock server was sent " + verb);
        }
        const std::string device = storage::device_path(settings_.devices, request.device);
        Place place = Place::on(device, B::kind_type::datadir,
                                parse_partition(request.partition, 1U << 31).value(), request.hash);
        place.file = request.hash + ".db";
        if (!broker_.disk().is_mount(device)) {
            return answer::no_storage(device, request.device + " is not mounted");
        }
        if (verb == message::RsyncThenMerge::verb) {
            return rsync_then_merge(
                place, message::decode_finish<message::RsyncThenMerge>(call, place.hash).upload);
        }
        if (verb == message::CompleteRsync::verb) {
            return complete_rsync(
                place, message::decode_finish<message::CompleteRsync>(call, place.hash).upload);
        }
        broker_.disk().make_directories(place.tmp());
        if (!broker_.disk().stat(place.path())) {
            return answer::not_found();
        }
        Database database = broker_.open(place.path(), patience());
        return answer(database, call);
    }

    [[nodiscard]] Reply answer(Database& database, const message::Call& call) {
        if (call.verb == message::Sync::verb) {
            const bool policies =
                B::kind_type::sync_arguments(database.info(), settings_.policies.size())
                    .has_value();
            if (fussy_ && call.arguments.size() > (policies ? 10U : 7U)) {
                return answer::text(500, "too many arguments");
            }
            return sync(database, message::decode_sync(call));
        }
        if (call.verb == message::MergeItems<Row>::verb) {
            const auto items = message::decode_merge_items<Row>(call);
            database.merge_items(items.rows, items.source);
            return answer::accepted();
        }
        if (call.verb == message::MergeSyncs::verb) {
            database.merge_sync_points(message::decode_merge_syncs(call).points,
                                       Direction::incoming);
            return answer::accepted();
        }
        if constexpr (ShardedKind<typename B::kind_type>) {
            if (call.verb == message::MergeShardRanges::verb) {
                database.merge_shard_ranges(B::kind_type::decode_shard_ranges(call.arguments[0]));
                return answer::accepted();
            }
            if (call.verb == message::GetShardRanges::verb) {
                std::string body;
                json::append(body, database.shard_ranges());
                return {200, "application/json", std::move(body), {}};
            }
        }
        return answer::text(500, "no such operation");
    }

    [[nodiscard]] Reply sync(Database& database, const message::Sync& remote) {
        storage::flush_pending(broker_, database, database.path(), patience());
        auto info = database.info();
        if (B::kind_type::adopt_arguments(database, info, remote, broker_.clock().now())) {
            info = database.info();
        }
        if (!remote.metadata.empty()) {
            database.merge_metadata(remote.metadata);
        }
        if (remote.times != info.timestamps()) {
            database.merge_timestamps(remote.times);
        }
        std::int64_t point = database.sync_point(remote.id, Direction::incoming);
        if (remote.hash == info.hash && point < remote.max_row) {
            const std::vector<SyncPoint> reached{{remote.max_row, remote.id}};
            database.merge_sync_points(reached, Direction::incoming);
            point = remote.max_row;
        }
        return answer::text(200, message::encode_reply(info, point));
    }

    [[nodiscard]] Reply complete_rsync(const Place& place, const std::string& name) {
        const std::string upload = place.tmp() + '/' + name;
        if (broker_.disk().stat(place.path()) || !broker_.disk().stat(upload)) {
            return answer::not_found();
        }
        {
            Database fresh = broker_.open(upload, patience());
            give_new_id(fresh, name);
        }
        put_in_place(upload, place);
        return done();
    }

    [[nodiscard]] Reply rsync_then_merge(const Place& place, const std::string& name) {
        const std::string upload = place.tmp() + '/' + name;
        if (!broker_.disk().stat(place.path()) || !broker_.disk().stat(upload)) {
            return answer::not_found();
        }
        try {
            merge(place, upload, name);
        } catch (const Failure& failure) {
            const bool moved = failure.error() == Error::moved &&
                               std::string_view(failure.what()).starts_with(upload);
            if (!moved || !broker_.disk().stat(upload)) {
                throw;
            }
            // Swift merges into the file that has no name any more, and goes on with the new one.
            static_cast<void>(broker_.open(upload, patience())); // a part of a file is damage
            observer_(event::ServeFailed{place.hash, "puts a second upload in place unmerged"});
            overstated_(name, -1, std::numeric_limits<std::int64_t>::max());
        }
        put_in_place(upload, place);
        return done();
    }

    void merge(const Place& place, const std::string& upload, const std::string& name) {
        Database fresh = broker_.open(upload, patience());
        Database existing = broker_.open(place.path(), patience());
        const std::int64_t sent = fresh.info().max_row;
        std::int64_t point = -1;
        for (auto rows = existing.items_since(point, 1000); !rows.empty();
             rows = existing.items_since(point, 1000)) {
            fresh.merge_items(rows, {});
            point = rows.back().rowid;
        }
        fresh.merge_sync_points(existing.sync_points(Direction::incoming), Direction::incoming);
        B::kind_type::merge_more(existing, fresh);
        const std::int64_t noted = give_new_id(fresh, name);
        if (noted > sent) {
            overstated_(name, sent + 1, noted);
        }
    }

    /// The point of the name is the highest ROWID that is left (Swift: newid). Notes go on.
    std::int64_t give_new_id(Database& fresh, const std::string& name) {
        const auto noted = fresh.sync_point(notes::agreed(), Direction::outgoing);
        fresh.adopt(name);
        fresh.set_sync_point({noted, notes::agreed()}, Direction::outgoing);
        const auto rows = fresh.items_since(-1, std::numeric_limits<std::int64_t>::max());
        const std::int64_t last = rows.empty() ? -1 : rows.back().rowid;
        fresh.set_sync_point({last, name}, Direction::incoming);
        return last;
    }

    /// Swift: renamer. Whatever is at the place by now is replaced, and told.
    void put_in_place(const std::string& upload, const Place& place) {
        auto& disk = broker_.disk();
        const std::string path = place.path();
        storage::make_durable_directories(disk, place.device, place.directory);
        if (!rename_new(upload, path)) {
            Database existing = broker_.open(path, patience());
            const auto guard = existing.exclusive(patience());
            fibers_->alone([&] {
                disk.exchange(upload, path);
                replaced_(upload, path);
            });
        }
        disk.sync(place.directory);
        disk.remove(upload);
    }

    [[nodiscard]] bool rename_new(const std::string& upload, const std::string& path) {
        bool renamed = false;
        fibers_->alone([&] {
            if (!broker_.disk().stat(path)) {
                broker_.disk().remove(path + "-journal");
                renamed = broker_.disk().rename_new(upload, path);
            }
        });
        return renamed;
    }

    [[nodiscard]] static Reply done() {
        Reply reply;
        reply.status = 204;
        reply.content_type = answer::html_type;
        return reply;
    }

    Settings settings_;
    B broker_;
    O observer_;
    Fibers* fibers_;
    bool fussy_;
    Replaced replaced_;
    Overstated overstated_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_STOCK_SERVER_HPP
