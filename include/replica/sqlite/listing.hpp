#ifndef REPLICA_SQLITE_LISTING_HPP
#define REPLICA_SQLITE_LISTING_HPP

// Names in order, a page at a time: the listing of a container or an account. Names are compared
// byte by byte. All names with one beginning up to the delimiter become one entry, and the index
// skips over them.

#include <replica/sqlite/connection.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

/// What to list. Every field is optional.
struct Listing {
    std::string prefix{}; ///< Only names that begin with it.
    std::string marker{}; ///< Only names after this one. "\x01" leaves out Swift's reserved names,
                          ///< which begin with NUL.
    std::string end_marker{};    ///< Only names before this one; empty: no end.
    std::string delimiter{};     ///< Names with this text behind the prefix are folded to one.
    std::int64_t limit = 10'000; ///< Entries.
    std::int64_t storage_policy_index = 0; ///< Containers: the policy of the rows.
};

/// A row, or the common beginning of names up to and including the delimiter.
template <class Row>
struct Listed {
    Row row;           ///< Its name is set in both cases.
    bool fold = false; ///< The beginning of several names, not a row.
};

namespace sqlite {

/// The least text greater than all texts that begin with `text`; empty if there is none.
[[nodiscard]] inline std::string after_all(std::string text) {
    while (!text.empty() && static_cast<unsigned char>(text.back()) == 0xff) {
        text.pop_back();
    }
    if (!text.empty()) {
        text.back() = static_cast<char>(static_cast<unsigned char>(text.back()) + 1);
    }
    return text;
}

/// Lists live rows of an open database; never tombstones. `S` is a schema.
template <class S>
[[nodiscard]] std::vector<Listed<typename S::row_type>> list(Connection& connection,
                                                             const Listing& wanted) {
    std::vector<Listed<typename S::row_type>> result;
    std::string from = std::max(wanted.marker, wanted.prefix);
    bool inclusive = from != wanted.marker; // the prefix itself may be a name
    const std::string end_of_prefix = after_all(wanted.prefix);
    const std::string end = wanted.end_marker.empty() || end_of_prefix.empty()
                                ? wanted.end_marker + end_of_prefix
                                : std::min(wanted.end_marker, end_of_prefix);
    const auto full = [&] { return static_cast<std::int64_t>(result.size()) >= wanted.limit; };
    bool more = true;
    while (more && !full()) {
        more = false;
        const std::string sql = std::string(S::select_live) + " AND name " +
                                (inclusive ? ">= ?" : "> ?") + " AND (? = '' OR name < ?)" +
                                " ORDER BY name LIMIT ?";
        Query found = connection.query(sql);
        found.bind(wanted.storage_policy_index, from, end, end,
                   wanted.limit - static_cast<std::int64_t>(result.size()));
        while (found.step()) {
            auto row = S::read(found);
            const std::size_t delimiter =
                wanted.delimiter.empty() ? std::string::npos
                                         : row.name.find(wanted.delimiter, wanted.prefix.size());
            if (delimiter == std::string::npos) {
                result.push_back({std::move(row), false});
                continue;
            }
            typename S::row_type fold;
            fold.name = row.name.substr(0, delimiter + wanted.delimiter.size());
            from = after_all(fold.name);
            inclusive = true;
            more = !from.empty(); // go on with the first name after the fold
            if (fold.name != wanted.marker) {
                result.push_back({std::move(fold), true});
            }
            break;
        }
    }
    return result;
}

} // namespace sqlite
} // namespace replica

#endif // REPLICA_SQLITE_LISTING_HPP
