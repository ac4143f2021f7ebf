#ifndef REPLICA_SQLITE_MERGE_HPP
#define REPLICA_SQLITE_MERGE_HPP

// Inserts and removes rows, and keeps the hash and the counts of the database right. Swift's
// triggers update these for each row; we add up the changes and write them once per transaction,
// with the same result. Rows are merged in the order of their names: the cost of a merge is the
// cost of the pages of the name index. One statement looks for many names, and one inserts many
// rows: beginning and ending a statement costs more than what it does for a row.

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
        for (std::span<const Incoming> rest(incoming); !rest.empty();) {
            const auto some = rest.first(std::min(rest.size(), at_once));
            const auto held = find(some);
            for (std::size_t i = 0; i < some.size(); ++i) {
                put_one(some[i], held[i], forgotten, merged);
            }
            rest = rest.subspan(some.size());
        }
        write_waiting();
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

    /// The rows of one key that are here.
    struct Held {
        std::optional<State> state{}; ///< All of them joined.
        std::vector<std::int64_t> rowids{};

        void add(const Query& found) { add(State::stored(S::read(found)), S::read_rowid(found)); }
        void add(State other, std::int64_t rowid) {
            if (state) {
                state->join(other); // Swift before 2.2 could make a second row of this key
            } else {
                state = std::move(other);
            }
            rowids.push_back(rowid);
        }
    };

    /// Rows of one statement. More gain little, and a longer text is more to compile: 44 us in
    /// place of 14 to look, 52 in place of 6 to insert, which pays from `worth` rows on. Of 10,000
    /// new rows into 50,000 each takes 6 to 8 us in SQLite one by one, and 3 so.
    static constexpr std::size_t at_once = 24;
    static constexpr std::size_t worth = 16;

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

    /// What is here of the keys of `some`, which are in order.
    [[nodiscard]] std::vector<Held> find(std::span<const Incoming> some) {
        std::vector<Held> held(some.size());
        if (some.size() < worth) {
            for (std::size_t i = 0; i < some.size(); ++i) {
                Query found = connection_->query(S::select_key);
                S::bind_key(found, some[i].state);
                while (found.step()) {
                    held[i].add(found);
                }
            }
            return held;
        }
        static const std::string select = select_names();
        Query found = connection_->query(select);
        for (std::size_t i = 0; i < some.size(); ++i) {
            if (i == 0 || some[i].state.name != some[i - 1].state.name) { // else another policy
                found.add(some[i].state.name);
            }
        }
        while (found.step()) { // of all policies
            State state = State::stored(S::read(found));
            const auto at = std::ranges::lower_bound(some, state.key(), {}, &Incoming::key);
            if (at != some.end() && at->key() == state.key()) {
                held[static_cast<std::size_t>(at - some.begin())].add(std::move(state),
                                                                      S::read_rowid(found));
            }
        }
        return held;
    }

    void put_one(const Incoming& incoming, const Held& held, Timestamp forgotten, Merged& merged) {
        State result = held.state.value_or(incoming.state);
        Joined joined;
        if (held.state) {
            joined = result.join(incoming.state, incoming.origin);
        } else {
            joined.changed =
                !incoming.may_have_been_here || !incoming.state.is_tombstone_from_before(forgotten);
        }
        merged.changed += joined.changed ? 1 : 0;
        // After a tie our row gets a new ROWID even if it stays as it is. The row then lies above
        // the points of others, so it is sent to the replica that has the losing row.
        if (joined.changed || joined.tie || held.rowids.size() > 1) {
            replaced_.insert(replaced_.end(), held.rowids.begin(), held.rowids.end());
            insert(result.row());
        }
    }

    void insert(Row row) {
        totals_.hash.toggle(row.name, S::hashed(row));
        S::count(totals_.counts[policy_of(row)], row, 1);
        waiting_.push_back(std::move(row));
        if (waiting_.size() == at_once) {
            write_waiting();
        }
    }

    /// Inserts the rows in the order in which they came, so that their ROWIDs are in it. Those that
    /// they replace go afterwards: a new ROWID is above theirs even where sqlite_sequence is wrong.
    void write_waiting() {
        static const std::string insert = insert_rows();
        const bool full = waiting_.size() == at_once;
        for (std::span<const Row> rest(waiting_); !rest.empty();) {
            const auto some = full ? rest : rest.first(1);
            Query query = connection_->query(full ? std::string_view(insert) : S::insert);
            for (const Row& row : some) {
                S::bind_row(query, row);
            }
            query.run();
            rest = rest.subspan(some.size());
        }
        waiting_.clear();
        for (const std::int64_t rowid : replaced_) {
            remove(rowid);
        }
        replaced_.clear();
    }

    /// S::select_key for many names, and whatever policy. A join of this form, unlike `name IN`,
    /// has the plan of one name also where a file has old statistics (ANALYZE): a scan of the whole
    /// table for each statement would be the price. A null stands where fewer are looked for.
    [[nodiscard]] static std::string select_names() {
        constexpr std::string_view key(S::select_key);
        std::string sql(key.substr(0, key.find(" FROM ")));
        sql.append(" FROM (VALUES (?)");
        for (std::size_t i = 1; i < at_once; ++i) {
            sql.append(", (?)");
        }
        return sql.append(") CROSS JOIN (SELECT 0 AS dead UNION ALL SELECT 1) CROSS JOIN ")
            .append(S::rows)
            .append(" WHERE deleted = dead AND name BETWEEN column1 AND column1");
    }

    /// S::insert for many rows.
    [[nodiscard]] static std::string insert_rows() {
        constexpr std::string_view one(S::insert);
        constexpr std::string_view values = one.substr(one.rfind('('));
        std::string sql(one);
        for (std::size_t i = 1; i < at_once; ++i) {
            sql.append(", ").append(values);
        }
        return sql;
    }

    void remove_found(const Query& found) {
        const Row row = S::read(found);
        totals_.hash.toggle(row.name, S::read_hashed(found));
        S::count(totals_.counts[policy_of(row)], row, -1);
        connection_->query(S::remove).bind(row.rowid).run();
    }

    Connection* connection_;
    Totals totals_;
    std::vector<Row> waiting_;           ///< To be inserted; empty between two calls.
    std::vector<std::int64_t> replaced_; ///< The rows that are removed for them.
};

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_MERGE_HPP
