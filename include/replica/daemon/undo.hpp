#ifndef REPLICA_DAEMON_UNDO_HPP
#define REPLICA_DAEMON_UNDO_HPP

// What an operator sees of the trash and the quarantine of this node (--trash), and brings back
// (--undo, and `replica undo`). The service may run meanwhile.

#include <replica/broker.hpp>
#include <replica/clock.hpp>
#include <replica/daemon/process.hpp>
#include <replica/disk.hpp>
#include <replica/disk/addresses.hpp>
#include <replica/disk/posix.hpp>
#include <replica/error.hpp>
#include <replica/receive/restore.hpp>
#include <replica/ring.hpp>
#include <replica/send/decide.hpp>
#include <replica/settings.hpp>
#include <replica/storage/storage.hpp>
#include <replica/storage/trash.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/random.hpp>
#include <replica/words/seed.hpp>
#include <replica/words/timestamp.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::daemon {

/// A database that was taken out of use.
struct TakenAway {
    std::string device; ///< Path of its device.
    storage::TrashEntry entry;
    std::string name;     ///< "/account/container", or why the file cannot be read.
    bool expired = false; ///< It was deleted longer than reclaim_age ago.
};

/// All that was taken out of use on the devices below `settings.devices`, the oldest first. A
/// device that cannot be read is named on `out`. Opens each database; the broker should change
/// nothing.
template <Broker B>
[[nodiscard]] std::vector<TakenAway> taken_away(B& broker, const Settings& settings,
                                                std::ostream& out) {
    auto& disk = broker.disk();
    std::vector<TakenAway> found;
    const auto add = [&](const std::string& device, storage::TrashEntry entry) {
        std::string name;
        bool expired = false;
        try {
            const auto file = storage::find_database(disk, entry);
            if (!file) {
                return; // deleted in part
            }
            const auto wait = to_duration(Seconds(2));
            const auto info = broker.open(*file, broker.clock().monotonic() + wait).info();
            name = info.name();
            using Kind = typename B::kind_type;
            expired =
                Kind::may_expire(info) &&
                decide::is_expired(Kind::live_rows(info), info.put_timestamp, info.delete_timestamp,
                                   broker.clock().now(), settings.reclaim_age);
        } catch (const Failure& failure) {
            name = failure.what();
        }
        found.push_back({device, std::move(entry), std::move(name), expired});
    };
    for (const Entry& each : disk.list(settings.devices)) {
        const std::string device = storage::device_path(settings.devices, each.name);
        try {
            const std::string shelf = storage::trash_shelf(device, B::kind_type::name) + '/';
            for (auto& entry : storage::list_trash(disk, device)) {
                if (entry.path.starts_with(shelf)) {
                    add(device, std::move(entry));
                }
            }
            for (auto& entry : list_quarantine(broker, device)) {
                add(device, std::move(entry));
            }
        } catch (const Failure& failure) {
            out << device << ": cannot be read: " << failure.what() << '\n';
        }
    }
    std::ranges::stable_sort(found, {}, [](const TakenAway& one) { return one.entry.when.ticks; });
    return found;
}

/// A line: when, why, bytes, the name, the path.
[[nodiscard]] inline std::string line(const TakenAway& one) {
    return fmt::format("{} {:<11} {:>10} {} {}\n", one.entry.when.normal(), one.entry.why,
                       one.entry.bytes, one.name, one.entry.path);
}

/// "1 database", "2 databases".
[[nodiscard]] inline std::string databases_text(std::size_t count) {
    return fmt::format("{} database{}", count, count == 1 ? "" : "s");
}

/// Prints what was taken out of use, a line each, and how it is brought back.
template <Broker B>
void print_trash(B& broker, const Settings& settings, std::ostream& out) {
    const auto found = taken_away(broker, settings, out);
    for (const TakenAway& one : found) {
        out << line(one);
    }
    out << databases_text(found.size())
        << "; --undo with a path, a hash, a name (/account/container) or all brings "
        << (found.size() == 1 ? "it" : "them") << " back\n";
}

/// Whether `word` of a command line means this one. A name is good with its first slash or without.
[[nodiscard]] inline bool is_meant(const TakenAway& one, std::string_view word) {
    if (word == "all") {
        return one.entry.why == "removed";
    }
    return word == one.entry.path || word == one.entry.hash || word == one.name ||
           (one.name.starts_with('/') && word == std::string_view(one.name).substr(1));
}

