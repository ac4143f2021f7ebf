#ifndef REPLICA_SEND_WALK_HPP
#define REPLICA_SEND_WALK_HPP

// Finds the databases of one device. Partitions come in a random order, so that two nodes that
// start together do not meet on the same databases; below them everything is in order. A directory
// is read when the walk gets there. One that cannot be read costs only itself: in Swift one bad
// directory ends the pass of every device (defect 28).

#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/ring.hpp>
#include <replica/storage/storage.hpp>
#include <replica/storage/sweep.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/random.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace replica {

/// A database and its local device.
struct LocalDatabase {
    Place place;
    Device device;
};

/// The databases of one device, one after the other. Belongs to one thread at a time.
template <Disk D>
class Walk {
public:
    /// `wanted` says whether to walk a partition; asked once for each. Drafts and unused
    /// directories from before `limit` are removed (storage/sweep.hpp), empty ones from before
    /// `settled`: a server that makes a database makes suffix and hash directory one after the
    /// other, and fails if the first has gone (defect 124).
    Walk(D disk, std::string device, std::string datadir, std::uint32_t partition_count,
         std::function<bool(std::uint32_t)> wanted, Random& random, Timestamp limit,
         Timestamp settled)
        : disk_(std::move(disk)), device_(std::move(device)),
          root_(device_ + '/' + std::move(datadir)), partition_count_(partition_count),
          wanted_(std::move(wanted)), random_(&random), limit_(limit), settled_(settled) {}

    /// Comes to these databases alone, by partition and hash, and lists nothing else. `gone` is
    /// called with the hash of one that certainly is not there. Before the first next(). A
    /// partition that the ring does not have holds none.
    void only(std::vector<std::pair<std::uint32_t, std::string>> chosen,
              std::function<void(const std::string&)> gone) {
        started_ = true;
        gone_ = std::move(gone);
        std::erase_if(chosen, [&](const auto& each) { return each.first >= partition_count_; });
        random_->shuffle(chosen);
        chosen_ = std::move(chosen);
    }

    /// The next database, or nothing at the end. What could not be read is told to `observer` and
    /// counted in `errors`. Calls `beat` before each directory and for each partition: thousands
    /// without a database may come before the next one, and the disk does not hang meanwhile.
    template <Observer O, std::invocable Beat>
    [[nodiscard]] std::optional<Place> next(O& observer, std::int64_t& errors, Beat beat) {
        if (!started_) {
            started_ = true;
            begin(observer, errors, beat);
        }
        for (;;) {
            beat();
            if (!hashes_.empty()) {
                const std::string name = take(hashes_);
                if (auto found = inspect(name, observer, errors)) {
                    return found;
                }
            } else if (!suffixes_.empty()) {
                suffix_ = take(suffixes_);
                hashes_ = directories(path_of_suffix(), observer, errors);
            } else if (!partitions_.empty()) {
                partition_ = take(partitions_);
                suffixes_ = directories(root_ + '/' + partition_, observer, errors);
            } else if (!chosen_.empty()) {
                auto [partition, hash] = std::move(chosen_.back());
                chosen_.pop_back();
                partition_ = std::to_string(partition);
                suffix_ = hash.substr(hash.size() - suffix_size);
                const std::int64_t before = errors;
                if (auto found = inspect(hash, observer, errors)) {
                    return found;
                }
                if (errors == before) {
                    gone_(hash);
                }
            } else {
                return std::nullopt;
            }
        }
    }

    [[nodiscard]] std::size_t partitions() const { return partition_total_; }
    [[nodiscard]] std::size_t partitions_done() const {
        return partition_total_ - partitions_.size();
    }

private:
    static constexpr std::size_t suffix_size = 3;

    static std::string take(std::vector<std::string>& names) {
        std::string name = std::move(names.back());
        names.pop_back();
        return name;
    }

    [[nodiscard]] std::string path_of_suffix() const {
        return root_ + '/' + partition_ + '/' + suffix_;
    }

    template <Observer O, std::invocable Beat>
    void begin(O& observer, std::int64_t& errors, Beat& beat) {
        // Missing on a device that never held a database of this kind.
        partitions_ = directories(root_, observer, errors);
        std::erase_if(partitions_, [&](const std::string& name) {
            beat();
            const auto number = parse_partition(name, partition_count_);
            return !number || !wanted_(*number);
        });
        partition_total_ = partitions_.size();
        random_->shuffle(partitions_);
    }

