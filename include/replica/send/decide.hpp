#ifndef REPLICA_SEND_DECIDE_HPP
#define REPLICA_SEND_DECIDE_HPP

// The decisions of the protocol, apart from everything that acts on them. The functions are pure
// and constexpr: the compiler checks their tables in test/unit/send/decide.cpp.

#include <replica/settings.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/info.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace replica::decide {

/// What a decision needs to know of one replica: a view of an Info, which must outlive it.
struct Replica {
    std::string_view id;
    std::string_view hash;
    std::int64_t max_row = -1;
    std::int64_t count = 0;
    std::int64_t bytes_used = 0;

    constexpr Replica() = default;
    constexpr Replica(std::string_view id_, std::string_view hash_, std::int64_t max_row_,
                      std::int64_t count_ = 0, std::int64_t bytes_used_ = 0)
        : id(id_), hash(hash_), max_row(max_row_), count(count_), bytes_used(bytes_used_) {}
    explicit Replica(const Info& info)
        : Replica(info.id, info.hash, info.max_row, info.count, info.bytes_used) {}
};

/// How far the two replicas know each other's rows, as ROWIDs; -1: not at all.
struct Points {
    std::int64_t theirs = -1;   ///< Of our rows, by the peer: the point in its reply.
    std::int64_t outgoing = -1; ///< Of our rows, by our own sync table.
    std::int64_t incoming = -1; ///< Of the peer's rows, by our own sync table.
};

/// What to send to a peer.
enum class Way {
    no_change,        ///< The peer has all our rows, by the points.
    hash_match,       ///< The peer has all our rows, by hash and sums; record the point.
    rows,             ///< Send the rows above the point (usync).
    whole_then_merge, ///< Send the file; the peer merges its own rows into it.
    renew_id,         ///< The peer knows other rows under our id: take a new id, ask again.
};

struct Choice {
    Way way = Way::no_change;
    std::int64_t point = -1; ///< Send the rows above this one.

    /// By the points both have everything, and yet the contents differ. In one pass a write may be
    /// in flight; in several passes in a row with the same difference the two have diverged.
    bool suspect = false;

    /// We have all the peer's rows, so the peer brings back no tombstone that goes now. An equal
    /// hash is not enough: the peer may send the rows above our incoming point all the same.
    bool settled = false;

    /// The contents differ, and rows of the peer will not come: nothing is known of them
    /// (send/awaited.hpp).
    bool gave_up = false;

    friend constexpr bool operator==(const Choice&, const Choice&) = default;
};

/// Whether the contents are the same. Hashes must be 32 hexadecimal digits: two empty ones are not
/// equal (defect 12). A hash covers names and times only, so the sums must agree too (defect 11).
[[nodiscard]] constexpr bool same_content(const Replica& a, const Replica& b) {
    return is_hash(a.hash) && a.hash == b.hash && a.count == b.count &&
           a.bytes_used == b.bytes_used;
}

/// The last of our rows that the peer has. The peer's own point counts. Only if it has none does
/// our outgoing point stand in, since the peer may have reclaimed its own. Swift takes the greater
/// of the two, so that a peer restored from an older copy is never sent what it lost (defect 10).
[[nodiscard]] constexpr std::int64_t known_point(const Points& points) {
    return points.theirs >= 0 ? points.theirs : points.outgoing;
}

/// The points to choose by for a copy that leaves. `sent`: the last row that this copy has itself
/// sent to the peer (notes::sent_to). The copy may be the only one with its rows, and is compared
/// for the last time. While the contents differ, as they do whenever clients write to the
/// primaries, the peer's point counts only as far as `sent`: all rows go over once, to be merged.
[[nodiscard]] constexpr Points points_for_handoff(const Replica& local, const Replica& remote,
                                                  const Points& points, std::int64_t sent) {
    if (points.theirs > local.max_row || points.outgoing > local.max_row) {
        return points; // other rows under our id: see choose
    }
    const bool same = same_content(local, remote);
    return {same ? points.theirs : std::min(points.theirs, sent), -1, points.incoming};
}

