#ifndef REPLICA_WORDS_NOTES_HPP
#define REPLICA_WORDS_NOTES_HPP

// What a sender remembers of a peer's file from one pass to the next: numbers under a key, among
// the outgoing points of its own file. There they go with the ROWIDs they speak of, survive a
// restart, and are seen by a single pass beside the service. No id begins like a key, so that an
// adopted file can drop the notes of its former owner. Stock servers never look at them.

#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace replica::notes {

/// What all keys begin with. An id may have no slash.
inline constexpr std::string_view prefix = "note/";

[[nodiscard]] inline std::string key(std::string_view what, std::string_view remote_id = {}) {
    return std::string(prefix).append(what).append(remote_id);
}

/// Up to which row this copy has sent its rows itself to the file `remote_id`, from the first one
/// on: a copy that leaves its device, or one that sends all again since the two differ.
[[nodiscard]] inline std::string sent_to(std::string_view remote_id) {
    return key("sent to ", remote_id);
}

/// How often one difference from the file `remote_id` was seen: a Sighting.
[[nodiscard]] inline std::string differs_from(std::string_view remote_id) {
    return key("differs from ", remote_id);
}

/// Up to which row a stale copy (stale.hpp) has sent what it may to the file `remote_id`.
[[nodiscard]] inline std::string held_from(std::string_view remote_id) {
    return key("held from ", remote_id);
}

/// Up to which row of the file `remote_id` this copy waits for, to have agreed with it (stale.hpp).
[[nodiscard]] inline std::string awaited_from(std::string_view remote_id) {
    return key("awaited from ", remote_id);
}

/// When the copy last agreed with a peer (stale.hpp): whole seconds since 1970.
[[nodiscard]] inline std::string agreed() {
    return key("agreed with a peer");
}

/// When a file last agreed with a peer, given what is `noted` (-1: nothing is). Where nothing was
/// ever noted: when a peer last sent it rows, or when it was made.
template <class D>
[[nodiscard]] Timestamp last_agreement(D& database, std::int64_t noted,
                                       std::string_view created_at) {
    return noted >= 0 ? Timestamp{noted * Timestamp::ticks_per_second, 0}
                      : std::max(database.last_heard(), timestamp_or_zero(created_at));
}

/// What to do about a difference that stays.
enum class Resend {
    nothing, ///< Not now.
    rows,    ///< All rows once more, to be merged.
    whole,   ///< The whole file, to be merged: rows have not helped.
};

/// How often two contents were compared and found different in the same way although both sides say
/// that they have everything.
struct Sighting {
    std::uint32_t contents = 0; ///< A digest of the difference.
    std::uint32_t times = 0;    ///< In a row, in as many passes.

    /// A note as it is stored; one that is not there, or is none of ours, was never seen.
    [[nodiscard]] static constexpr Sighting decode(std::int64_t note) {
        const auto bits = static_cast<std::uint64_t>(note < 0 ? 0 : note);
        return {static_cast<std::uint32_t>(bits >> 24),
                static_cast<std::uint32_t>(bits & 0xffffffU)};
    }

    [[nodiscard]] constexpr std::int64_t encode() const {
        return static_cast<std::int64_t>(std::uint64_t{contents} << 24 | times);
    }

    /// Seen once more: another difference begins anew.
    [[nodiscard]] constexpr Sighting again(std::uint32_t now) const {
        const bool same = times > 0 && now == contents;
        return {now, same ? std::min(times + 1, 0xffffffU) : 1};
    }

    /// The first time may be a row that came between two reads. The second time rows go, the third
    /// time the whole file: a stock receiver drops a row that has the time of its own, but of a
    /// file that it merges such a row stays. From then on it is due whenever the count has doubled,
    /// so that contents which can never be made equal do not cost a transfer in every pass. Four
    /// times as patient if the sums are equal: the peer may have reclaimed what is next here.
    [[nodiscard]] constexpr Resend due(bool sums_differ) const {
        const std::uint32_t patience = sums_differ ? 1 : 4;
        const std::uint32_t turn = times % patience == 0 ? times / patience : 0;
        if (turn < 2 || ((turn - 1) & (turn - 2)) != 0) {
            return Resend::nothing;
        }
        return turn == 2 ? Resend::rows : Resend::whole;
    }

    friend constexpr bool operator==(const Sighting&, const Sighting&) = default;
};

} // namespace replica::notes

#endif // REPLICA_WORDS_NOTES_HPP