/// Which of them are to come back.
struct Wanted {
    std::vector<std::string> words{}; ///< See is_meant.
    std::optional<Timestamp> since{}; ///< All that was removed at this time or later.

    [[nodiscard]] bool operator()(const TakenAway& one) const {
        return (since && one.entry.why == "removed" && one.entry.when >= *since) ||
               std::ranges::any_of(words, [&](const auto& word) { return is_meant(one, word); });
    }

    /// The words that mean nothing of what was found.
    [[nodiscard]] std::vector<std::string> unmatched(const std::vector<TakenAway>& found) const {
        std::vector<std::string> none;
        std::ranges::copy_if(words, std::back_inserter(none), [&](const std::string& word) {
            return word != "all" && std::ranges::none_of(found, [&](const TakenAway& one) {
                       return is_meant(one, word);
                   });
        });
        return none;
    }
};

/// What passes do with a database that has come back, by a ring.
enum class Afterwards {
    stays,
    leaves,    ///< Its device is no primary of it: it is handed off again.
    expires,   ///< It was deleted longer than reclaim_age ago: it is removed again.
    unvisited, ///< The ring has no such device on this node: no pass comes to it.
};

[[nodiscard]] constexpr std::string_view word_of(Afterwards fate) {
    constexpr std::string_view words[] = {"remains", "leaves", "expires", "unvisited"};
    return words[static_cast<std::size_t>(fate)];
}

/// What passes of this node do, by a version of its ring. Thread safety: any thread.
template <RingVersion R>
class Foretold {
public:
    Foretold(R ring, const Settings& settings) : ring_(std::move(ring)) {
        const auto own = own_addresses(settings.bind_ip);
        std::ranges::copy_if(ring_.devices(), std::back_inserter(local_), [&](const Device& each) {
            return is_local(own, settings.bind_port, each);
        });
    }

    [[nodiscard]] Afterwards operator()(const TakenAway& one) const {
        const auto at = std::ranges::find(local_, storage::base(one.device), &Device::device);
        if (at == local_.end()) {
            return Afterwards::unvisited;
        }
        const auto primaries = ring_.primaries(ring_.partition(one.entry.hash));
        return one.expired                             ? Afterwards::expires
               : decide::is_primary(primaries, at->id) ? Afterwards::stays
                                                       : Afterwards::leaves;
    }

private:
    R ring_;
    std::vector<Device> local_{};
};

/// How many databases come back, and what becomes of them.
struct BroughtBack {
    std::size_t back = 0;
    std::size_t staying = 0; ///< In the trash or in quarantine, since they could not come back.
    std::map<Afterwards, std::size_t> fates{};

    /// `why`: the reason why it stays where it is; empty: it is back.
    void add(Afterwards fate, const std::string& why = {}) {
        ++(why.empty() ? back : staying);
        fates[fate] += why.empty() ? 1 : 0;
    }

    /// "3 databases are back, 2 of them belong elsewhere by this ring and will leave again".
    [[nodiscard]] std::string text(std::string_view state) const {
        std::string text = databases_text(back) + (back == 1 ? " is " : " are ");
        text += state;
        for (const auto& [fate, count] : fates) {
            if (fate != Afterwards::stays && count > 0) {
                text += fmt::format(", {} of them {}", count, in_words(fate, count == 1));
            }
        }
        return text;
    }

    /// The last line.
    [[nodiscard]] std::string summary() const {
        return text("back") + (staying == 1 ? std::string("; 1 stays where it is\n")
                                            : fmt::format("; {} stay where they are\n", staying));
    }

private:
    [[nodiscard]] static std::string_view in_words(Afterwards fate, bool one) {
        constexpr std::string_view many[] = {
            "stay", "belong elsewhere by this ring and will leave again",
            "were deleted longer than reclaim_age ago and will leave again",
            "lie on devices that this node does not have in this ring: no pass comes to them"};
        constexpr std::string_view single[] = {
            "stays", "belongs elsewhere by this ring and will leave again",
            "was deleted longer than reclaim_age ago and will leave again",
            "lies on a device that this node does not have in this ring: no pass comes to it"};
        const auto at = static_cast<std::size_t>(fate);
        return one ? single[at] : many[at];
    }
};

