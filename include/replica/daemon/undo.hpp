#ifndef REPLICA_DAEMON_UNDO_HPP
#define REPLICA_DAEMON_UNDO_HPP

// What an operator sees of the trash and the quarantine of this node (--trash), and brings back
// (--undo, and `replica undo`). The service may run meanwhile.

#include <replica/broker.hpp>
#include <replica/clock.hpp>
#include <replica/daemon/process.hpp>
#include <replica/disk.hpp>
#include <replica/disk/posix.hpp>
#include <replica/error.hpp>
#include <replica/receive/restore.hpp>
#include <replica/ring.hpp>
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
    std::string name; ///< "/account/container", or why the file cannot be read.
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
        try {
            const auto file = storage::find_database(disk, entry);
            if (!file) {
                return; // deleted in part
            }
            const auto wait = to_duration(Seconds(2));
            name = broker.open(*file, broker.clock().monotonic() + wait).info().name();
        } catch (const Failure& failure) {
            name = failure.what();
        }
        found.push_back({device, std::move(entry), std::move(name)});
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

/// Prints what was taken out of use, a line each, and how it is brought back.
template <Broker B>
void print_trash(B& broker, const Settings& settings, std::ostream& out) {
    const auto found = taken_away(broker, settings, out);
    for (const TakenAway& one : found) {
        out << line(one);
    }
    out << found.size()
        << " databases; --undo with a path, a hash, a name (/account/container) or all brings them "
           "back\n";
}

/// Whether `word` of a command line means this one.
[[nodiscard]] inline bool is_meant(const TakenAway& one, std::string_view word) {
    return word == one.entry.path || word == one.entry.hash || word == one.name ||
           (word == "all" && one.entry.why == "removed");
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

/// Brings back what is wanted of `found`, in its order, each to its device and the partition that
/// `ring` gives it. Calls `tell` with each and the reason why it stays where it is; with an empty
/// one if it is back.
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

/// Brings back what is wanted, the oldest first, and says of each what became of it. "all", and
/// `since`, are about what was removed: the rows of a file that was replaced are in place, and what
/// is in quarantine is damaged. Returns whether each word meant something and all of it came back.
template <Broker B, RingVersion R>
[[nodiscard]] bool undo(B& broker, const Settings& settings, const R& ring, const Wanted& wanted,
                        std::ostream& out) {
    const auto found = taken_away(broker, settings, out);
    bool all = true;
    for (const std::string& word : wanted.unmatched(found)) {
        out << word << ": is neither in the trash nor in quarantine\n";
        all = false;
    }
    std::size_t back = 0;
    bring_back(broker, settings, ring, found, wanted,
               [&](const TakenAway& one, const std::string& why) {
                   out << (why.empty() ? "back: " : "stays: ") << line(one)
                       << (why.empty() ? "" : "  " + why + '\n') << std::flush;
                   back += why.empty() ? 1 : 0;
                   all = all && why.empty();
               });
    out << back << " databases are back\n";
    return all;
}

} // namespace replica::daemon

#endif // REPLICA_DAEMON_UNDO_HPP
