#ifndef REPLICA_SQLITE_SUMS_HPP
#define REPLICA_SQLITE_SUMS_HPP

// The hash and the sums of a database follow from its rows, but are updated row by row, so a
// mistake stays for ever. Old Pythons, for example, cut names at a NUL, and reserved names begin
// with one. Two replicas with the same rows then differ for ever, and a wrong count of 0 makes a
// live database look expired. So hash and sums can be computed anew from the rows.

#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/merge.hpp>
#include <replica/sqlite/row_reader.hpp>
#include <replica/sqlite/schema.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace replica::sqlite {

/// What check_content has found in all rows of a database (check.hpp).
struct Content {
    Totals totals;
    bool indexed = true; ///< Whether the index has exactly the rows.
};

namespace detail {

inline void add(Totals::Counts& sum, const Totals::Counts& counts) {
    sum.rows += counts.rows;
    sum.objects += counts.objects;
    sum.bytes += counts.bytes;
}

[[nodiscard]] inline Totals::Counts all_of(const Totals& totals) {
    Totals::Counts sum;
    for (const auto& [policy, counts] : totals.counts) {
        add(sum, counts);
    }
    return sum;
}

/// Whether three columns from `first` on hold these sums. A value that is no integer differs.
[[nodiscard]] inline bool holds(const Query& found, int first, const Totals::Counts& counts) {
    const auto equal = [&](int column, std::uint64_t sum) {
        return found.type(column) == SQLITE_INTEGER &&
               found.integer(column) == static_cast<std::int64_t>(sum);
    };
    return equal(first, counts.rows) && equal(first + 1, counts.objects) &&
           equal(first + 2, counts.bytes);
}

/// A run of rows in the order of their ROWIDs, as it was read.
struct Stretch {
    std::int64_t last = std::numeric_limits<std::int64_t>::min(); ///< ROWID
    std::int64_t rows = 0;
    Totals totals;

    void append(const Stretch& next) {
        last = next.last;
        rows += next.rows;
        totals.hash ^= next.totals.hash;
        for (const auto& [policy, counts] : next.totals.counts) {
            add(totals.counts[policy], counts);
        }
    }
};

} // namespace detail

/// Whether a row of select_since says which storage policy it has; records have none.
template <Schema S>
[[nodiscard]] bool has_policy(const RowReader& row) {
    if constexpr (requires { S::policy_column; }) {
        return !row.is_null(S::policy_column);
    }
    return true;
}

/// Adds a row of select_since.
template <Schema S>
void add_row(Totals& totals, const RowReader& row) {
    const auto number = [&](int column) { return static_cast<std::uint64_t>(row.number(column)); };
    const bool unknown = row.is_null(S::hashed_column); // Python's None
    totals.hash.toggle(row.text(1), unknown ? "None" : row.text(S::hashed_column));
    std::int64_t policy = 0;
    if constexpr (requires { S::policy_column; }) {
        policy = row.number(S::policy_column);
    }
    Totals::Counts& counts = totals.counts[policy];
    counts.rows += 1 - number(S::deleted_column);
    if constexpr (requires { S::record_column; }) {
        counts.bytes += row.text(S::record_column).size();
    } else {
        counts.bytes += number(S::bytes_column);
    }
    if constexpr (requires { S::objects_column; }) {
        counts.objects += number(S::objects_column);
    }
}

/// Whether these hash and sums are stored. A policy with sums of 0 may be missing.
template <Schema S>
[[nodiscard]] bool are_stored(Connection& connection, Totals totals) {
    if (connection.text(S::select_hash) != totals.hash.text()) {
        return false;
    }
    if constexpr (requires { S::select_total; }) {
        Query total = connection.query(S::select_total);
        if (!total.step() || !detail::holds(total, 0, detail::all_of(totals))) {
            return false;
        }
    }
    Query found = connection.query(S::select_sums);
    while (found.step()) {
        Totals::Counts& counts = totals.counts[found.integer(0)];
        if (!detail::holds(found, 1, counts)) {
            return false;
        }
        counts = {};
    }
    return std::ranges::all_of(totals.counts, [](const auto& left) {
        const auto& [policy, counts] = left;
        return counts.rows == 0 && counts.objects == 0 && counts.bytes == 0;
    });
}

