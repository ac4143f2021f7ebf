#ifndef REPLICA_RPC_HPP
#define REPLICA_RPC_HPP

// The receiving side. A request names a device, a partition and a hash, and carries one verb of a
// closed table. Nothing of the request is trusted: names are checked before they become paths,
// arguments before they reach a database, files before they get a database's name. A refused
// request has changed nothing.

#include <replica/broker.hpp>
#include <replica/error.hpp>
#include <replica/kind.hpp>
#include <replica/observer.hpp>
#include <replica/receive/admission.hpp>
#include <replica/receive/along.hpp>
#include <replica/receive/answer.hpp>
#include <replica/receive/compare.hpp>
#include <replica/receive/device.hpp>
#include <replica/receive/finish.hpp>
#include <replica/receive/merge.hpp>
#include <replica/receive/put_file.hpp>
#include <replica/receive/summary.hpp>
#include <replica/requirements.hpp>
#include <replica/settings.hpp>
#include <replica/storage/brakes.hpp>
#include <replica/storage/doubts.hpp>
#include <replica/storage/leaving.hpp>
#include <replica/storage/quarantine.hpp>
#include <replica/storage/storage.hpp>
#include <replica/transport.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/merge_items.hpp>
#include <replica/words/random.hpp>
#include <replica/words/seed.hpp>

#include <boost/hana/append.hpp>
#include <boost/hana/concat.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/pair.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// Answers REPLICATE for one kind of database (Swift: ReplicatorRpc). Copies share one state.
/// Thread safety: handle() from any thread.
template <class B, class O = Silent>
class RpcServer {
    static_assert(requirements::broker_policy<B>() && Broker<B>, "Broker: see broker.hpp");
    static_assert(Observer<O>, "Observer: see observer.hpp");

    using kind_type = typename B::kind_type;
    using Database = typename B::database_type;
    using Row = row_type_of<B>;

public:
    /// The same settings as those of the sender on this machine.
    /// `doubts`: those of a replicator in the same process.
    RpcServer(Settings settings, B broker, O observer = {},
              std::shared_ptr<storage::Doubts> doubts = std::make_shared<storage::Doubts>())
        : core_(std::make_shared<Core>(std::move(settings), std::move(broker), std::move(observer),
                                       std::move(doubts))) {}

    /// Answers one request. Never throws.
    /// - 200: sync, with the info; get_shard_ranges, with a list; summary; compare
    /// - 202: merge_items, merge_syncs, merge_shard_ranges, put_file
    /// - 204: complete_rsync, rsync_then_merge, put_file that puts the file in place
    /// - 400: not a valid request; 404: no such database or upload; 413: too many values
    /// - 503: try again: a merge of this database is under way, the copy is about to leave, the
    ///   device is busy, or a lock did not come free
    /// - 507: the device is not mounted or full; 500: anything else, with the reason
    [[nodiscard]] Reply handle(const Request& request) {
        const Instant began = core_->broker.clock().monotonic();
        std::string verb;
        Reply reply;
        try {
            const Place place = locate(request);
            // A disk that hangs must not take all threads of the server, nor all of its memory.
            const auto at_work =
                core_->devices.enter(place.device_name(), core_->settings.receiver_limit,
                                     message::Body::of(request.body).cost());
            reply = at_work ? dispatch(place, request.body, verb)
                            : answer::text(503, place.device_name() + " is busy");
        } catch (const Failure& failure) {
            reply = answer::failure(failure, request.device);
            if (reply.status == 500) {
                core_->observer(event::ServeFailed{request.hash, failure.what(), failure.code()});
            }
        } catch (const std::exception& failure) {
            core_->observer(event::ServeFailed{request.hash, failure.what()});
            reply = answer::text(500, failure.what());
        }
        reply.date = core_->broker.clock().now();
        core_->observer(event::Served{request.device, verb, reply.status,
                                      core_->broker.clock().monotonic() - began});
        return reply;
    }

