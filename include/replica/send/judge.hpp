#ifndef REPLICA_SEND_JUDGE_HPP
#define REPLICA_SEND_JUDGE_HPP

// What a pass would do after an answer of a peer (send/foresee.hpp), and what it would know
// afterwards, for the peers that come next. The order of judging is that of PeerTurn
// (send/peer_turn.hpp): whoever changes the one changes the other. test/unit/tool/plan.cpp compares
// what is foreseen with what passes then do.

#include <replica/broker.hpp>
#include <replica/ring.hpp>
#include <replica/rows/metadata.hpp>
#include <replica/send/awaited.hpp>
#include <replica/send/batch_size.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/foresight.hpp>
#include <replica/send/stale.hpp>
#include <replica/settings.hpp>
#include <replica/stats.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/info.hpp>
#include <replica/words/notes.hpp>
#include <replica/words/times.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace replica {

/// One database that is looked at: what a DatabaseTurn knows, without its means to change anything.
/// What it finds goes into `found`, which must outlive it, as the others must. Not thread safe.
template <Broker B>
class Judge {
    using Kind = typename B::kind_type;
    using Database = typename B::database_type;
    using I = info_type_of<B>;
    using Seen = PeerForesight<I>;

public:
    /// `local_`: the device that the copy lies on, if it is this node's.
    Judge(const Settings& settings, Database& database, Foresight<I>& found_,
          std::optional<Device> local_, Timestamp now_)
        : found(found_), local(std::move(local_)), now(now_), settings_(&settings),
          database_(&database) {}

    Foresight<I>& found;
    std::optional<Device> local;
    Timestamp now;
    bool expiring = false;   ///< As DatabaseTurn::expiring.
    bool agreed = false;     ///< As DatabaseTurn::agreed.
    bool settled = true;     ///< As DatabaseTurn::settled.
    bool suspect = false;    ///< As DatabaseTurn::suspect, or awaits.
    std::size_t without = 0; ///< As DatabaseTurn::without.
    Seconds ahead{0};        ///< As DatabaseTurn::ahead.
    Seconds behind{0};       ///< As DatabaseTurn::behind.

    /// The peer fails, or does not answer.
    void fail(Seen& seen, std::string said) {
        seen.deed = Deed::fail;
        seen.said = std::move(said);
        seen.why = "nothing is sent";
        count(seen);
    }

    /// Counts the outcome.
    void count(const Seen& seen) {
        found.stats.success += seen.outcome == decide::Outcome::done ? 1 : 0;
        found.stats.failure += seen.outcome == decide::Outcome::failed ? 1 : 0;
    }

    /// The peer has no copy. As PeerTurn::bring_back.
    void bring_back(Seen& seen) {
        seen.outcome = decide::Outcome::done;
        if (expiring) {
            seen.why = "nothing to send: it is expired";
        } else if (settled = false; is_stale()) {
            ++without;
            hold_back(seen, "hold back the whole file");
        } else {
            seen.deed = Deed::file;
            seen.why = "send the whole file";
            ++found.stats.rsync;
        }
        count(seen);
    }

    /// As PeerTurn::run, after an answer with the state of the peer's copy. `ours`: whether a
    /// server of ours has answered.
    template <std::predicate Ours>
    void judge(Seen& seen, Ours ours) {
        const I& remote = *seen.remote;
        seen.points.outgoing = database_->sync_point(remote.id, Direction::outgoing);
        seen.points.incoming = database_->sync_point(remote.id, Direction::incoming);
        seen.taken = takes_over(remote);
        if (!Kind::sends_rows(found.info)) {
            ++found.stats.deferred;
            const bool none = Kind::is_sharded(found.info) && database_->items_since(-1, 1).empty();
            seen.outcome = none ? decide::Outcome::done : decide::Outcome::deferred;
            seen.deed = Deed::defer;
            seen.why = "no rows are sent: sharding has begun, they are the sharder's";
            return;
        }
        decide::Replica here(found.info);
        if (found.pending) {
            here.max_row = std::max<std::int64_t>(here.max_row, 0) + 1;
            here.hash = {};
        }
        const decide::Replica there(remote);
        auto choice = choose(seen, here, there);
        std::string first;
        if (choice.way == decide::Way::renew_id) {
            first = detail::in_words(choice, here.max_row) + "; then ";
            ++found.stats.reidentified;
            found.renewed = true;
            choice = choose(seen, here, there);
        }
        const bool same = decide::same_content(here, there);
        settled = settled && choice.settled;
        if (agreed || same) {
            agreed = true;
        } else if (remote.max_row >= 0 && is_followed() && !is_stale()) {
            agreed = choice.settled;
        }
        seen.why = first + detail::in_words(choice, here.max_row);
        seen.outcome = decide::Outcome::done;
        carry_out(seen, choice, here, there, ours);
        if (found.pending && seen.deed != Deed::nothing) {
            seen.why += "; the rows that wait beside the file are committed first";
        }
    }

private:
    static void hold_back(Seen& seen, std::string what) {
        seen.deed = Deed::hold_back;
        seen.outcome = decide::Outcome::stale;
        seen.why = std::move(what) + ": this copy is stale";
    }