/// Writes hash and sums, inside a write transaction.
template <Schema S>
void store(Connection& connection, Totals totals) {
    {
        Query found = connection.query(S::select_sums);
        while (found.step()) {
            totals.counts.try_emplace(found.integer(0)); // a policy that has no rows
        }
    }
    for (const auto& [policy, counts] : totals.counts) {
        connection.query(S::put_sums).bind(policy, counts.rows, counts.objects, counts.bytes).run();
    }
    if constexpr (requires { S::put_total; }) {
        const Totals::Counts all = detail::all_of(totals);
        connection.query(S::put_total).bind(all.rows, all.objects, all.bytes).run();
    }
    connection.query("UPDATE " + std::string(S::stat) + " SET hash = ?")
        .bind(totals.hash.text())
        .run();
}

/// Makes stored hash, sums and index agree with `content`. Returns whether they did not.
template <Schema S>
bool mend(Connection& connection, const Content& content) {
    if (content.indexed && are_stored<S>(connection, content.totals)) {
        return false;
    }
    Transaction writing(connection, Transaction::Kind::write);
    if (!content.indexed) {
        connection.execute(("REINDEX " + index_of<S>()).c_str());
    }
    store<S>(connection, content.totals);
    writing.commit();
    return true;
}

namespace detail {

/// The next rows above a ROWID, up to `up_to`: at most `limit`, or all if `limit` is negative.
template <Schema S>
[[nodiscard]] Stretch sum_rows(Connection& connection, std::int64_t above, std::int64_t limit,
                               std::int64_t up_to = std::numeric_limits<std::int64_t>::max()) {
    Stretch stretch;
    stretch.last = above;
    Query found = connection.query(S::select_since);
    found.bind(above, limit);
    RowReader row(found);
    while (found.step() && found.integer(0) <= up_to) {
        row.read(found);
        add_row<S>(stretch.totals, row);
        stretch.last = row.number(0);
        ++stretch.rows;
    }
    return stretch;
}

/// Sums over all rows, using stretches read before. New rows lie above them, and rows of a stretch
/// can only disappear: a stretch with as many rows as before has the same rows.
template <Schema S>
[[nodiscard]] Totals sum_again(Connection& connection, const std::vector<Stretch>& stretches) {
    const std::string count =
        "SELECT count(*) FROM " + std::string(S::rows) + " WHERE ROWID > ? AND ROWID <= ?";
    Stretch all;
    for (const Stretch& stretch : stretches) {
        Query rows = connection.query(count);
        const bool same = rows.bind(all.last, stretch.last).step() && //
                          rows.integer(0) == stretch.rows;
        Stretch now = same ? stretch : sum_rows<S>(connection, all.last, -1, stretch.last);
        now.last = stretch.last;
        all.append(now);
    }
    all.append(sum_rows<S>(connection, all.last, -1));
    return all.totals;
}

} // namespace detail

/// Makes hash and sums of a live database agree with its rows. Returns whether they did not.
///
/// The rows are read in pages (0.3 s for a million), so that writers get their turn. If nobody
/// wrote meanwhile and all is right, no lock is held for longer than it takes to count the rows
/// (0.03 s). Else the rows are counted stretch by stretch under the write lock (0.06 s), and
/// changed stretches are read again.
template <Schema S>
bool mend_sums(Connection& connection, std::int64_t page_rows) {
    std::vector<detail::Stretch> stretches;
    detail::Stretch all;
    for (auto next = detail::sum_rows<S>(connection, all.last, page_rows); next.rows > 0;
         next = detail::sum_rows<S>(connection, all.last, page_rows)) {
        all.append(next);
        stretches.push_back(std::move(next));
    }
    {
        const Transaction snapshot(connection, Transaction::Kind::read);
        all.append(detail::sum_rows<S>(connection, all.last, -1));
        if (connection.integer(S::select_row_count) == all.rows &&
            are_stored<S>(connection, all.totals)) {
            return false;
        }
    }
    Transaction writing(connection, Transaction::Kind::write);
    const Totals totals = detail::sum_again<S>(connection, stretches);
    if (are_stored<S>(connection, totals)) {
        return false;
    }
    store<S>(connection, totals);
    writing.commit();
    return true;
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_SUMS_HPP
