#ifndef REPLICA_SIM_STATE_HPP
#define REPLICA_SIM_STATE_HPP

// A simulated database as a value: the tables of a real one in ordered maps, and the changes that
// replication makes. No files, no locks, no clock: the handles in sim/database.hpp read a value,
// change a copy and commit it in one step.

#include <replica/container/shards.hpp>
#include <replica/error.hpp>
#include <replica/kind.hpp>
#include <replica/rows/metadata.hpp>
#include <replica/sim/rows.hpp>
#include <replica/words/info.hpp>
#include <replica/words/md5.hpp>
#include <replica/words/notes.hpp>
#include <replica/words/times.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::sim {

/// A row of a sync table.
struct Mark {
    std::int64_t point = -1;
    Timestamp touched; ///< When it was last written.

    friend bool operator==(const Mark&, const Mark&) = default;
};

/// An account or a container (`K`: see kind.hpp).
template <Kind K>
struct State {
    using info_type = typename K::info_type;
    using row_type = typename K::row_type;
    using Traits = RowTraits<row_type>;
    using Marks = std::map<std::string, Mark, std::less<>>;

    info_type stat; ///< As stored; hash, count, bytes_used and max_row come from the rows.
    std::map<std::int64_t, row_type> rows; ///< By ROWID.
    std::map<typename Traits::Key, std::int64_t> index;
    std::set<std::int64_t> policies; ///< Of all rows ever, and of the container.
    Md5Digest hash{};                ///< As stored; in a damaged file it may be wrong.
    std::int64_t max_row = -1;
    Marks incoming;
    Marks outgoing;
    std::map<std::string, ShardRange> shard_ranges; ///< By name; none in accounts.
    std::int64_t shard_max_row = -1;
    std::uint64_t version = 0;     ///< The number of commits.
    std::optional<Error> damage{}; ///< The error that opening reports.

    [[nodiscard]] info_type info() const {
        info_type result = stat;
        result.hash = to_hex(hash);
        result.max_row = max_row;
        result.count = 0;
        result.bytes_used = 0;
        if constexpr (requires { result.object_count; }) {
            result.object_count = 0;
        } else {
            result.live_rows = 0;
        }
        for (const auto& [rowid, row] : rows) {
            add(row, result);
        }
        if constexpr (requires { result.shard_max_row; }) {
            result.shard_max_row = shard_max_row;
            result.has_shards = has_shards();
            result.sharding_initiated = sharding_initiated();
        }
        if constexpr (requires { result.several_policies; }) {
            auto all = policies;
            all.insert(result.storage_policy_index);
            result.several_policies = all.size() > 1;
        }
        return result;
    }

    [[nodiscard]] std::string own_range() const { return stat.account + '/' + stat.container; }

    /// Every container here is a root.
    [[nodiscard]] bool has_shards() const {
        return std::ranges::any_of(shard_ranges, [&](const auto& each) {
            return each.first != own_range() && each.second.deleted == 0;
        });
    }

    [[nodiscard]] bool sharding_initiated() const {
        const auto own = shard_ranges.find(own_range());
        return own != shard_ranges.end() && shards::gives_rows_away(own->second.state) &&
               has_shards();
    }

    /// Returns whether anything was newer. Each range that is written gets a new ROWID.
    bool merge_shard_ranges(std::span<const ShardRange> news, Timestamp forgotten = {}) {
        const auto changes = shards::changes(shard_ranges, news, own_range(), forgotten);
        for (const auto& [name, range] : changes) {
            shard_ranges.insert_or_assign(name, range);
            shard_max_row = std::max<std::int64_t>(shard_max_row, 0) + 1;
        }
        return !changes.empty();
    }

    /// Sets the container's policy, so that other rows are misplaced. Returns whether it changed.
    bool change_policy(std::int64_t index)
        requires requires(info_type info) { info.storage_policy_index; }
    {
        if (stat.storage_policy_index == index) {
            return false;
        }
        policies.insert(stat.storage_policy_index);
        stat.storage_policy_index = index;
        stat.reconciler_sync_point = -1;
        return true;
    }

    /// Rows of another policy than the container's wait for the reconciler and are not counted.
    static void add(const ObjectRow& row, info_type& info)
        requires requires { info.storage_policy_index; }
    {
        info.live_rows += 1 - row.deleted;
        if (row.storage_policy_index == info.storage_policy_index) {
            info.count += 1 - row.deleted;
            info.bytes_used += row.size;
        }
    }

    static void add(const ContainerRow& row, info_type& info)
        requires requires { info.object_count; }
    {
        info.count += 1 - row.deleted;
        info.object_count += row.object_count;
        info.bytes_used += row.bytes_used;
    }

    /// At most `limit` rows above `point`, rising.
    [[nodiscard]] std::vector<row_type> since(std::int64_t point, std::int64_t limit) const {
        std::vector<row_type> result;
        for (auto at = rows.upper_bound(point);
             at != rows.end() && static_cast<std::int64_t>(result.size()) < limit; ++at) {
            result.push_back(at->second);
        }
        return result;
    }

    [[nodiscard]] const Marks& marks(Direction direction) const {
        return direction == Direction::incoming ? incoming : outgoing;
    }

    [[nodiscard]] Marks& marks(Direction direction) {
        return direction == Direction::incoming ? incoming : outgoing;
    }

