#ifndef REPLICA_SQLITE_MERGE_HPP
#define REPLICA_SQLITE_MERGE_HPP

// Inserts and removes rows, and keeps the hash and the counts of the database right. Swift's
// triggers update these for each row; we add up the changes and write them once per transaction,
// with the same result. Rows are merged in the order of their names: the cost of a merge is the
// cost of the pages of the name index.

#include <replica/error.hpp>
#include <replica/rows/merge.hpp>
#include <replica/sqlite/chexor.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::sqlite {

/// Changes of a database's hash and sums. The numbers wrap around: numbers from a peer may
/// overflow.
struct Totals {
    struct Counts {
        std::uint64_t rows = 0;    ///< Live rows.
        std::uint64_t objects = 0; ///< Accounts: objects in the containers.
        std::uint64_t bytes = 0;
    };

    Chexor hash;                           ///< XOR of the rows that were added or removed.
    std::map<std::int64_t, Counts> counts; ///< By storage policy.
};

/// Rows of a kind without storage policies count as those of policy 0.
template <class Row>
[[nodiscard]] std::int64_t policy_of(const Row& row) {
    if constexpr (requires { row.storage_policy_index; }) {
        return row.storage_policy_index;
    }
    return 0;
}

/// What a merge has done.
struct Merged {
    std::int64_t changed = 0; ///< Rows written because they had something newer than ours.
};

/// Changes of rows in one transaction. Begin a write transaction, call put and remove, then finish,
/// then commit. `S` is a schema (schema.hpp).
template <class S>
class RowChanges {
public:
    using State = typename S::state_type;
    using Row = typename S::row_type;

    explicit RowChanges(Connection& connection) : connection_(&connection) {}

    /// Merges rows of another replica or of a client. Rows with a ROWID up to `known` are repeats:
    /// they undo nothing that came after them. A tombstone from before `forgotten` whose name is
    /// not here was reclaimed here, and is no news, if it is a repeat or nobody knows whether it is
    /// one: else it would go round (defect 116). Throws bad_request, with nothing written, if a row
    /// cannot be used.
    Merged put(std::span<const Row> rows, std::optional<std::int64_t> known = {},
               Timestamp forgotten = {}) {
        Merged merged;
        const auto incoming = connection_->with_path([&] { return combine(rows, known); });
        for (const Incoming& each : incoming) {
            put_one(each, forgotten, merged);
        }
        return merged;
    }

    /// Removes a row. False if there is no row with this ROWID; ROWIDs are never given out twice.
    bool remove(std::int64_t rowid) {
        Query find = connection_->query(S::select_rowid);
        if (!find.bind(rowid).step()) {
            return false;
        }
        remove_found(find);
        return true;
    }

    /// Writes hash and sums. Throws corrupt if the stored hash is not 32 hexadecimal digits.
    void finish() {
        if (totals_.counts.empty()) {
            return;
        }
        auto hash = Chexor::parse(connection_->text(S::select_hash));
        if (!hash) {
            throw Failure(Error::corrupt,
                          connection_->path() + ": its stored hash is not 32 hexadecimal digits");
        }
        totals_.hash ^= *hash;
        S::write_totals(*connection_, totals_);
    }

private:
    struct Incoming {
        State state;
        RowOrigin origin;
        bool may_have_been_here;

        [[nodiscard]] auto key() const { return state.key(); }
    };

    /// The rows as states, sorted by key and one for each key. Of two rows with one key in a batch,
    /// the later counts as news to the earlier.
    [[nodiscard]] static std::vector<Incoming> combine(std::span<const Row> rows,
                                                       std::optional<std::int64_t> known) {
        std::vector<Incoming> incoming;
        incoming.reserve(rows.size());
        for (const Row& row : rows) {
            const bool repeat = known && row.rowid <= *known;
            incoming.push_back({State::of(row), repeat ? RowOrigin::repeat : RowOrigin::news,
                                repeat || !known.has_value()});
        }
        std::ranges::stable_sort(incoming, {}, &Incoming::key);
        std::size_t kept = 0;
        for (std::size_t i = 1; i < incoming.size(); ++i) {
            if (incoming[i].key() == incoming[kept].key()) {
                incoming[kept].state.join(incoming[i].state, RowOrigin::news);
                incoming[kept].origin = incoming[i].origin;
                incoming[kept].may_have_been_here = incoming[i].may_have_been_here;
            } else if (++kept != i) {
                incoming[kept] = std::move(incoming[i]);
            }
        }
        if (!incoming.empty()) {
            incoming.erase(incoming.begin() + static_cast<std::ptrdiff_t>(kept) + 1,
                           incoming.end());
        }
        return incoming;
    }

    void put_one(const Incoming& incoming, Timestamp forgotten, Merged& merged) {
        State result = incoming.state;
        std::vector<std::int64_t> rowids;
        bool changed = true;
        bool tie = false;
        {
            Query find = connection_->query(S::select_key);
            S::bind_key(find, incoming.state);
            while (find.step()) {
                State held = State::stored(S::read(find));
                if (rowids.empty()) {
                    result = std::move(held);
                } else {
                    result.join(held); // Swift before 2.2 could make a second row of this key
                }
                rowids.push_back(S::read_rowid(find));
            }
            if (!rowids.empty()) {
                const Joined joined = result.join(incoming.state, incoming.origin);
                changed = joined.changed;
                tie = joined.tie;
            } else {
                changed = !incoming.may_have_been_here ||
                          !incoming.state.is_tombstone_from_before(forgotten);
            }
        }
        merged.changed += changed ? 1 : 0;
        // After a tie our row gets a new ROWID even if it stays as it is. The row then lies above
        // the points of others, so it is sent to the replica that has the losing row.
        if (changed || tie || rowids.size() > 1) {
            for (const std::int64_t rowid : rowids) {
                remove(rowid);
            }
            insert(result.row());
        }
    }

    void insert(const Row& row) {
        Query query = connection_->query(S::insert);
        S::bind_row(query, row);
        query.run();
        totals_.hash.toggle(row.name, S::hashed(row));
        S::count(totals_.counts[policy_of(row)], row, 1);
    }

    void remove_found(const Query& found) {
        const Row row = S::read(found);
        totals_.hash.toggle(row.name, S::read_hashed(found));
        S::count(totals_.counts[policy_of(row)], row, -1);
        connection_->query(S::remove).bind(row.rowid).run();
    }

    Connection* connection_;
    Totals totals_;
};

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_MERGE_HPP
