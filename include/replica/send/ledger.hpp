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
// entry. An entry ends when its database is opened or found in another state.

#include <replica/disk.hpp>
#include <replica/ring.hpp>
#include <replica/words/bytes.hpp>
#include <replica/words/md5.hpp>
#include <replica/words/sketch.hpp>
#include <replica/words/summary.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace replica {

/// A digest of what stat tells of a database file. Two states are equal if nobody has written to
/// the file in between.
using FileState = Md5Digest;

/// The state of a file; nothing if it is no file, or if its times are so young at `now` that a
/// write to come might leave the same state. A time in the future is young.
[[nodiscard]] inline std::optional<FileState> state_of(const std::optional<FileStatus>& status,
                                                       Timestamp now) {
    constexpr std::int64_t settling_ns = 2'000'000'000; // the coarsest times of a file system
    constexpr std::int64_t ns_per_tick = 1'000'000'000 / Timestamp::ticks_per_second;
    if (!status || !status->regular ||
        std::max(status->modified_ns, status->changed_ns) > now.ticks * ns_per_tick - settling_ns) {
        return std::nullopt;
    }
    const std::int64_t values[] = {static_cast<std::int64_t>(status->device),
                                   static_cast<std::int64_t>(status->inode), status->size,
                                   status->modified_ns, status->changed_ns};
    std::string text;
    words::append_bytes(text, values);
    return md5(text);
}

/// The primaries of a partition, with a digest that tells one list from another.
struct Primaries {
    std::vector<Device> devices;
    std::uint32_t digest = 0;

    explicit Primaries(std::vector<Device> list) : devices(std::move(list)) {
        std::string text;
        for (const Device& device : devices) {
            text += std::to_string(device.id) + ' ' + device.replication_ip + ' ' +
                    std::to_string(device.replication_port) + ' ' + device.device + '\n';
        }
        std::memcpy(&digest, md5(text).data(), sizeof digest);
    }
};

/// What the ledger knew of a database that is opened.
struct Known {
    bool same = false;         ///< The file is as it was when all primaries had all of it.
    std::int64_t max_row = -1; ///< The last row that all primaries had.
};