    /// Merges rows in one transaction, in the order of their keys. A row that changes a stored row
    /// replaces it under a new ROWID, as Swift's DELETE and INSERT with AUTOINCREMENT do: so peers
    /// see the change above their sync point. The winner of a tie gets a new ROWID too, even if it
    /// was stored before: the replica that has the losing row must get it (as in sqlite/merge.hpp).
    /// Rows up to ROWID `known` are repeats.
    void merge(std::span<const row_type> news, std::optional<std::int64_t> known = {}) {
        struct Incoming {
            typename Traits::state_type state;
            RowOrigin origin;
        };
        std::map<typename Traits::Key, Incoming> combined;
        for (const row_type& row : news) {
            const bool repeat = known && row.rowid <= *known;
            const Incoming incoming{Traits::state_type::of(row),
                                    repeat ? RowOrigin::repeat : RowOrigin::news};
            const auto [at, fresh] = combined.try_emplace(Traits::key(row), incoming);
            if (!fresh) {
                at->second.state.join(incoming.state, RowOrigin::news);
                at->second.origin = incoming.origin;
            }
        }
        for (const auto& [key, incoming] : combined) {
            auto result = incoming.state;
            if (const auto found = index.find(key); found != index.end()) {
                result = Traits::state_type::stored(rows.at(found->second));
                const Joined joined = result.join(incoming.state, incoming.origin);
                if (!joined.changed && !joined.tie) {
                    continue;
                }
                erase(found->second);
            }
            insert(result.row());
        }
    }

    void raise(Direction direction, std::string_view remote, std::int64_t point, Timestamp now) {
        Mark& mark = marks(direction)[std::string(remote)];
        mark = {std::max(mark.point, point), now};
    }

    /// Returns whether the database became deleted or undeleted.
    bool merge(const Timestamps& times) {
        const bool before = deleted();
        const Timestamps now = merged(times, stat.timestamps());
        stat.created_at = now.created_at;
        stat.put_timestamp = now.put_timestamp;
        stat.delete_timestamp = now.delete_timestamp;
        return deleted() != before;
    }

    /// Returns whether anything was newer.
    bool merge(const Metadata& metadata, Timestamp forgotten = {}) {
        Metadata mine = Metadata::parse_to_change(stat.metadata);
        const bool news = mine.merge(metadata, forgotten);
        if (news) {
            stat.metadata = mine.text();
        }
        return news;
    }

    /// status_changed_at never falls.
    void change_status(Timestamp now) {
        if (timestamp_or_zero(stat.status_changed_at) < now) {
            stat.status_changed_at = now.internal();
        }
    }

    [[nodiscard]] bool deleted() const {
        return timestamp_or_zero(stat.delete_timestamp) > timestamp_or_zero(stat.put_timestamp) &&
               info().count == 0;
    }

    /// Drops tombstones and deleted metadata keys older than `age` that are in `confirmed`, and
    /// points not written since `sync_age`. Returns whether anything was dropped.
    bool reclaim(const info_type& confirmed, Timestamp age, Timestamp sync_age) {
        std::size_t dropped = 0;
        for (auto at = rows.begin(); at != rows.end() && at->first <= confirmed.max_row;) {
            const std::int64_t rowid = at->first;
            const row_type& row = at->second;
            const bool old = row.deleted != 0 && Traits::deleted_at(row) < age;
            ++at;
            if (old) {
                erase(rowid);
                ++dropped;
            }
        }
        const auto forgotten = [sync_age](const auto& mark) {
            return mark.second.touched < sync_age && mark.first != notes::agreed();
        };
        dropped += std::erase_if(incoming, forgotten) + std::erase_if(outgoing, forgotten);
        Metadata metadata = Metadata::parse_stored(stat.metadata);
        const bool removed = metadata.reclaim(age, Metadata::parse_stored(confirmed.metadata));
        if (removed) {
            stat.metadata = metadata.text();
        }
        return dropped != 0 || removed;
    }

    /// Everything reported to the account counts as not reported (Swift: _newid).
    void forget_reports() {
        if constexpr (requires { stat.reported_put_timestamp; }) {
            stat.reported_put_timestamp = "0";
            stat.reported_delete_timestamp = "0";
            stat.reported_object_count = 0;
            stat.reported_bytes_used = 0;
        }
    }

    /// The hash computed from the rows.
    [[nodiscard]] Md5Digest computed_hash() const {
        State empty;
        for (const auto& [rowid, row] : rows) {
            empty.toggle(Traits::digest(row));
        }
        return empty.hash;
    }

private:
    void insert(row_type row) {
        row.rowid = max_row = std::max<std::int64_t>(max_row, 0) + 1;
        toggle(Traits::digest(row));
        index[Traits::key(row)] = row.rowid;
        policies.insert(row.storage_policy_index);
        rows.emplace(row.rowid, std::move(row));
    }

    void erase(std::int64_t rowid) {
        const auto at = rows.find(rowid);
        toggle(Traits::digest(at->second));
        index.erase(Traits::key(at->second));
        rows.erase(at);
    }

    void toggle(const Md5Digest& digest) {
        std::ranges::transform(hash, digest, hash.begin(), std::bit_xor<>());
    }
};

} // namespace replica::sim

#endif // REPLICA_SIM_STATE_HPP