/// Tells of all that is wanted, before anything is done, how many do not stay; nothing if all do.
template <RingVersion R>
[[nodiscard]] std::string warning_of(const std::vector<TakenAway>& found, const Wanted& wanted,
                                     const Foretold<R>& foretold) {
    BroughtBack doomed;
    for (const TakenAway& one : found) {
        if (wanted(one)) {
            doomed.add(foretold(one));
        }
    }
    const bool in_vain = doomed.back > doomed.fates[Afterwards::stays];
    return in_vain ? doomed.text("to come back") + '\n' : std::string();
}

/// Brings back what is wanted of `found`, in its order, each to its device and the partition that
/// `ring` gives it. Drafts beside it are deleted first: they are no database, and restore refuses a
/// directory with more than one. Calls `tell` with each and the reason why it stays where it is;
/// with an empty one if it is back.
template <Broker B, RingVersion R, std::invocable<const TakenAway&, const std::string&> Tell>
void bring_back(B& broker, const Settings& settings, const R& ring,
                const std::vector<TakenAway>& found, const Wanted& wanted, Tell tell) {
    const HashPath hash_path{settings.hash_path_prefix, settings.hash_path_suffix};
    Random random(with_seed(settings).seed);
    for (const TakenAway& one : found) {
        if (!wanted(one)) {
            continue;
        }
        std::string why;
        try {
            storage::delete_drafts(broker.disk(), one.entry.path, one.entry.hash);
            restore(broker, one.entry, one.device, ring.partition(one.entry.hash), hash_path,
                    random, settings);
        } catch (const Failure& failure) {
            why = failure.what();
        }
        tell(one, why);
    }
}

/// How long a service may go by a ring file as it was: until it looks at the file (WatchedRing),
/// and to the end of the pushes that have begun (Replicator::run_forever).
inline constexpr Seconds ring_takes{45};

/// Waits until the service of this node, if one runs, goes by the ring file as it is: what is
/// brought back before that leaves again. A pass that has begun goes by the former ring to its end,
/// which is only told, on `out`. `lock`: the service's, see Exclusion. `sleep` waits so long.
template <std::invocable<Seconds> Sleep>
void await_ring(const std::string& lock, const std::string& ring, std::ostream& out, Sleep sleep,
                Timestamp now = SystemClock().now()) {
    const auto status = Exclusion::is_held(lock) ? PosixDisk().stat(ring) : std::nullopt;
    if (!status) {
        return;
    }
    const double age = std::max(0.0, now.seconds() - static_cast<double>(status->changed_ns) / 1e9);
    const Seconds left = ring_takes - Seconds(age);
    if (left > Seconds(0)) {
        out << fmt::format("{} was changed {:.0f} s ago, and the service of this node may go by "
                           "the former ring for {:.0f} s more: waiting. A pass that has begun goes "
                           "by it to its end: if that takes longer, stop the service first\n",
                           ring, age, left.count())
            << std::flush;
        sleep(left);
    }
}

/// What is printed before the line of one: "back", "back, leaves" or "stays".
[[nodiscard]] inline std::string result_of(Afterwards fate, const std::string& why) {
    return !why.empty()                ? "stays"
           : fate == Afterwards::stays ? "back"
                                       : "back, " + std::string(word_of(fate));
}

/// Brings back what is wanted, the oldest first, and says of each what became of it, and before
/// that how many will not stay. "all", and `since`, are about what was removed: the rows of a file
/// that was replaced are in place, and what is in quarantine is damaged. Returns whether each word
/// meant something and all of it came back.
template <Broker B, RingVersion R>
[[nodiscard]] bool undo(B& broker, const Settings& settings, const R& ring, const Wanted& wanted,
                        std::ostream& out) {
    const auto found = taken_away(broker, settings, out);
    const auto unmatched = wanted.unmatched(found);
    for (const std::string& word : unmatched) {
        out << word << ": is neither in the trash nor in quarantine\n";
    }
    const Foretold foretold(ring, settings);
    out << warning_of(found, wanted, foretold) << std::flush;
    BroughtBack result;
    bring_back(broker, settings, ring, found, wanted,
               [&](const TakenAway& one, const std::string& why) {
                   const Afterwards fate = foretold(one);
                   result.add(fate, why);
                   out << result_of(fate, why) << ": " << line(one)
                       << (why.empty() ? "" : "  " + why + '\n') << std::flush;
               });
    out << result.summary();
    return unmatched.empty() && result.staying == 0;
}

} // namespace replica::daemon

#endif // REPLICA_DAEMON_UNDO_HPP
