#ifndef REPLICA_SEND_LEDGER_HPP
#define REPLICA_SEND_LEDGER_HPP

// Which databases need no work. A pass over a database that nobody has touched opens it, asks every
// peer, and learns nothing. The ledger remembers the state of a file whose content every peer was
// seen to have, so that the next passes look at that file with one stat and go on.
//
// The order for one database, in which a writer may come between any two steps:
//   1. the walk lists the hash directory: nothing beside the database but a lock, and a .pending
//      file without entries, so no transaction is under way;
//   2. the state of the file is read: S;
//   3. the database is opened and read, and its peers are asked;
//   4. every peer has the same content, and nothing is left to do but what time makes due;
//   5. the state is read again and must still be S; S is remembered.
// A write before 3 is part of what the peers have. A later one changes the state: it gives the file
// a new time. File systems tell times apart by some milliseconds only, so a state whose times are
// younger than two seconds at step 2 is not remembered: a write just after 3 might leave the same.
//
// The ledger only skips work: it moves no point and deletes no copy. It cannot see a peer that
// loses its copy, so each database is opened in one of recheck_passes passes all the same. A peer
// that lacks what it has confirmed, or whose device is out of use, is not believed in any other
// entry. A database that is opened, or found in another state, is awake until it is confirmed.
//
// With a feed (feed.hpp) most passes walk nothing. The last walk has left an entry for each
// database it has met, asleep or awake; the feed wakes some, and a pass opens what is awake or due.
// For that the last walk must be younger than Settings::walk_interval and have read all and found
// all where the ring wants it, and the feed must have missed nothing since before that walk began.

#include <replica/clock.hpp>
#include <replica/ring.hpp>
#include <replica/send/file_state.hpp>
#include <replica/words/bytes.hpp>
#include <replica/words/hash_key.hpp>
#include <replica/words/sketch.hpp>
#include <replica/words/summary.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace replica {

/// What the ledger knew of a database that is opened.
struct Known {
    bool same = false;         ///< The file is as it was when all primaries had all of it.
    std::int64_t max_row = -1; ///< The last row that all primaries had.
    std::int64_t reached = -1; ///< The last row that a peer had: a guess for the others.
};

