#ifndef REPLICA_SQLITE_SCAN_HPP
#define REPLICA_SQLITE_SCAN_HPP

// Reads all rows for a comparison with another replica (words/row_digests.hpp), in the order of
// their ROWIDs: 2 million in a second, ten times as many as in the order of names. The rows are
// read in pages, so that writers get their turn in between. A row that is written meanwhile gets a
// higher ROWID, and one that is there is never changed. So whatever is there under a ROWID at the
// end was there when it was read.

#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/merge.hpp>
#include <replica/sqlite/row_reader.hpp>
#include <replica/sqlite/schema.hpp>
#include <replica/sqlite/sums.hpp>
#include <replica/words/mix.hpp>
#include <replica/words/row_digests.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace replica::sqlite {

namespace detail {

/// Of all columns but the ROWID. A null is not the same as an empty text or 0.
[[nodiscard]] inline std::uint64_t row_digest(const RowReader& row, int columns,
                                              std::uint64_t key) {
    KeyedDigest digest(key);
    for (int column = 1; column < columns; ++column) {
        if (row.is_null(column)) {
            digest.add(std::uint64_t{0x6e756c6c});
        } else if (row.is_number(column)) {
            digest.add(static_cast<std::uint64_t>(row.number(column)));
        } else {
            digest.add(row.text(column));
        }
    }
    return digest.value();
}

/// Calls use(row, query, digest) for the rows above `above` up to `up_to`, until it returns false.
template <Schema S>
void each_digest(Connection& connection, std::uint64_t key, std::int64_t above, std::int64_t up_to,
                 std::int64_t page_rows,
                 std::predicate<const RowReader&, const Query&, std::uint64_t> auto use) {
    for (std::int64_t seen = page_rows; seen == page_rows;) {
        Query page = connection.query(S::select_since);
        page.bind(above, page_rows);
        RowReader row(page);
        for (seen = 0; page.step() && page.integer(0) <= up_to; ++seen) {
            row.read(page);
            above = row.number(0);
            if (!use(row, page, row_digest(row, page.columns(), key))) {
                return;
            }
        }
    }
}

} // namespace detail

/// Digests of the rows up to `up_to`, and whether the stored hash and sums are those of all rows.
/// `version()` changes when anybody commits.
template <Schema S>
[[nodiscard]] RowScan scan_rows(Connection& connection, std::uint64_t key, std::size_t groups,
                                std::int64_t up_to, std::int64_t page_rows,
                                std::invocable auto version) {
    RowScan scan{RowDigests(groups)};
    Totals totals;
    constexpr auto least = std::numeric_limits<std::int64_t>::min();
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    const auto before = version();
    detail::each_digest<S>(connection, key, least, most, page_rows,
                           [&](const RowReader& row, const Query&, std::uint64_t digest) {
                               add_row<S>(totals, row);
                               if (row.number(0) <= up_to) {
                                   scan.digests.add(digest);
                               }
                               return true;
                           });
    const Transaction snapshot(connection, Transaction::Kind::read);
    scan.sound = are_stored<S>(connection, totals) || version() != before;
    return scan;
}

/// The first `count` rows above `above`; fewer once their texts hold `left` bytes, one at least.
/// `left` becomes what is left of it, 0 if there may be more rows than were read.
template <Schema S>
[[nodiscard]] std::vector<typename S::row_type>
rows_since(Connection& connection, std::int64_t above, std::int64_t count, std::size_t& left) {
    std::vector<typename S::row_type> rows;
    Query found = connection.query(S::select_since);
    found.bind(above, std::max<std::int64_t>(count, 0));
    while (left > 0 && found.step()) {
        rows.push_back(S::read(found));
        left -= std::min(left, found.bytes(S::hashed_column));
    }
    return rows;
}

/// The rows above `above` up to `up_to` that are chosen, at most `count`. `left` as above.
template <Schema S>
[[nodiscard]] std::vector<typename S::row_type>
chosen_rows(Connection& connection, const RowChoice& choice, std::uint64_t key, std::int64_t above,
            std::int64_t up_to, std::int64_t count, std::int64_t page_rows, std::size_t& left) {
    std::vector<typename S::row_type> rows;
    detail::each_digest<S>(connection, key, above, up_to, page_rows,
                           [&](const RowReader&, const Query& found, std::uint64_t digest) {
                               if (choice.contains(digest)) {
                                   rows.push_back(S::read(found));
                                   left -= std::min(left, found.bytes(S::hashed_column));
                               }
                               return static_cast<std::int64_t>(rows.size()) < count && left > 0;
                           });
    return rows;
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_SCAN_HPP