    [[nodiscard]] std::int64_t note(const std::string& key) const {
        return found.renewed && key != notes::agreed()
                   ? -1
                   : database_->sync_point(key, Direction::outgoing);
    }

    [[nodiscard]] Timestamp stale_limit() const {
        const Seconds age = settings_->reclaim_age;
        return now.plus(std::min(behind, age / 3) - age);
    }

    [[nodiscard]] bool is_stale() const {
        return !agreed && !settings_->accept_stale && Kind::may_be_stale(found.info) &&
               notes::last_agreement(*database_, note(notes::agreed()), found.info.created_at) <
                   stale_limit();
    }

    [[nodiscard]] bool is_followed() const {
        return agreed || settings_->accept_stale || note(notes::agreed()) >= 0 ||
               timestamp_or_zero(found.info.created_at) >= stale_limit();
    }

    /// Whether the peer notes that it has all our rows when the question of a pass tells it our
    /// hash (RpcServer::sync).
    [[nodiscard]] bool notes_by_hash(const decide::Replica& here,
                                     const decide::Replica& there) const {
        return is_hash(here.hash) && here.hash == there.hash &&
               (here.count == there.count ||
                !Kind::sync_arguments(found.info, settings_->policies.size()));
    }

    /// Under a new id nobody has a point.
    [[nodiscard]] decide::Choice choose(const Seen& seen, decide::Replica here,
                                        const decide::Replica& there) const {
        decide::Points points = seen.points;
        if (found.renewed) {
            points.theirs = points.outgoing = -1;
            here.id = {};
        }
        if (points.theirs <= here.max_row && notes_by_hash(here, there)) {
            points.theirs = here.max_row;
        }
        auto choice = decide::choose(
            here, there,
            found.belongs ? points
                          : decide::points_for_handoff(here, there, points,
                                                       note(notes::sent_to(seen.remote->id))),
            *settings_);
        const notes::Wait waits(now.plus(-ahead), points.incoming, there.max_row);
        if (found.belongs && !expiring && may_wait(choice, here, there) &&
            notes::Wait::decode(note(notes::waits_for(seen.remote->id)))
                .is_too_long(waits, settings_->reclaim_age)) {
            choice.suspect = settings_->accept_stale;
            choice.gave_up = !choice.suspect;
        }
        return choice;
    }

    /// As PeerTurn::carry_out.
    template <std::predicate Ours>
    void carry_out(Seen& seen, const decide::Choice& choice, const decide::Replica& here,
                   const decide::Replica& there, Ours ours) {
        Stats& stats = found.stats;
        const bool belongs = found.belongs;
        const bool sends =
            choice.way == decide::Way::rows || choice.way == decide::Way::whole_then_merge;
        if (sends && is_stale()) {
            return push_stale(seen, choice.point);
        }
        if constexpr (ComparableDatabase<Database>) {
            if (sends && belongs && !found.pending &&
                decide::compares(here, there, choice.point, settings_->compare_rows) && ours()) {
                ++stats.diff;
                seen.deed = Deed::compare;
                seen.above = choice.point;
                seen.why = "compare the rows and send those that differ, or all if too many do: "
                           "the points are lost";
                return;
            }
        }
        if (choice.suspect && belongs && is_stale()) {
            suspect = true;
            seen.why =
                "nothing to send: by the points both have everything, and this copy is stale";
            return;
        }
        switch (choice.way) {
        case decide::Way::no_change:
            ++stats.no_change;
            if (seen.points.theirs < here.max_row && notes_by_hash(here, there)) {
                seen.deed = Deed::note_point;
                seen.why = "nothing to send: the hash is the same; only the point is noted";
            }
            return resend(seen, choice, here, there);
        case decide::Way::hash_match:
            ++stats.hashmatch;
            seen.deed = Deed::note_point;
            return;
        case decide::Way::whole_then_merge:
            ++stats.remote_merge;
            seen.deed = Deed::merge_file;
            return;
        default:
            push_rows(seen, choice.point);
            if (!belongs && seen.deed == Deed::rows) {
                seen.why += ", which count before the copy goes only as far as it has sent them "
                            "itself";
            }
            if (seen.outcome == decide::Outcome::done) {
                resend(seen, choice, here, there);
            }
        }
    }