    /// Before the first request: how `summary` is answered.
    void summarise_by(Summarise summarise) { core_->summarise = std::move(summarise); }

private:
    struct Core {
        Core(Settings settings_, B broker_, O observer_, std::shared_ptr<storage::Doubts> doubts_)
            : settings(with_seed(std::move(settings_))), broker(std::move(broker_)),
              observer(std::move(observer_)), random(settings.seed ^ 0x72706373U),
              doubts(std::move(doubts_)) {}

        Settings settings;
        [[no_unique_address]] B broker;
        [[no_unique_address]] O observer;
        Random random;
        Admission devices{1 << 30}; ///< Requests being served, and their bytes, by device.
        Admission merges;           ///< Merges under way, by hash directory.
        HourlyBrake brake;
        std::shared_ptr<storage::Doubts> doubts;
        Summarise summarise;
    };

    /// The place that a request names. All three names have been checked.
    [[nodiscard]] Place locate(const Request& request) const {
        const auto partition = parse_partition(request.partition, ~std::uint32_t{0});
        if (!is_safe_name(request.device) || !partition || !is_hash(request.hash)) {
            throw Failure(Error::bad_request, "Invalid path: /" + request.device + '/' +
                                                  request.partition + '/' + request.hash);
        }
        return Place::on(storage::device_path(core_->settings.devices, request.device),
                         kind_type::datadir, *partition, request.hash);
    }

    [[nodiscard]] Reply dispatch(const Place& place, const std::string& body, std::string& verb) {
        namespace hana = boost::hana;
        const message::Call call = message::decode_call(body);
        verb = call.verb;
        const auto verbs = hana::make_tuple(
            hana::make_pair(hana::type_c<message::Sync>, &RpcServer::sync),
            hana::make_pair(hana::type_c<message::MergeItems<Row>>, &RpcServer::merge_items),
            hana::make_pair(hana::type_c<message::MergeSyncs>, &RpcServer::merge_syncs),
            hana::make_pair(hana::type_c<message::PutFile>, &RpcServer::put_file),
            hana::make_pair(hana::type_c<message::AskSummary>, &RpcServer::summary),
            hana::make_pair(hana::type_c<message::CompleteRsync>,
                            &RpcServer::template finish<message::CompleteRsync>),
            hana::make_pair(hana::type_c<message::RsyncThenMerge>,
                            &RpcServer::template finish<message::RsyncThenMerge>));
        Reply (RpcServer::*handler)(const Place&, const message::Call&) = nullptr;
        hana::for_each(hana::concat(verbs, optional_verbs()), [&](const auto& pair) {
            using Verb = typename std::decay_t<decltype(hana::first(pair))>::type;
            if (call.verb == Verb::verb) {
                handler = hana::second(pair);
            }
        });
        if (handler == nullptr) {
            throw Failure(Error::bad_request, "unknown operation '" + call.verb + '\'');
        }
        if (auto refusal = refusal_of_device(core_->broker.disk(), core_->settings, place)) {
            return *std::move(refusal);
        }
        const bool finishes = call.verb == message::CompleteRsync::verb ||
                              call.verb == message::RsyncThenMerge::verb || message::finishes(call);
        const bool uploads = finishes || call.verb == message::PutFile::verb;
        for (int attempt = 1;; ++attempt) {
            try {
                Reply reply = (this->*handler)(place, call);
                core_->doubts->settle(core_->broker.disk(), place.directory); // whatever it saw
                return reply;
            } catch (const Failure& failure) {
                core_->doubts->note(failure, place.directory);
                if (!uploads && failure.code() == Condition::quarantine &&
                    put_away(place, failure)) {
                    return answer::not_found(); // so its sender brings a new one
                }
                // A stock server has replaced the file, with what was just written to it. Again, on
                // the new file. Not so a finish: its upload is claimed, and must be sent again.
                if (failure.error() != Error::moved || finishes || attempt == 3) {
                    throw;
                }
            }
        }
    }

