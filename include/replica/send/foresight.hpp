#ifndef REPLICA_SEND_FORESIGHT_HPP
#define REPLICA_SEND_FORESIGHT_HPP

// What a pass would do with one database: for each peer a deed and the reason for it, and what
// becomes of the local copy. send/foresee.hpp finds it out; people read it as text
// (send/explain.hpp), programs as JSON (tool/plan.hpp).

#include <replica/ring.hpp>
#include <replica/send/decide.hpp>
#include <replica/stats.hpp>
#include <replica/storage/place.hpp>
#include <replica/words/info.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

/// What a pass would do with one peer of a database.
enum class Deed {
    nothing,    ///< The peer has all, or needs none.
    note_point, ///< It has all by its contents: only the point is noted.
    rows,       ///< Rows go over.
    compare,    ///< The rows are compared, and those that differ go over.
    file,       ///< It has no copy, and gets the whole file.
    merge_file, ///< It gets the whole file, and merges its own rows into it.
    hold_back,  ///< This copy is stale: only young rows and deletions go over, or nothing.
    defer,      ///< The rows belong to the sharder.
    stand_in,   ///< Its device is out of use: a handoff is asked as well.
    fail,       ///< It does not answer, or refuses.
};

/// Whether rows or the file go over.
[[nodiscard]] constexpr bool is_sending(Deed deed) {
    return deed == Deed::rows || deed == Deed::compare || deed == Deed::file ||
           deed == Deed::merge_file || deed == Deed::hold_back;
}

/// The word for a deed in what programs read.
[[nodiscard]] constexpr std::string_view word_of(Deed deed) {
    constexpr std::string_view words[] = {"nothing",   "note_point",       "send_rows",
                                          "compare",   "send_file",        "send_file_to_merge",
                                          "hold_back", "leave_to_sharder", "ask_handoff",
                                          "fail"};
    return words[static_cast<std::size_t>(deed)];
}

/// What becomes of the local copy.
enum class End {
    stays,
    leaves,  ///< It does not belong here, and its peers will have all of it.
    expires, ///< It was deleted longer than reclaim_age ago, and its peers know.
    kept,    ///< It would leave or expire, but something is against it.
    failed,  ///< A pass sends nothing of it and removes nothing.
};

[[nodiscard]] constexpr std::string_view word_of(End end) {
    constexpr std::string_view words[] = {"stay", "hand_off", "expire", "keep", "fail"};
    return words[static_cast<std::size_t>(end)];
}

/// One peer of one database. `I` is the kind's info.
template <std::derived_from<Info> I>
struct PeerForesight {
    Device peer;
    Deed deed = Deed::nothing;
    std::string why{};
    std::string said{};        ///< What it answered, if that is no state of a copy.
    std::optional<I> remote{}; ///< The state of its copy.
    decide::Points points{};
    std::int64_t above = -1; ///< Of rows: those above this ROWID go over.
    bool taken = false;      ///< Its times, metadata or policy are newer, and are taken over.
    decide::Outcome outcome = decide::Outcome::failed;
};

/// One database. `I` is the kind's info.
template <std::derived_from<Info> I>
struct Foresight {
    Place place;
    I info{};
    bool pending = false;        ///< Rows wait beside the file.
    std::string named{};         ///< The hash of its name, if the file lies under another one.
    std::uint32_t partition = 0; ///< By the ring.
    bool belongs = false;
    bool renewed = false; ///< It gets a new id.
    std::vector<PeerForesight<I>> peers{};
    End end = End::stays;
    std::string why{};
    Stats stats{}; ///< What a pass would count.

    [[nodiscard]] bool misplaced() const { return place.partition != partition; }

    /// The last ROWID once the rows that wait are committed. They count as one: nobody knows how
    /// many of them are new.
    [[nodiscard]] std::int64_t last_row() const {
        return pending ? std::max<std::int64_t>(info.max_row, 0) + 1 : info.max_row;
    }
};

namespace detail {

/// A choice in words, and the reason for it.
[[nodiscard]] inline std::string in_words(const decide::Choice& choice, std::int64_t max_row) {
    const auto rows = [&] {
        return "ROWID " + std::to_string(choice.point + 1) + " to " + std::to_string(max_row);
    };
    switch (choice.way) {
    case decide::Way::no_change:
        return choice.suspect ? "nothing to send by the points, and yet the contents differ: a "
                                "write in flight, or a divergence; the second time that a pass "
                                "sees it all rows are sent again, the third time the file (four "
                                "times as late if only the hashes differ)"
                              : "nothing to send: it has all our rows by the points";
    case decide::Way::hash_match:
        return "nothing to send: hash, count and bytes are the same; only the point is noted";
    case decide::Way::rows:
        return "send rows, " + rows() + ": it does not have them by the points";
    case decide::Way::whole_then_merge:
        return "send the whole file to be merged there: it has fewer than half of our rows and "
               "lacks more than per_diff";
    case decide::Way::renew_id:
        return "take a new id and ask again: it knows more of our rows than we have, or has our "
               "id; this file was restored from an older copy, or copied";
    }
    return {};
}

} // namespace detail

} // namespace replica

#endif // REPLICA_SEND_FORESIGHT_HPP