    /// What one batch of push_rows sends; fewer than per_diff rows where they are large.
    [[nodiscard]] auto batch_above(std::int64_t point) {
        std::size_t left = BatchSize::most_read;
        return first_items(*database_, point, settings_->per_diff, left);
    }

    /// As push_rows of send/usync.hpp: so many rows are left for the next pass.
    void push_rows(Seen& seen, std::int64_t point) {
        ++found.stats.diff;
        seen.deed = Deed::rows;
        seen.above = point;
        for (std::int64_t diffs = 0; diffs < settings_->max_diffs; ++diffs) {
            const auto rows = batch_above(point);
            if (rows.empty()) {
                return;
            }
            point = rows.back().rowid;
        }
        if (!database_->items_since(point, 1).empty()) {
            ++found.stats.diff_capped;
            seen.outcome = decide::Outcome::progress;
            seen.why += "; after max_diffs batches, at ROWID " + std::to_string(point) +
                        ", the rest is left for the next pass";
        }
    }

    /// As push_stale of send/usync.hpp.
    void push_stale(Seen& seen, std::int64_t from) {
        const std::int64_t point = std::max(from, note(notes::held_from(seen.remote->id)));
        push_but_hold_back(seen, point, from < point);
    }

    /// As resend_stale of send/usync.hpp.
    void resend_stale(Seen& seen) {
        const std::int64_t in_part = note(notes::resent_in_part(seen.remote->id));
        const bool held = in_part >= 0;
        push_but_hold_back(seen, held ? in_part : note(notes::resent_to(seen.remote->id)), held);
    }

    void push_but_hold_back(Seen& seen, std::int64_t point, bool held) {
        push_rows(seen, point);
        std::int64_t at = point;
        for (std::int64_t diffs = 0; diffs < settings_->max_diffs && !held; ++diffs) {
            const auto rows = batch_above(at);
            if (rows.empty()) {
                break;
            }
            at = rows.back().rowid;
            held = std::ranges::any_of(
                rows, [&](const auto& row) { return may_be_deleted(row, stale_limit()); });
        }
        if (held) {
            found.stats.diff_capped -= seen.outcome == decide::Outcome::progress ? 1 : 0;
            hold_back(seen,
                      "send deletions, and rows younger than reclaim_age; hold back the rest");
        }
    }

    /// As PeerTurn::resend_if_diverged.
    void resend(Seen& seen, const decide::Choice& choice, const decide::Replica& here,
                const decide::Replica& there) {
        if (!found.belongs || decide::same_content(here, there)) {
            return;
        }
        const I& remote = *seen.remote;
        const std::int64_t point = note(notes::resent_to(remote.id));
        auto due = notes::Resend::rows;
        if (point < 0 && note(notes::resent_in_part(remote.id)) < 0) {
            if (choice.gave_up) {
                suspect = true;
                seen.why = "nothing to send again: the last rows of the peer never came, and they "
                           "may have been deletions of what is here";
                return;
            }
            const auto sighting = notes::Sighting::decode(note(notes::differs_from(remote.id)))
                                      .again(notes::difference_of(found.info, remote));
            due = choice.suspect ? sighting.due(here.count != there.count ||
                                                here.bytes_used != there.bytes_used)
                                 : notes::Resend::nothing;
        }
        if (due == notes::Resend::nothing) {
            return;
        }
        ++found.stats.diverged;
        seen.why = "the contents differ although each claims to have all rows, and have done so in "
                   "earlier passes";
        if (!is_followed() || is_stale()) {
            return resend_stale(seen);
        }
        if (due == notes::Resend::whole) {
            ++found.stats.remote_merge;
            seen.deed = Deed::merge_file;
            return;
        }
        push_rows(seen, std::max<std::int64_t>(point, 0));
    }

    /// Whether something beside the rows is newer at the peer.
    [[nodiscard]] bool takes_over(const I& remote) const {
        const I& info = found.info;
        struct Probe {
            bool called = false;
            void set_storage_policy_index(std::int64_t /*index*/, Timestamp /*at*/) {
                called = true;
            }
        } probe;
        static_cast<void>(Kind::adopt_policy(probe, info, remote, now));
        auto metadata = Metadata::parse_stored(info.metadata);
        const bool newer = metadata.merge(Metadata::parse_stored(remote.metadata),
                                          now.plus(-ahead - settings_->reclaim_age));
        return probe.called || newer ||
               !(merged(remote.timestamps(), info.timestamps()) == info.timestamps());
    }

    const Settings* settings_;
    Database* database_;
};

} // namespace replica

#endif // REPLICA_SEND_JUDGE_HPP
