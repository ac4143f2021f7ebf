// Which databases each peer is not known to have in full, and since when. A pass tells of a peer
// only whether its turn went well; how far the peer lags is what came of all turns together.
#ifndef REPLICA_DAEMON_BEHIND_HPP
#define REPLICA_DAEMON_BEHIND_HPP

#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
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
    Timestamp since{};          ///< Since when it is so of one of them; 0: there is none.
};

/// The databases that peers lack in part. Not thread safe.
class Behind {
public:
    /// Entries of all peers together, about 60 bytes each. Databases beyond that are not counted.
    static constexpr std::size_t max_entries = 262'144;

    /// The turn of `peer` did not come to a good end. `path` has rows up to `max_row` here; the
    /// peer has those up to `reached`. If nobody knows, rows count that come from now on. `pass` is
    /// the pass that is running, or the next one.
    void fails(const std::string& peer, const std::string& path, std::int64_t max_row,
               std::optional<std::int64_t> reached, std::uint64_t pass, Timestamp now) {
        auto& databases = peers_[peer];
        const std::size_t key = std::hash<std::string>{}(path);
        auto found = databases.find(key);
        if (found == databases.end()) {
            if (entries_ >= max_entries) {
                return;
            }
            ++entries_;
            found = databases.emplace(key, Entry{0, reached.value_or(max_row), max_row, now}).first;
        }
        Entry& entry = found->second;
        entry.pass = pass;
        entry.max_row = std::max(entry.max_row, max_row);
        entry.reached = reached ? *reached : std::min(entry.reached, entry.max_row);
    }

    /// The peer has all of `path`.
    void succeeds(const std::string& peer, const std::string& path) {
        const auto found = peers_.find(peer);
        if (found != peers_.end()) {
            entries_ -= found->second.erase(std::hash<std::string>{}(path));
        }
    }

    /// A pass over all databases has ended. What it did not come to is no concern of the peer any
    /// more: each database that a peer lacks is opened in every pass.
    void end_pass(std::uint64_t pass) {
        for (auto& [peer, databases] : peers_) {
            entries_ -=
                std::erase_if(databases, [&](const auto& each) { return each.second.pass < pass; });
        }
    }

    /// Forgets all other peers.
    void keep_only(const std::set<std::string>& peers) {
        std::erase_if(peers_, [&](const auto& each) {
            const bool gone = !peers.contains(each.first);
            entries_ -= gone ? each.second.size() : 0;
            return gone;
        });
    }

    [[nodiscard]] Lag of(const std::string& peer) const {
        Lag lag;
        const auto found = peers_.find(peer);
        if (found == peers_.end()) {
            return lag;
        }
        for (const auto& [key, entry] : found->second) {
            ++lag.databases;
            lag.rows += std::max<std::int64_t>(0, entry.max_row - std::max(entry.reached, none));
            lag.since = lag.since == Timestamp{} ? entry.since : std::min(lag.since, entry.since);
        }
        return lag;
    }

private:
    static constexpr std::int64_t none = 0; ///< The first row is 1; a peer without a copy has -1.

    struct Entry {
        std::uint64_t pass = 0;
        std::int64_t reached = -1;
        std::int64_t max_row = -1;
        Timestamp since{};
    };

    std::map<std::string, std::unordered_map<std::size_t, Entry>> peers_{};
    std::size_t entries_ = 0;
};

} // namespace replica::daemon

#endif
