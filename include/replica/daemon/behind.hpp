// Which databases each peer is not known to have in full, and since when. A pass tells of a peer
// only whether its turn went well; how far the peer lags is what came of all turns together.
#ifndef REPLICA_DAEMON_BEHIND_HPP
#define REPLICA_DAEMON_BEHIND_HPP

#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

namespace replica::daemon {

/// How far a peer is behind.
struct Lag {
    std::int64_t databases = 0; ///< The peer is not known to have all of them.
    std::int64_t rows = 0;      ///< In them, as far as they could be counted.
    Timestamp since{};          ///< Since which second it is so of one of them; 0: of none.

    /// For how many seconds a database has not been there in full.
    [[nodiscard]] double age(Timestamp now) const {
        return since == Timestamp{} || now < since ? 0 : now.seconds() - since.seconds();
    }
};

/// The databases that peers lack in part. Sums are kept as entries change: a scrape asks for those
/// of all peers under the lock that every event takes. Not thread safe.
class Behind {
public:
    /// Entries of all peers together, about 60 bytes each. Databases beyond that are not counted.
    static constexpr std::size_t max_entries = 262'144;

    /// The turn of `peer` did not come to a good end. `path` has rows up to `max_row` here; the
    /// peer has those up to `reached`. If nobody knows, rows count that come from now on. `pass` is
    /// the pass that is running, or the next one.
    void fails(const std::string& peer, const std::string& path, std::int64_t max_row,
               std::optional<std::int64_t> reached, std::uint64_t pass, Timestamp now) {
        Lacking& lacking = peers_[peer];
        const std::size_t key = std::hash<std::string>{}(path);
        auto found = lacking.databases.find(key);
        if (found == lacking.databases.end()) {
            if (entries_ >= max_entries) {
                return;
            }
            ++entries_;
            const std::int64_t second = now.ticks / Timestamp::ticks_per_second;
            ++lacking.since[second];
            found =
                lacking.databases.emplace(key, Entry{0, reached.value_or(max_row), max_row, second})
                    .first;
        } else {
            lacking.rows -= found->second.rows();
        }
        Entry& entry = found->second;
        entry.pass = pass;
        entry.max_row = std::max(entry.max_row, max_row);
        entry.reached = reached ? *reached : std::min(entry.reached, entry.max_row);
        lacking.rows += entry.rows();
    }

    /// The peer has all of `path`.
    void succeeds(const std::string& peer, const std::string& path) {
        const auto found = peers_.find(peer);
        if (found == peers_.end()) {
            return;
        }
        Lacking& lacking = found->second;
        const auto database = lacking.databases.find(std::hash<std::string>{}(path));
        if (database != lacking.databases.end()) {
            lacking.forget(database->second);
            lacking.databases.erase(database);
            --entries_;
        }
    }

    /// A pass over all databases has ended. What it did not come to is no concern of the peer any
    /// more: each database that a peer lacks is opened in every pass.
    void end_pass(std::uint64_t pass) {
        for (auto& [peer, lacking] : peers_) {
            for (auto each = lacking.databases.begin(); each != lacking.databases.end();) {
                if (each->second.pass < pass) {
                    lacking.forget(each->second);
                    each = lacking.databases.erase(each);
                    --entries_;
                } else {
                    ++each;
                }
            }
        }
    }

    /// Forgets all other peers.
    void keep_only(const std::set<std::string>& peers) {
        std::erase_if(peers_, [&](const auto& each) {
            const bool gone = !peers.contains(each.first);
            entries_ -= gone ? each.second.databases.size() : 0;
            return gone;
        });
    }

    /// Takes as long for many databases as for few.
    [[nodiscard]] Lag of(const std::string& peer) const {
        const auto found = peers_.find(peer);
        if (found == peers_.end() || found->second.databases.empty()) {
            return {};
        }
        const Lacking& lacking = found->second;
        return {std::ssize(lacking.databases), lacking.rows,
                Timestamp{lacking.since.begin()->first * Timestamp::ticks_per_second}};
    }

private:
    static constexpr std::int64_t none = 0; ///< The first row is 1; a peer without a copy has -1.

    struct Entry {
        std::uint64_t pass = 0;
        std::int64_t reached = -1;
        std::int64_t max_row = -1;
        std::int64_t since = 0; ///< Seconds since 1970.

        [[nodiscard]] std::int64_t rows() const {
            return std::max<std::int64_t>(0, max_row - std::max(reached, none));
        }
    };

    /// Of one peer.
    struct Lacking {
        std::unordered_map<std::size_t, Entry> databases{};
        std::int64_t rows = 0;
        std::map<std::int64_t, std::int64_t> since{}; ///< How many since each second.

        void forget(const Entry& entry) {
            rows -= entry.rows();
            const auto second = since.find(entry.since);
            if (--second->second == 0) {
                since.erase(second);
            }
        }
    };

    std::map<std::string, Lacking> peers_{};
    std::size_t entries_ = 0;
};

} // namespace replica::daemon

#endif