/// The databases of one device of this machine, about 100 bytes each: asleep if every peer has its
/// content, else awake. Not thread safe.
class Ledger {
public:
    static constexpr std::size_t few_cells = 64;   ///< Of a sketch that is always at hand.
    static constexpr Seconds longest_rest{86'400}; ///< Then a database is opened.
    /// `recheck_passes`: every database is opened at least once in so many passes. 1: in
    /// each.
    void begin_pass(int recheck_passes) {
        agreed_.clear();
        recheck_ = static_cast<std::uint64_t>(std::max(recheck_passes, 1));
        ++pass_;
    }

    /// A walk over the whole device begins. Monotonic time.
    void begin_walk(Instant now) {
        walk_began_ = now;
        complete_ = false;
        missed_ = false;
    }

    /// The walk of the device has come to its end: what it has not met is forgotten. `databases`:
    /// how many it has met. `all`: it could read everything, and all lie where they belong.
    void end_walk(std::int64_t databases, bool all = false) {
        walked_ = databases;
        covered_ = pass_;
        complete_ = all;
        std::set<std::uint32_t> used; // a former ring's lists are asked about no more
        for (auto each = entries_.begin(); each != entries_.end();) {
            if (each->second.met == pass_) {
                used.insert(each->second.primaries);
                ++each;
            } else {
                wake(each->second);
                each = entries_.erase(each);
            }
        }
        std::erase_if(groups_, [&](const auto& each) { return !used.contains(each.first); });
    }

    /// Whether the database `hash`, which the walk has met, need not be opened in this pass: state
    /// and primaries (Primaries::digest) are those of then, and time makes no work due.
    [[nodiscard]] bool may_skip(const std::string& hash, const std::optional<FileState>& state,
                                std::uint32_t primaries, Timestamp now) {
        const HashKey key = HashKey::of(hash);
        Entry& entry = entries_[key];
        const bool summed_up = is_summed_up(entry);
        entry.met = pass_;
        if (state != entry.state || primaries != entry.primaries) {
            wake(entry);
        }
        return entry.sleeps() &&
               rests(key, entry, verdict_on(groups_.at(entry.primaries)), summed_up, now);
    }

    // ---- Passes that walk nothing.

    /// The feed has told of a write to the database `hash`, or that it came or went.
    void touch(const std::string& hash) {
        Entry& entry = entries_[HashKey::of(hash)];
        entry.met = pass_; // it may have come back behind the walk that is under way
        wake(entry);
        entry.due = written;
    }

    /// The feed may have missed something.
    void miss() { missed_ = true; }

    /// There is no such database.
    void forget(const std::string& hash) {
        if (const auto found = entries_.find(HashKey::of(hash)); found != entries_.end()) {
            wake(found->second);
            entries_.erase(found);
        }
    }

    /// Whether a pass needs no walk, as far as the ledger knows. `interval`: between walks.
    [[nodiscard]] bool knows_all(Instant now, Seconds interval) const {
        return complete_ && !missed_ && now - walk_began_ < to_duration(interval);
    }

    /// The hashes of the databases that a pass without a walk opens. `digest_of(hash)` is
    /// Primaries::digest by today's ring.
    template <std::invocable<std::string_view> DigestOf>
    [[nodiscard]] std::vector<std::string> to_open(Timestamp now, DigestOf digest_of) {
        std::unordered_map<std::uint32_t, Verdict> verdicts;
        for (const auto& [digest, devices] : groups_) {
            verdicts.emplace(digest, verdict_on(devices));
        }
        std::vector<std::string> found;
        for (auto& [key, entry] : entries_) {
            const auto hash = key.digits();
            if (entry.sleeps() && digest_of({hash.data(), hash.size()}) != entry.primaries) {
                wake(entry);
            }
            if (!rests(key, entry, verdicts[entry.primaries], is_summed_up(entry), now)) {
                found.emplace_back(hash.data(), hash.size());
            }
        }
        covered_ = pass_;
        walked_ = static_cast<std::int64_t>(entries_.size());
        return found;
    }

    /// All primaries have what `hash` has at `state`, up to the row `max_row`. Nothing is to be
    /// done before `due`. `content`: a digest of what they have, the same on every node.
    void confirm(const std::string& hash, const FileState& state, const Primaries& primaries,
                 std::int64_t max_row, Timestamp due, std::uint64_t content) {
        constexpr double last = std::numeric_limits<std::uint32_t>::max();
        if (recheck_ == 1) {
            return;
        }
        Entry& entry = entries_[HashKey::of(hash)];
        if (!entry.sleeps() && entry.due == written) {
            return; // since it was opened
        }
        wake(entry);
        const auto seconds = static_cast<std::uint32_t>(std::clamp(due.seconds(), 0.0, last));
        entry = {state, primaries.digest, seconds, pass_, pass_, max_row, content};
        auto& devices = groups_[primaries.digest];
        if (devices.empty()) {
            std::ranges::transform(primaries.devices, std::back_inserter(devices), &Device::id);
        }
        count(entry, true);
    }

    /// The database is opened: it is awake.
    [[nodiscard]] Known take(const std::string& hash, const std::optional<FileState>& state) {
        Entry& entry = entries_[HashKey::of(hash)];
        const bool all_have = std::exchange(entry.confirmed, 0) > 0;
        const Known known{state == entry.state, all_have ? entry.max_row : -1, entry.max_row};
        wake(entry);
        entry.due = 0;
        return known;
    }

    /// A peer has the rows of `hash`, which was opened, up to `reached`.
    void note_rows(const std::string& hash, std::int64_t reached) {
        entries_[HashKey::of(hash)].max_row = reached;
    }

    /// A peer's device lacks what it has confirmed, or may: nothing that it confirmed counts.
    void distrust(std::int64_t device_id) { distrusted_[device_id] = pass_; }

    // ---- Comparing with another node, see send/summary.hpp.

    /// The devices that share databases with the device `local` of this ledger.
    [[nodiscard]] std::set<std::int64_t> peers_of(std::int64_t local) const {
        std::set<std::int64_t> peers;
        for (const auto& [digest, devices] : groups_) {
            peers.insert(devices.begin(), devices.end());
        }
        peers.erase(local);
        return peers;
    }

    /// What was asleep here, when it was last looked at, together with the device `peer`.
    [[nodiscard]] Summary summary(std::int64_t peer, std::size_t cells) const {
        if (const auto shared = shared_.find(peer);
            shared != shared_.end() && covered_ + 1 >= pass_ && cells == few_cells) {
            return {walked_, shared->second.databases, shared->second.sketch};
        }
        Summary summary{walked_, 0, Sketch(cells)};
        for (const auto& [key, entry] : entries_) {
            if (entry.sleeps() && is_summed_up(entry) && is_shared(entry, peer)) {
                summary.sketch.add(entry.content);
                ++summary.databases;
            }
        }
        return summary;
    }

    /// In this pass `device` has all that was confirmed, but for databases with these contents.
    void agree(std::int64_t device, const std::set<std::uint64_t>& without) {
        agreed_.insert(device);
        if (without.empty()) {
            return;
        }
        for (auto& [key, entry] : entries_) {
            if (entry.sleeps() && without.contains(entry.content) && is_shared(entry, device)) {
                wake(entry);
            }
        }
    }

    /// Nothing is known. To a peer that compares this is another thing than an empty device.
    void clear() {
        entries_.clear();
        groups_.clear();
        shared_.clear();
        walked_ = -1;
        complete_ = false;
    }

    [[nodiscard]] std::size_t size() const { return entries_.size(); }

    /// Appends all of it to `out`, for read() by the same program on the same machine.
    void append_to(std::string& out) const {
        words::append_bytes(out, pass_);
        words::append_bytes(out, walked_);
        words::append_bytes(out, groups_.size());
        for (const auto& [digest, devices] : groups_) {
            words::append_bytes(out, digest);
            words::append_bytes(out, devices.size());
            for (const std::int64_t device : devices) {
                words::append_bytes(out, device);
            }
        }
        words::append_bytes(out, distrusted_.size());
        for (const auto& [device_id, pass] : distrusted_) {
            words::append_bytes(out, device_id);
            words::append_bytes(out, pass);
        }
        words::append_bytes(out, entries_.size());
        for (const auto& [key, entry] : entries_) {
            words::append_bytes(out, key);
            words::append_bytes(out, entry);
        }
    }

    /// Reads what append_to() wrote from the front of `rest`, and moves `rest` past it. Throws
    /// std::out_of_range if `rest` ends before.
    [[nodiscard]] static Ledger read(std::string_view& rest) {
        Ledger read;
        read.pass_ = words::take_bytes<std::uint32_t>(rest);
        read.covered_ = read.pass_;
        read.walked_ = words::take_bytes<std::int64_t>(rest);
        for (auto left = words::take_bytes<std::size_t>(rest); left > 0; --left) {
            auto& devices = read.groups_[words::take_bytes<std::uint32_t>(rest)];
            for (auto more = words::take_bytes<std::size_t>(rest); more > 0; --more) {
                devices.push_back(words::take_bytes<std::int64_t>(rest));
            }
        }
        for (auto left = words::take_bytes<std::size_t>(rest); left > 0; --left) {
            const auto device_id = words::take_bytes<std::int64_t>(rest);
            read.distrusted_[device_id] = words::take_bytes<std::uint32_t>(rest);
        }
        for (auto left = words::take_bytes<std::size_t>(rest); left > 0; --left) {
            const auto key = words::take_bytes<HashKey>(rest);
            const auto entry = words::take_bytes<Entry>(rest);
            if (read.groups_.contains(entry.primaries) && entry.sleeps()) {
                read.entries_[key] = entry;
                read.count(entry, true);
            }
        }
        return read;
    }

private:
    static constexpr std::uint32_t written = 1; ///< Entry::due of one that is awake.

    struct Entry {
        FileState state{};           ///< Of no file: the database is awake.
        std::uint32_t primaries = 0; ///< Primaries::digest.
        std::uint32_t due = 0;       ///< Seconds since 1970. Awake: `written` since it was opened.
        std::uint32_t confirmed = 0; ///< The pass. 0: not since it was opened.
        std::uint32_t met = 0;       ///< The last pass whose walk has met the database.
        std::int64_t max_row = -1;   ///< All primaries have it if `confirmed`, else one peer.
        std::uint64_t content = 0;   ///< See confirm().

        [[nodiscard]] bool sleeps() const { return state != FileState{}; }
    };

    /// What the primaries of a database say in this pass.
    struct Verdict {
        bool compared = false;     ///< All have been compared with.
        std::int64_t doubted = -1; ///< What was confirmed up to this pass does not count.
    };

    [[nodiscard]] Verdict verdict_on(const std::vector<std::int64_t>& devices) const {
        Verdict verdict{true, -1};
        for (const std::int64_t device : devices) {
            verdict.compared = verdict.compared && agreed_.contains(device);
            if (const auto lost = distrusted_.find(device); lost != distrusted_.end()) {
                verdict.doubted = std::max<std::int64_t>(verdict.doubted, lost->second);
            }
        }
        return verdict;
    }

    [[nodiscard]] bool rests(const HashKey& key, const Entry& entry, const Verdict& verdict,
                             bool summed_up, Timestamp now) const {
        // A pass that does not come to the database spends its turn, but not for ever.
        const bool rechecks =
            !(verdict.compared && summed_up) &&
            (key.low % recheck_ == pass_ % recheck_ || pass_ - entry.confirmed >= 2 * recheck_);
        const Seconds left(entry.due - now.seconds()); // more if the clock was ahead then
        return entry.sleeps() && recheck_ > 1 && !rechecks && entry.confirmed > verdict.doubted &&
               left > Seconds(0) && left <= longest_rest;
    }

    /// Whether this pass has told peers of the entry: a pass before has come to it.
    [[nodiscard]] bool is_summed_up(const Entry& entry) const {
        return covered_ + 1 >= pass_ || entry.met + 1 >= pass_;
    }

    void wake(Entry& entry) {
        if (entry.sleeps()) {
            count(entry, false);
            entry.state = {};
            entry.due = 0;
        }
    }

    /// Adds an entry to what is shared with its primaries, or takes it away.
    void count(const Entry& entry, bool there) {
        const auto group = groups_.find(entry.primaries);
        for (std::size_t i = 0; group != groups_.end() && i < group->second.size(); ++i) {
            Summary& shared =
                shared_.try_emplace(group->second[i], Summary{0, 0, Sketch(few_cells)})
                    .first->second;
            there ? shared.sketch.add(entry.content) : shared.sketch.remove(entry.content);
            shared.databases += there ? 1 : -1;
        }
    }

    [[nodiscard]] bool is_shared(const Entry& entry, std::int64_t device) const {
        const auto group = groups_.find(entry.primaries);
        return group != groups_.end() &&
               std::ranges::find(group->second, device) != group->second.end();
    }

    std::unordered_map<HashKey, Entry, HashKey::Hasher> entries_;
    std::map<std::int64_t, std::uint32_t> distrusted_;          ///< Device id: in which pass.
    std::map<std::uint32_t, std::vector<std::int64_t>> groups_; ///< Primaries::digest: their ids.
    std::map<std::int64_t, Summary> shared_;                    ///< What is asleep, by device.
    std::set<std::int64_t> agreed_;                             ///< In this pass.
    std::int64_t walked_ = -1; ///< Databases in the last walk to its end.
    std::uint32_t pass_ = 0;
    std::uint32_t covered_ = 0; ///< The last pass that has come to all databases.
    std::uint64_t recheck_ = 1;
    Instant walk_began_{};
    bool complete_ = false; ///< See end_walk.
    bool missed_ = false;   ///< Since then.
};

} // namespace replica

#endif // REPLICA_SEND_LEDGER_HPP
