#ifndef REPLICA_SEND_FORESEE_HPP
#define REPLICA_SEND_FORESEE_HPP

// What would a pass do with a database, and why? The peers are asked in the order of a pass, each
// with a question that gives it nothing to merge, and every answer is judged by the functions that
// a pass decides with. Nothing is changed here. A peer commits its own pending rows and makes its
// device's tmp directory, as at every request.
//
// Answers are judged in send/judge.hpp. The order here is that of replicate_open
// (send/replicate.hpp): whoever changes the one changes the other. test/unit/tool/plan.cpp compares
// what is foreseen with what passes then do.
//
// Not foreseen is what only doing it can tell: a peer that takes rows badly, a file that changes
// meanwhile, a stored hash that is not that of the rows, how many rows a comparison finds. Rows in
// `<file>.pending` are committed first by a pass; here the file counts as having one more row,
// whose contents nobody knows.

#include <replica/broker.hpp>
#include <replica/error.hpp>
#include <replica/ring.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/foresight.hpp>
#include <replica/send/judge.hpp>
#include <replica/send/refusal.hpp>
#include <replica/settings.hpp>
#include <replica/storage/storage.hpp>
#include <replica/transport.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/message.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// Looks ahead, one database after the other. `broker`, `ring` and `transport` must outlive it; the
/// broker should change nothing. Not thread safe.
template <Broker B, RingVersion R, Transport T>
class Foreseer {
    using Kind = typename B::kind_type;
    using I = info_type_of<B>;
    using Seen = PeerForesight<I>;

public:
    Foreseer(const Settings& settings, B& broker, const R& ring, T& transport,
             std::stop_token stop = {})
        : settings_(&settings), broker_(&broker), ring_(&ring), transport_(&transport),
          stop_(std::move(stop)) {}

    /// The database at `path` on the device `local` of this node; nothing: on a device that no pass
    /// comes to. `may_leave` is asked whether the brakes let one more database leave. Throws
    /// Failure if the file is no database, or lies in no device's tree.
    template <std::predicate MayLeave>
    [[nodiscard]] Foresight<I> look(const std::string& path, const std::optional<Device>& local,
                                    MayLeave may_leave) {
        Foresight<I> found{Place::of(path, Kind::datadir)};
        auto database = broker_->open(path, after(Seconds(25)));
        found.info = database.info();
        found.pending = storage::has_pending(broker_->disk(), path);
        found.partition = ring_->partition(found.place.hash);
        found.stats.attempted = 1;
        const HashPath hash_path{settings_->hash_path_prefix, settings_->hash_path_suffix};
        if (std::string hash = hash_path(found.info.name()); hash != found.place.hash) {
            found.named = std::move(hash);
            found.end = End::failed;
            found.why = "its name hashes to " + found.named +
                        ": a wrong prefix or suffix in swift.conf, or a file that was put here by "
                        "hand";
            found.stats.failure = 1;
            return found;
        }
        const auto primaries = ring_->primaries(found.partition);
        found.belongs = !found.misplaced() && local && decide::is_primary(primaries, local->id);
        Judge<B> turn(*settings_, database, found, local, broker_->clock().now());
        turn.expiring = is_expired(found.info, turn.now) && Kind::may_expire(found.info);
        if (!found.belongs && !turn.expiring && !may_leave()) {
            keep(found, "too many are leaving its device");
            return found;
        }
        ask_peers(turn, primaries);
        judge_stale_again(turn);
        end(turn, primaries.size(), may_leave);
        return found;
    }

private:
    [[nodiscard]] Instant after(Seconds seconds) {
        return broker_->clock().monotonic() + to_duration(seconds);
    }

    [[nodiscard]] bool is_expired(const I& info, Timestamp now) const {
        return decide::is_expired(Kind::live_rows(info), info.put_timestamp, info.delete_timestamp,
                                  now, settings_->reclaim_age);
    }

    static void keep(Foresight<I>& found, std::string why, bool counted = true) {
        found.end = End::kept;
        found.why = std::move(why);
        found.stats.kept += counted ? 1 : 0;
    }

    /// As replicate_to_peers: each primary whose device is out of use has one handoff asked too.
    void ask_peers(Judge<B>& turn, const std::vector<Device>& primaries) {
        Foresight<I>& found = turn.found;
        const std::int64_t own = turn.local ? turn.local->id : -1;
        auto peers = decide::peer_order(primaries, found.belongs ? own : -1);
        auto handoffs = ring_->handoffs(found.partition);
        bool spare = true;
        for (std::size_t i = 0; i < peers.size() && !stop_.stop_requested(); ++i) {
            found.peers.push_back({peers[i]});
            ask(turn, found.peers.back());
            if (found.peers.back().deed == Deed::stand_in && spare) {
                const auto next = handoffs.next();
                spare = next && next->id != own;
                if (spare) {
                    peers.push_back(*next);
                }
            }
        }
    }