/// The databases of one device of this machine whose content every peer has: about 100 bytes
/// each. Not thread safe.
class Ledger {
public:
    static constexpr Seconds longest_rest{86'400}; ///< Then a database is opened.
    /// `recheck_passes`: every database is opened at least once in so many passes. 1: nothing is
    /// remembered.
    void begin_pass(int recheck_passes) {
        agreed_.clear();
        recheck_ = static_cast<std::uint64_t>(std::max(recheck_passes, 1));
        ++pass_;
    }

    /// The walk of the device has come to its end: what it has not met is forgotten. `databases`:
    /// how many it has met.
    void end_walk(std::int64_t databases) {
        walked_ = databases;
        std::erase_if(entries_, [this](const auto& each) { return each.second.met != pass_; });
        std::set<std::uint32_t> used; // a former ring's lists are asked about no more
        for (const auto& [key, entry] : entries_) {
            used.insert(entry.primaries);
        }
        std::erase_if(groups_, [&](const auto& each) { return !used.contains(each.first); });
    }

    /// Whether the database `hash` need not be opened in this pass: its state is known, its
    /// primaries are those of then, and time makes no work due.
    [[nodiscard]] bool may_skip(const std::string& hash, const FileState& state,
                                const Primaries& primaries, Timestamp now) {
        const auto found = entries_.find(key_of(hash));
        if (found == entries_.end() || recheck_ == 1) {
            return false;
        }
        Entry& entry = found->second;
        bool compared = was_met_lately(entry); // else it was in no summary
        entry.met = pass_;
        if (state != entry.state || primaries.digest != entry.primaries) {
            entry.state = {}; // of no file
            return false;
        }
        bool believed = true;
        for (const Device& device : primaries.devices) {
            const auto lost = distrusted_.find(device.id);
            believed = believed && (lost == distrusted_.end() || entry.confirmed > lost->second);
            compared = compared && agreed_.contains(device.id);
        }
        // A pass that does not come to the database spends its turn, but not for ever.
        const bool rechecks = !compared && (found->first.second % recheck_ == pass_ % recheck_ ||
                                            pass_ - entry.confirmed >= 2 * recheck_);
        const Seconds left(entry.due - now.seconds()); // more if the clock was ahead then
        return believed && !rechecks && left > Seconds(0) && left <= longest_rest;
    }

    /// All primaries have what `hash` has at `state`, up to the row `max_row`. Nothing is to be
    /// done before `due`. `content`: a digest of what they have, the same on every node.
    void confirm(const std::string& hash, const FileState& state, const Primaries& primaries,
                 std::int64_t max_row, Timestamp due, std::uint64_t content) {
        constexpr double last = std::numeric_limits<std::uint32_t>::max();
        if (recheck_ == 1) {
            return;
        }
        const auto seconds = static_cast<std::uint32_t>(std::clamp(due.seconds(), 0.0, last));
        entries_[key_of(hash)] = {state, primaries.digest, seconds, pass_, pass_, max_row, content};
        auto& devices = groups_[primaries.digest];
        if (devices.empty()) {
            std::ranges::transform(primaries.devices, std::back_inserter(devices), &Device::id);
        }
    }

    /// The database is opened: its entry ends.
    [[nodiscard]] Known take(const std::string& hash, const std::optional<FileState>& state) {
        const auto found = entries_.find(key_of(hash));
        if (found == entries_.end()) {
            return {};
        }
        const Known known{state == found->second.state, found->second.max_row};
        entries_.erase(found);
        return known;
    }

    /// A peer's device lacks what it has confirmed, or may lack it. No confirmation of it up to now
    /// counts.
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

    /// What was at rest here, when it was last looked at, together with the device `peer`.
    [[nodiscard]] Summary summary(std::int64_t peer, std::size_t cells) const {
        Summary summary{walked_, 0, Sketch(cells)};
        for (const auto& [key, entry] : entries_) {
            if (entry.state != FileState{} && was_met_lately(entry) && is_shared(entry, peer)) {
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
            if (without.contains(entry.content) && is_shared(entry, device)) {
                entry.state = {};
            }
        }
    }

    /// Nothing is known. To a peer that compares this is another thing than an empty device.
    void clear() {
        entries_.clear();
        groups_.clear();
        walked_ = -1;
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
            words::append_bytes(out, key.first);
            words::append_bytes(out, key.second);
            words::append_bytes(out, entry);
        }
    }

    /// Reads what append_to() wrote from the front of `rest`, and moves `rest` past it. Throws
    /// std::out_of_range if `rest` ends before.
    [[nodiscard]] static Ledger read(std::string_view& rest) {
        Ledger read;
        read.pass_ = words::take_bytes<std::uint32_t>(rest);
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
            const auto first = words::take_bytes<std::uint64_t>(rest);
            const auto second = words::take_bytes<std::uint64_t>(rest);
            read.entries_[{first, second}] = words::take_bytes<Entry>(rest);
        }
        return read;
    }

private:
    struct Entry {
        FileState state{};
        std::uint32_t primaries = 0; ///< Primaries::digest.
        std::uint32_t due = 0;       ///< Seconds since 1970.
        std::uint32_t confirmed = 0; ///< The pass.
        std::uint32_t met = 0;       ///< The last pass whose walk has met the database.
        std::int64_t max_row = -1;
        std::uint64_t content = 0; ///< See confirm().
    };

    [[nodiscard]] bool was_met_lately(const Entry& entry) const { return entry.met + 1 >= pass_; }
    [[nodiscard]] bool is_shared(const Entry& entry, std::int64_t device) const {
        const auto group = groups_.find(entry.primaries);
        return group != groups_.end() &&
               std::ranges::find(group->second, device) != group->second.end();
    }

