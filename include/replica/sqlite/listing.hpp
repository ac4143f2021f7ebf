#ifndef REPLICA_SQLITE_LISTING_HPP
#define REPLICA_SQLITE_LISTING_HPP

// Names in order, a page at a time, as a listing of a container or an account gives them. Names are
// compared byte by byte. A delimiter folds all names behind it into one entry, and the fold is
// skipped over in the index instead of being read.

#include <replica/sqlite/connection.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

/// What to list. Everything is optional.
struct Listing {
    std::string prefix{};
    std::string marker{};     ///< Only names after this one. "\x01" leaves out Swift's reserved
                              ///< names, which begin with NUL.
    std::string end_marker{}; ///< Only names before this one; empty: no end.
    std::string delimiter{};
    std::int64_t limit = 10'000;           ///< Entries.
    std::int64_t storage_policy_index = 0; ///< Containers: of the rows wanted.
};

/// A row, or a common beginning of names up to and with the delimiter.
template <class Row>
struct Listed {
    Row row; ///< Its name is set in both cases.
    bool fold = false;
};

namespace sqlite {

/// The least text that is greater than all that begin with `text`; empty if there is none.
[[nodiscard]] inline std::string after_all(std::string text) {
    while (!text.empty() && static_cast<unsigned char>(text.back()) == 0xff) {
        text.pop_back();
    }
    if (!text.empty()) {
        text.back() = static_cast<char>(static_cast<unsigned char>(text.back()) + 1);
    }
    return text;
}

/// Lists live rows of an open database. `S` is a schema. Tombstones are never listed.
template <class S>
[[nodiscard]] std::vector<Listed<typename S::row_type>> list(Connection& connection,
                                                             const Listing& wanted) {
    std::vector<Listed<typename S::row_type>> result;
    std::string from = std::max(wanted.marker, wanted.prefix);
    bool inclusive = from != wanted.marker; // the prefix itself is a name with that prefix
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
            more = !from.empty(); // on with the first name that is not in it
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