/// What to do after a 2xx answer to sync (Swift: _repl_to_node, _in_sync; the second half of the
/// half rule is Swift 2.6's).
///
/// - A peer whose point is beyond our last row, or which has our id, knows other rows under our id:
///   our file was restored, or copied (defect 10, invariant I3).
/// - The whole file is sent to be merged only if the peer has fewer than half of our rows and lacks
///   more than per_diff, both by ROWID, and only if more than per_diff rows are above the point,
///   since churn inflates ROWIDs (defect 40). Whole numbers avoid a division by 0 (defect 27).
[[nodiscard]] constexpr Choice choose(const Replica& local, const Replica& remote,
                                      const Points& points, const Limits& limits) {
    if (local.id == remote.id || points.theirs > local.max_row || points.outgoing > local.max_row) {
        return {Way::renew_id};
    }
    const std::int64_t point = known_point(points);
    const bool same = same_content(local, remote);
    const bool complete = points.incoming >= remote.max_row;
    if (point >= local.max_row) {
        return {Way::no_change, point, complete && !same, complete};
    }
    if (same) {
        return {Way::hash_match, local.max_row, false, complete};
    }
    if (remote.max_row < local.max_row - remote.max_row &&
        local.max_row - remote.max_row > limits.per_diff &&
        local.max_row - point > limits.per_diff) {
        return {Way::whole_then_merge, point};
    }
    return {Way::rows, point};
}

/// Whether to compare the rows before any goes over: no point is left, and both have many rows and
/// about as many. Comparing reads all rows on both sides, a tenth of the work of sending them, and
/// finds differences in up to one row of 25. `least`: rows; 0: never.
[[nodiscard]] constexpr bool compares(const Replica& local, const Replica& remote,
                                      std::int64_t point, std::int64_t least) {
    const std::int64_t fewer = std::min(local.count, remote.count);
    const std::int64_t more = std::max(local.count, remote.count);
    return least > 0 && point < 0 && fewer >= least && more - fewer <= more / 25;
}

/// Whether a database is expired: no live rows, deleted after it was last put, and deleted longer
/// than reclaim_age ago (Swift: _replicate_object). With a time that cannot be read it is not.
[[nodiscard]] constexpr bool is_expired(std::int64_t count, std::string_view put_timestamp,
                                        std::string_view delete_timestamp, Timestamp now,
                                        Seconds reclaim_age) {
    const auto put = Timestamp::parse(put_timestamp);
    const auto deleted = Timestamp::parse(delete_timestamp);
    return put && deleted && count == 0 && *deleted > *put && *deleted < now.plus(-reclaim_age);
}

/// The outcome of one peer. Progress is no failure: rows went over, and more go next time (defect
/// 38).
enum class Outcome {
    done,     ///< The peer has all that was in the snapshot.
    progress, ///< Capped by max_diffs: the point has moved.
    deferred, ///< The rows belong to the sharder.
    stale,    ///< Rows that may have been deleted were held back.
    failed,
};

/// Whether a copy that does not belong here may go: all its peers have all of it, or as many other
/// machines as handoff_delete asks for. `elsewhere`: how many other machines have all of it (Swift
/// counts a second device of this machine, and this device itself: defect 22). Never without one
/// confirmed copy, since "all of no peers" is true (defect 1). A handoff_delete that is not below
/// the number of replicas means all (Swift 2.34), or handoffs would never go.
[[nodiscard]] constexpr bool may_remove(std::span<const Outcome> outcomes, std::size_t elsewhere,
                                        std::size_t replicas, const Limits& limits) {
    std::size_t done = 0;
    for (const Outcome outcome : outcomes) {
        done += outcome == Outcome::done ? 1 : 0;
    }
    const auto enough = static_cast<std::size_t>(limits.handoff_delete);
    if (enough > 0 && enough < replicas && elsewhere >= enough) {
        return true;
    }
    return done > 0 && done == outcomes.size() && done >= replicas;
}

/// Whether the device with this id is one of the primaries. `Item` has a member `id`.
template <class Item>
[[nodiscard]] constexpr bool is_primary(const std::vector<Item>& primaries, std::int64_t id) {
    return std::ranges::find(primaries, id, &Item::id) != primaries.end();
}

/// The primaries to ask, in order: those after the local device in the ring's order, then those
/// before it; all for a handoff. Every node begins with its next one, so no two nodes talk only to
/// each other while a third gets nothing (Swift: _replicate_object). `Item` has a member `id`.
template <class Item>
[[nodiscard]] constexpr std::vector<Item> peer_order(const std::vector<Item>& primaries,
                                                     std::int64_t local_id) {
    std::size_t at = 0;
    while (at < primaries.size() && primaries[at].id != local_id) {
        ++at;
    }
    std::vector<Item> order;
    for (std::size_t i = at + 1; i < primaries.size(); ++i) {
        order.push_back(primaries[i]);
    }
    for (std::size_t i = 0; i < at; ++i) {
        order.push_back(primaries[i]);
    }
    return order;
}

} // namespace replica::decide

#endif // REPLICA_SEND_DECIDE_HPP