    /// A hash has 32 hexadecimal digits.
    using Key = std::pair<std::uint64_t, std::uint64_t>;

    /// The digits of an MD5 are as good as random.
    struct HalfOfKey {
        [[nodiscard]] std::size_t operator()(const Key& key) const noexcept { return key.second; }
    };

    [[nodiscard]] static Key key_of(std::string_view hash) {
        Key key{};
        const char* const middle = hash.data() + hash.size() / 2;
        std::from_chars(hash.data(), middle, key.first, 16);
        std::from_chars(middle, hash.data() + hash.size(), key.second, 16);
        return key;
    }

    std::unordered_map<Key, Entry, HalfOfKey> entries_;
    std::map<std::int64_t, std::uint32_t> distrusted_;          ///< Device id: in which pass.
    std::map<std::uint32_t, std::vector<std::int64_t>> groups_; ///< Primaries::digest: their ids.
    std::set<std::int64_t> agreed_;                             ///< In this pass.
    std::int64_t walked_ = -1; ///< Databases in the last walk to its end.
    std::uint32_t pass_ = 0;
    std::uint64_t recheck_ = 1;
};

/// A ledger for each device of this machine. Thread safety: any thread.
class Ledgers {
public:
    /// Calls `use` with the ledger of the device with this name, and returns what it returns.
    template <std::invocable<Ledger&> Use>
    std::invoke_result_t<Use, Ledger&> with(const std::string& device, Use use) {
        const std::lock_guard guard(mutex_);
        return use(ledgers_[device]);
    }

    /// Ledger::distrust in all ledgers.
    void distrust(const Device& peer) {
        const std::lock_guard guard(mutex_);
        for (auto& [device, ledger] : ledgers_) {
            ledger.distrust(peer.id);
        }
    }

    /// All ledgers, for read() by the same program on the same machine.
    [[nodiscard]] std::string text() const {
        std::string text;
        const std::lock_guard guard(mutex_);
        words::append_bytes(text, form);
        words::append_bytes(text, ledgers_.size());
        for (const auto& [device, ledger] : ledgers_) {
            words::append_bytes(text, device.size());
            text += device;
            ledger.append_to(text);
        }
        words::append_bytes(text, md5(text));
        return text;
    }

    /// Takes over what text() has written. False, and nothing changes, for any other text.
    [[nodiscard]] bool read(std::string_view text) {
        constexpr std::size_t tail = sizeof(Md5Digest);
        if (text.size() < tail) {
            return false;
        }
        std::string_view digest = text.substr(text.size() - tail);
        text.remove_suffix(tail);
        if (words::take_bytes<Md5Digest>(digest) != md5(text) || text.size() < sizeof form ||
            words::take_bytes<std::uint64_t>(text) != form) {
            return false;
        }
        std::map<std::string, Ledger> ledgers;
        try {
            for (auto left = words::take_bytes<std::size_t>(text); left > 0; --left) {
                const auto size = words::take_bytes<std::size_t>(text);
                const std::string device(text.substr(0, size));
                text.remove_prefix(device.size());
                ledgers[device] = Ledger::read(text);
            }
        } catch (const std::out_of_range&) {
            return false;
        }
        if (!text.empty()) {
            return false;
        }
        const std::lock_guard guard(mutex_);
        ledgers_ = std::move(ledgers);
        return true;
    }

    /// The clock cannot be believed: nothing is remembered.
    void clear() {
        const std::lock_guard guard(mutex_);
        for (auto& [device, ledger] : ledgers_) {
            ledger.clear();
        }
    }

private:
    /// Changes with the form of the text. The bytes of a machine of the other order differ.
    static constexpr std::uint64_t form = 0x7265706c67723032; // "replgr02"

    mutable std::mutex mutex_;
    std::map<std::string, Ledger> ledgers_;
};

} // namespace replica

#endif // REPLICA_SEND_LEDGER_HPP