    /// The verbs that only containers have, and that of databases that can be compared.
    [[nodiscard]] static constexpr auto optional_verbs() {
        namespace hana = boost::hana;
        const auto shards = [] {
            if constexpr (ShardedKind<kind_type>) {
                return hana::make_tuple(hana::make_pair(hana::type_c<message::MergeShardRanges>,
                                                        &RpcServer::merge_shard_ranges),
                                        hana::make_pair(hana::type_c<message::GetShardRanges>,
                                                        &RpcServer::get_shard_ranges));
            } else {
                return hana::make_tuple();
            }
        }();
        if constexpr (ComparableDatabase<Database>) {
            return hana::append(
                shards, hana::make_pair(hana::type_c<message::Compare>, &RpcServer::compare));
        } else {
            return shards;
        }
    }

    [[nodiscard]] Instant patience() const {
        return core_->broker.clock().monotonic() + to_duration(Seconds(25));
    }

    /// Deletions from before this time may have been reclaimed here.
    [[nodiscard]] Timestamp reclaim_limit(int ages = 1) const {
        return core_->broker.clock().now().plus(-ages * core_->settings.reclaim_age);
    }

    /// The database of a place with its pending rows committed, or nothing.
    [[nodiscard]] std::optional<std::pair<std::string, Database>> open(const Place& place) {
        auto& broker = core_->broker;
        try {
            const auto path = storage::find_database(broker.disk(), place.directory);
            if (path) {
                std::pair result(*path, broker.open(*path, patience()));
                storage::flush_pending(broker, result.second, *path, patience());
                return result;
            }
        } catch (const Failure& failure) {
            if (failure.error() != Error::missing) {
                throw;
            }
        }
        return std::nullopt;
    }

    /// Puts the database of a place into quarantine, unless a brake is on (storage/brakes.hpp).
    [[nodiscard]] bool put_away(const Place& place, const Failure& failure) {
        auto& broker = core_->broker;
        const auto path = storage::find_database(broker.disk(), place.directory);
        if (!path || !core_->brake.may_quarantine(broker, core_->observer, place.device)) {
            return false;
        }
        const auto target =
            storage::quarantine(broker, *path, place.device, core_->random, patience());
        if (!target) {
            core_->brake.refund_quarantine(broker, core_->observer, place.device);
            throw Failure(Error::locked, std::string(failure.what()) + "; not at a second look");
        }
        core_->observer(event::Quarantined{*path, *target, failure.what()});
        return true;
    }

    /// Compares the two replicas, and takes over the sender's metadata, times and point (Swift:
    /// ReplicatorRpc.sync). The answer is our info before the sender's times and metadata were
    /// merged, but after a change of policy.
    Reply sync(const Place& place, const message::Call& call) {
        const message::Sync remote = message::decode_sync(call);
        const bool asks = message::asks_along(call);
        const auto along = asks ? message::decode_along<Row>(call, remote.id) : std::nullopt;
        auto& broker = core_->broker;
        broker.disk().make_directories(place.tmp()); // Stock rsync needs it.
        if (storage::is_leaving(broker.disk(), place.directory)) {
            return answer::text(503, "this copy is about to leave " + place.device_name());
        }
        auto opened = open(place);
        if (!opened) {
            return answer::not_found();
        }
        auto& [path, database] = *opened;
        auto info = database.info();
        if (kind_type::adopt_arguments(database, info, remote, broker.clock().now())) {
            info = database.info();
        }
        if (!remote.metadata.empty() && remote.metadata != info.metadata) {
            merge_metadata(database, path, remote.metadata, reclaim_limit(), core_->observer);
        }
        if (remote.times != info.timestamps()) {
            database.merge_timestamps(remote.times);
        }
        std::int64_t point = database.sync_point(remote.id, Direction::incoming);
        const bool counts_agree = !remote.policy || remote.policy->count == info.count;
        if (is_hash(remote.hash) && remote.hash == info.hash && counts_agree &&
            point < remote.max_row) {
            point = remote.max_row;
            database.merge_sync_points(std::vector{SyncPoint{point, remote.id}},
                                       Direction::incoming);
        }
        std::string body = message::encode_reply(info, point);
        if (asks) {
            const auto merged = merge_along<kind_type>(database, info, path, along, remote.id,
                                                       point, reclaim_limit(), core_->observer);
            body = message::with_merged(std::move(body), merged);
        }
        return {200, answer::html_type, std::move(body), {}};
    }