    /// The directories in `path`, last first, since take() takes from the back. Removes `path` if
    /// it is empty: thousands of empty directories slow down the start of a pass (Swift 2.2.1).
    template <Observer O>
    std::vector<std::string> directories(const std::string& path, O& observer,
                                         std::int64_t& errors) {
        std::vector<std::string> names;
        try {
            const std::vector<Entry> entries = disk_.list(path);
            for (const Entry& entry : entries) {
                if (entry.directory) {
                    names.push_back(entry.name);
                }
            }
            if (entries.empty() && path != root_ && storage::is_older(disk_.stat(path), settled_)) {
                disk_.remove_empty(path);
            }
        } catch (const Failure& failure) {
            report(failure, path, observer, errors);
        }
        std::ranges::sort(names, std::greater<>());
        return names;
    }

    template <Observer O>
    std::optional<Place> inspect(const std::string& name, O& observer, std::int64_t& errors) {
        const std::string directory = path_of_suffix() + '/' + name;
        if (!is_hash(name) || !name.ends_with(suffix_)) {
            return std::nullopt;
        }
        try {
            const std::vector<Entry> entries = disk_.list(directory);
            storage::sweep_drafts(disk_, directory, entries, limit_);
            errors += report_strange(entries, directory, observer);
            if (auto path = storage::find_database(entries, directory)) {
                return Place{device_,
                             directory,
                             storage::base(*path),
                             name,
                             *parse_partition(partition_, partition_count_),
                             is_at_rest(entries, *path)};
            }
            const std::string pending = directory + '/' + name + ".db.pending";
            if (storage::has_pending(disk_, directory + '/' + name + ".db")) {
                observer(event::OrphanPending{pending});
                ++errors;
            } else if (storage::is_older(disk_.stat(directory), settled_)) {
                storage::remove_unused(disk_, directory, limit_);
            }
        } catch (const Failure& failure) {
            report(failure, directory, observer, errors);
        }
        return std::nullopt;
    }

    /// Place::at_rest, of the database at `path`.
    [[nodiscard]] bool is_at_rest(const std::vector<Entry>& entries, const std::string& path) {
        const std::string name = storage::base(path);
        const std::string hash = storage::base(storage::parent(path));
        return std::ranges::all_of(entries, [&](const Entry& entry) {
            return entry.name == name || entry.name == ".lock" || storage::is_draft(entry, hash) ||
                   (entry.name == name + ".pending" && !storage::has_pending(disk_, path));
        });
    }

    /// Tells in every pass what a person has to look at: an acknowledged row that nobody can read
    /// (defect 94), and a directory in the place of a database. Returns how many.
    template <Observer O>
    static std::int64_t report_strange(const std::vector<Entry>& entries,
                                       const std::string& directory, O& observer) {
        std::int64_t count = 0;
        for (const Entry& entry : entries) {
            const std::string path = directory + '/' + entry.name;
            std::string what;
            if (storage::is_set_aside(entry.name)) {
                what = "holds pending rows that could not be read; this copy stays until it is "
                       "taken away";
            } else if (entry.directory && DatabaseName::parse(entry.name)) {
                what = "is a directory in the place of a database";
            } else {
                continue;
            }
            observer(event::SetAside{path, what});
            ++count;
        }
        return count;
    }

    template <Observer O>
    static void report(const Failure& failure, const std::string& path, O& observer,
                       std::int64_t& errors) {
        if (failure.error() != Error::missing) { // Removed during the walk: no error.
            const std::string what = failure.what();
            observer(event::ListingFailed{path, what});
            ++errors;
        }
    }

    D disk_;
    std::string device_;
    std::string root_;
    std::uint32_t partition_count_;
    std::function<bool(std::uint32_t)> wanted_;
    Random* random_;
    Timestamp limit_;
    Timestamp settled_;
    bool started_ = false;
    std::size_t partition_total_ = 0;
    std::vector<std::string> partitions_;
    std::vector<std::string> suffixes_;
    std::vector<std::string> hashes_;
    std::string partition_;
    std::string suffix_;
    std::vector<std::pair<std::uint32_t, std::string>> chosen_; ///< Partition and hash, see only().
    std::function<void(const std::string&)> gone_;
};

} // namespace replica

#endif // REPLICA_SEND_WALK_HPP