    void ask(Judge<B>& turn, Seen& seen) {
        const Device device = seen.peer;
        Request request{
            device.device, std::to_string(turn.found.partition), turn.found.place.hash, {}, true};
        request.body = message::encode(message::Sync::point_query(turn.found.info.id));
        auto peer = transport_->peer(device);
        const Instant deadline = after(settings_->node_timeout);
        const Result<Reply> reply = peer.send(request, deadline, stop_);
        if (!reply) {
            return turn.fail(seen, "no answer: " + reply.error().what);
        }
        if (reply->date) {
            const Seconds ahead(broker_->clock().now().seconds() - reply->date->seconds());
            turn.ahead = std::max(turn.ahead, ahead);
            turn.behind = std::max(turn.behind, -ahead);
        }
        if (reply->status == 404) {
            seen.said = "has no copy";
            return turn.bring_back(seen);
        }
        if (!reply->success()) {
            turn.fail(seen, "answered " + std::to_string(reply->status) + ' ' + reply->reason);
            if (reply->status == 507 &&
                refusal_of(peer, *reply, deadline, stop_) == Error::not_mounted) {
                seen.deed = Deed::stand_in;
                seen.why = "one handoff is asked in its place";
            }
            return;
        }
        try {
            auto answer = message::decode_reply<I>(reply->body);
            seen.remote = std::move(answer.info);
            seen.points.theirs = answer.point;
        } catch (const Failure& failure) {
            return turn.fail(seen, std::string("unusable answer: ") + failure.what());
        }
        turn.judge(seen, [&] { return speaks_ours(peer); });
        turn.count(seen);
    }

    template <Peer P>
    [[nodiscard]] bool speaks_ours(P& peer) {
        if constexpr (KnowingPeer<P>) {
            return peer.speaks_ours(after(settings_->node_timeout), stop_);
        }
        return false;
    }

    /// As ask_again_unless_stale.
    void judge_stale_again(Judge<B>& turn) {
        Foresight<I>& found = turn.found;
        const bool alone = found.belongs && turn.without > 0 && turn.without == found.peers.size();
        found.stats.stale += alone ? 1 : 0;
        turn.agreed = turn.agreed || alone;
        bool stale = false;
        for (Seen& seen : found.peers) {
            if (seen.outcome == decide::Outcome::stale && turn.agreed) {
                if (seen.remote) {
                    turn.judge(seen, [] { return false; });
                    turn.count(seen);
                } else {
                    turn.bring_back(seen);
                }
                seen.why += alone ? ": no other primary has a copy" : ": a later peer agrees";
            }
            stale = stale || seen.outcome == decide::Outcome::stale;
        }
        found.stats.stale += stale || (turn.suspect && !turn.agreed) ? 1 : 0;
    }

    /// As the end of replicate_open, departure::leave and departure::expire.
    template <std::predicate MayLeave>
    void end(Judge<B>& turn, std::size_t replicas, MayLeave may_leave) {
        Foresight<I>& found = turn.found;
        std::vector<decide::Outcome> outcomes;
        std::set<std::string> machines;
        bool taken = false;
        for (const Seen& seen : found.peers) {
            outcomes.push_back(seen.outcome);
            taken = taken || seen.taken;
            if (seen.outcome == decide::Outcome::done &&
                !(turn.local && seen.peer.replication_ip == turn.local->replication_ip)) {
                machines.insert(seen.peer.replication_ip);
            }
        }
        const auto done = std::ranges::count(outcomes, decide::Outcome::done);
        const std::string ratio = std::to_string(done) + '/' + std::to_string(outcomes.size());
        const bool sends = std::ranges::any_of(found.peers, is_sending, &Seen::deed);
        const std::string all = sends ? "all of it once this is sent" : "all of it";
        if (turn.expiring) {
            if (!Kind::reported(found.info)) {
                keep(found, "expired, but not reported", false);
            } else if (done != std::ssize(outcomes) || !turn.settled || found.renewed ||
                       !is_expired(found.info, turn.now.plus(-turn.ahead))) {
                keep(found, "expired, but " + ratio + " peers know " + all, false);
            } else if (!may_leave()) {
                keep(found, "too many are leaving its device");
            } else {
                leave(found, End::expires, "all peers know " + all, taken);
            }
        } else if (!found.belongs) {
            if (!Kind::may_remove(found.info)) {
                keep(found, "requires sharding");
            } else if (found.renewed) {
                keep(found, "its rows were numbered anew meanwhile");
            } else if (!decide::may_remove(outcomes, machines.size(), replicas, *settings_)) {
                keep(found, ratio + " success");
            } else {
                leave(found, End::leaves, "its peers have " + all, taken);
            }
        }
    }

    static void leave(Foresight<I>& found, End end, std::string why, bool taken) {
        if (taken) {
            return keep(found, "it takes over newer times, metadata or a policy first");
        }
        ++found.stats.remove;
        found.end = end;
        found.why = std::move(why);
    }

    const Settings* settings_;
    B* broker_;
    const R* ring_;
    T* transport_;
    std::stop_token stop_;
};

} // namespace replica

#endif // REPLICA_SEND_FORESEE_HPP
