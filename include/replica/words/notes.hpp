#ifndef REPLICA_WORDS_NOTES_HPP
#define REPLICA_WORDS_NOTES_HPP

// What a sender remembers of a peer's file between passes: numbers under a key, among the outgoing
// points of its own database. There the notes go with the ROWIDs they speak of, survive a restart,
// and are seen by a single pass beside the service (defect 77). No id begins like a key, so an
// adopted file can drop the notes of its former owner. Stock servers never look at them.

#include <replica/words/hash_path.hpp>
#include <replica/words/info.hpp>
#include <replica/words/md5.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace replica::notes {

/// What all keys begin with. An id cannot contain a slash.
inline constexpr std::string_view prefix = "note/";

[[nodiscard]] inline std::string key(std::string_view what, std::string_view remote_id = {}) {
    return std::string(prefix).append(what).append(remote_id);
}

/// The last row that this copy has itself sent to the file `remote_id`, from the first row on, as a
/// copy that leaves its device.
[[nodiscard]] inline std::string sent_to(std::string_view remote_id) {
    return key("sent to ", remote_id);
}

/// The last row that was sent to `remote_id` once more because the two differ, until all have been.
/// No note of sent_to: a copy that was about to leave, and belongs here again after another change
/// of the ring, would take each write that a client has just made for such a difference.
[[nodiscard]] inline std::string resent_to(std::string_view remote_id) {
    return key("resent to ", remote_id);
}

/// As resent_to, of a resend in which a row was held back (send/stale.hpp).
[[nodiscard]] inline std::string resent_in_part(std::string_view remote_id) {
    return key("resent in part to ", remote_id);
}

/// How often one difference from the file `remote_id` was seen: a Sighting.
[[nodiscard]] inline std::string differs_from(std::string_view remote_id) {
    return key("differs from ", remote_id);
}

/// The last row up to which a stale copy (send/stale.hpp) has sent what it may to `remote_id`.
[[nodiscard]] inline std::string held_from(std::string_view remote_id) {
    return key("held from ", remote_id);
}

/// The row of the file `remote_id` that this copy waits for before the two agree (send/stale.hpp).
[[nodiscard]] inline std::string awaited_from(std::string_view remote_id) {
    return key("awaited from ", remote_id);
}

/// How long this copy has waited for the last rows of the file `remote_id`: a Wait.
[[nodiscard]] inline std::string waits_for(std::string_view remote_id) {
    return key("waits for ", remote_id);
}

/// When the copy last agreed with a peer (send/stale.hpp): whole seconds since 1970.
[[nodiscard]] inline std::string agreed() {
    return key("agreed with a peer");
}

/// When a file last agreed with a peer. `noted`: the note agreed(), or -1. Without a note: when a
/// peer last sent it rows, or when it was created.
template <class D>
[[nodiscard]] Timestamp last_agreement(D& database, std::int64_t noted,
                                       std::string_view created_at) {
    return noted >= 0 ? Timestamp{noted * Timestamp::ticks_per_second, 0}
                      : std::max(database.last_heard(), timestamp_or_zero(created_at));
}

/// The first 32 bits of the MD5 of a text.
[[nodiscard]] inline std::uint32_t short_digest(std::string_view text) {
    const Md5Digest digest = md5(text);
    return std::uint32_t{digest[0]} << 24 | std::uint32_t{digest[1]} << 16 |
           std::uint32_t{digest[2]} << 8 | digest[3];
}

/// A digest of the difference between two contents: the same digest in the next pass means that
/// nothing has helped. The hash of a database is the XOR of its rows' hashes, so rows that both
/// have got do not change the difference, and a busy database hides none (defect 93).
template <std::derived_from<Info> I>
[[nodiscard]] std::uint32_t difference_of(const I& local, const I& remote) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
    std::string difference = local.hash + ' ' + remote.hash;
    if (is_hash(local.hash) && is_hash(remote.hash)) {
        difference.clear();
        for (std::size_t i = 0; i < local.hash.size(); ++i) {
            difference += static_cast<char>(digit(local.hash[i]) ^ digit(remote.hash[i]));
        }
    }
    difference += ' ' + std::to_string(local.count - remote.count) + ' ' +
                  std::to_string(local.bytes_used - remote.bytes_used);
    return short_digest(difference);
}

/// A wait for the rows of a peer that are above the last one that has come here.
struct Wait {
    std::int64_t since = -1;  ///< Whole seconds since 1970.
    std::uint32_t rows = ~0U; ///< A digest, of 30 bits, of the two ROWIDs; all 32 for no wait.

    constexpr Wait() = default;
    Wait(Timestamp now, std::int64_t incoming, std::int64_t last)
        : since(now.ticks / Timestamp::ticks_per_second),
          rows(short_digest(std::to_string(incoming) + ' ' + std::to_string(last)) & mask) {}

    /// Reads a note. A missing note (-1) is of no wait, which is never too long.
    [[nodiscard]] static constexpr Wait decode(std::int64_t note) {
        Wait wait;
        if (note >= 0) {
            wait.since = note >> bits;
            wait.rows = static_cast<std::uint32_t>(note) & mask;
        }
        return wait;
    }

    /// Whether the same rows are still waited for at `now`, after more than a quarter of
    /// reclaim_age.
    [[nodiscard]] constexpr bool is_too_long(const Wait& now, Seconds reclaim_age) const {
        return rows == now.rows && Seconds(now.since - since) > reclaim_age / 4;
    }

    [[nodiscard]] constexpr std::int64_t encode() const { return since << bits | rows; }

    friend constexpr bool operator==(const Wait&, const Wait&) = default;

private:
    static constexpr int bits = 30;
    static constexpr std::uint32_t mask = (1U << bits) - 1;
};

/// What to send because of a difference that stays.
enum class Resend {
    nothing, ///< Nothing in this pass.
    rows,    ///< All rows once more.
    whole,   ///< The whole file, to be merged: rows did not help.
};

/// How often two contents differed in the same way although each side has all rows by its points.
struct Sighting {
    std::uint32_t contents = 0; ///< A digest of the difference.
    std::uint32_t times = 0;    ///< Passes in a row that saw it.

    /// Reads a note. A missing note (-1), or one that is none of ours, means never seen.
    [[nodiscard]] static constexpr Sighting decode(std::int64_t note) {
        const auto bits = static_cast<std::uint64_t>(note < 0 ? 0 : note);
        return {static_cast<std::uint32_t>(bits >> 24),
                static_cast<std::uint32_t>(bits & 0xffffffU)};
    }

    [[nodiscard]] constexpr std::int64_t encode() const {
        return static_cast<std::int64_t>(std::uint64_t{contents} << 24 | times);
    }

    /// The next sighting. Another difference starts the count again.
    [[nodiscard]] constexpr Sighting again(std::uint32_t now) const {
        const bool same = times > 0 && now == contents;
        return {now, same ? std::min(times + 1, 0xffffffU) : 1};
    }

    /// The first sighting may be a row that came between two reads. At the second, rows are due, at
    /// the third the whole file: a stock receiver drops a pushed row with the time of its own row,
    /// but keeps such a row of a file that it merges. From then on the file is due whenever the
    /// count has doubled, so that contents which can never be made equal do not cost a transfer in
    /// every pass. With equal sums all takes four times as long, since the peer may have reclaimed
    /// what is reclaimed here next.
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