    Reply merge_items(const Place& place, const message::Call& call) {
        const auto items = message::decode_merge_items<Row>(call);
        auto opened = open(place);
        if (!opened) {
            return answer::not_found();
        }
        return merge_rows(opened->second, opened->first, items, reclaim_limit(), core_->observer)
                   ? answer::accepted()
                   : answer::replaced();
    }

    Reply merge_syncs(const Place& place, const message::Call& call) {
        const auto syncs = message::decode_merge_syncs(call);
        auto opened = open(place);
        if (!opened) {
            return answer::not_found();
        }
        return merge_points(opened->second, syncs) ? answer::accepted() : answer::replaced();
    }

    Reply compare(const Place& place, const message::Call& call)
        requires ComparableDatabase<Database>
    {
        const auto ask = message::decode_compare(call);
        auto opened = open(place);
        if (!opened) {
            return answer::not_found();
        }
        return answer_compare(opened->second, opened->first, ask, core_->observer);
    }

    Reply merge_shard_ranges(const Place& place, const message::Call& call) {
        message::require_count(call, 1, 2);
        const auto ranges = kind_type::decode_shard_ranges(call.arguments[0]);
        auto opened = open(place);
        if (!opened) {
            return answer::not_found();
        }
        opened->second.merge_shard_ranges(ranges, reclaim_limit(2));
        return answer::accepted();
    }

    Reply get_shard_ranges(const Place& place, const message::Call& call) {
        message::require_count(call, 0, 0);
        auto opened = open(place);
        if (!opened) {
            return answer::not_found();
        }
        std::string body;
        json::append(body, opened->second.shard_ranges());
        return {200, "application/json", std::move(body), {}};
    }

    Reply summary(const Place& place, const message::Call& call) {
        return answer_summary(call, place.device_name(), core_->summarise);
    }

    /// The answer is how many bytes of the file are here, or that of the finish.
    Reply put_file(const Place& place, const message::Call& call) {
        const auto put = message::decode_put_file(call, place.hash);
        auto& disk = core_->broker.disk();
        if (storage::lacks_room(disk, place.device, core_->settings.fallocate_reserve,
                                put.size - put.offset)) {
            return answer::failure({Error::no_space, "no room for " + put.upload},
                                   place.device_name()); // and nothing is in doubt
        }
        const auto have = put_piece(disk, place.tmp(), put, call.bytes, core_->random);
        return have == put.size && !put.file.empty()
                   ? put_in_place(place, put.upload, put.file, false)
                   : answer::text(202, std::to_string(have));
    }

    /// complete_rsync and rsync_then_merge.
    template <class Verb>
    Reply finish(const Place& place, const message::Call& call) {
        const auto verb = message::decode_finish<Verb>(call, place.hash);
        return put_in_place(place, verb.upload, verb.file,
                            Verb::verb == message::RsyncThenMerge::verb);
    }

    Reply put_in_place(const Place& place, const std::string& upload, const std::string& file,
                       bool merge) {
        const auto merging = core_->merges.enter(place.directory, 1); // (defect 6)
        if (!merging) {
            return answer::text(503, "a merge of this database is under way");
        }
        Place target = place;
        target.file = file;
        const auto& settings = core_->settings;
        storage::Doubts::Change change(*core_->doubts, place.directory);
        const bool found = finish_upload(
            core_->broker, target, upload, {settings.hash_path_prefix, settings.hash_path_suffix},
            core_->random, merge, core_->observer, {storage::remains_by(settings)});
        change.end();
        return found ? Reply{204, answer::html_type, {}, {}} : answer::not_found();
    }

    std::shared_ptr<Core> core_;
};

} // namespace replica

#endif // REPLICA_RPC_HPP
