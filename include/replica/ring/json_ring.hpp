#ifndef REPLICA_RING_JSON_RING_HPP
#define REPLICA_RING_JSON_RING_HPP

// A ring in one JSON file that people can write and read, for clusters without Swift's tools and
// for host programs. What it may say stands in ring_file.hpp. It is looked at again every 15 s, as
// Swift does with its rings; a broken new file is reported and changes nothing, because a daemon
// that goes on with yesterday's ring loses less than one that stops or guesses.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/disk/posix.hpp>
#include <replica/error.hpp>
#include <replica/ring.hpp>
#include <replica/ring/placement.hpp>
#include <replica/ring/ring_file.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// One version of a JSON ring. Models RingVersion. Thread safety: any thread, as it never changes.
class JsonRingVersion {
public:
    explicit JsonRingVersion(std::shared_ptr<const RingTable> table) : table_(std::move(table)) {}

    [[nodiscard]] const std::vector<Device>& devices() const { return table_->devices; }
    [[nodiscard]] std::uint32_t partition_count() const { return table_->partition_count(); }
    [[nodiscard]] std::uint32_t partition(std::string_view hash) const {
        return partition_of(hash, table_->part_power);
    }

    /// In the order of the table's rows, or of preference. Throws Failure with bad_request beyond
    /// the last partition: no primaries would read as "every primary has it" (LP 1568591).
    [[nodiscard]] std::vector<Device> primaries(std::uint32_t partition) const {
        check(partition);
        std::vector<Device> devices;
        if (table_->rows.empty()) {
            Preference order(table_->devices, table_->tiers, partition);
            while (devices.size() < table_->replicas_of(partition)) {
                devices.push_back(table_->devices[order.next().value()]);
            }
        }
        for (const auto& row : table_->rows) {
            if (partition < row.size()) {
                devices.push_back(table_->devices[row[partition]]);
            }
        }
        return devices;
    }

    /// All other devices, the least used region, zone and node first; those of weight 0 last. Keeps
    /// its version of the ring alive.
    class Handoffs {
    public:
        Handoffs(std::shared_ptr<const RingTable> table, Preference rest)
            : table_(std::move(table)), rest_(std::move(rest)) {}

        [[nodiscard]] std::optional<Device> next() {
            const auto index = rest_.next();
            return index ? std::optional(table_->devices[*index]) : std::nullopt;
        }

    private:
        std::shared_ptr<const RingTable> table_;
        Preference rest_;
    };

    [[nodiscard]] Handoffs handoffs(std::uint32_t partition) const {
        check(partition);
        Preference order(table_->devices, table_->tiers, partition);
        if (table_->rows.empty()) {
            for (std::size_t left = table_->replicas_of(partition); left > 0; --left) {
                static_cast<void>(order.next()); // the primaries, in their order
            }
        }
        for (const auto& row : table_->rows) {
            if (partition < row.size()) {
                order.take(row[partition]);
            }
        }
        return {table_, std::move(order)};
    }

private:
    void check(std::uint32_t partition) const {
        if (partition >= partition_count()) {
            throw Failure(Error::bad_request, "partition " + std::to_string(partition) +
                                                  " is not one of the ring's " +
                                                  std::to_string(partition_count()));
        }
    }

    std::shared_ptr<const RingTable> table_;
};

static_assert(RingVersion<JsonRingVersion>);

/// A ring file that may change. Models Ring. Copies share one state. Thread safety: any thread; the
/// file is read by one of them while the others go on with the version at hand.
template <Clock C = SystemClock, Disk D = PosixDisk>
class JsonRing {
public:
    /// Told why a changed file is not used, once for each change, by the thread that called
    /// version().
    using Report = std::function<void(const Failure&)>;

    static constexpr std::chrono::seconds check_interval{15};
    static constexpr std::size_t max_bytes = 64U << 20; ///< Three replicas of 2^22 partitions fit.

    /// Reads `path`. Throws Failure with bad_config that names the file, the key and the reason, or
    /// the disk's own error.
    explicit JsonRing(std::string path, C clock = {}, D disk = {}, Report report = {})
        : state_(std::make_shared<State>(std::move(path), std::move(clock), std::move(disk),
                                         std::move(report))) {}

    /// The current version. The file is looked at when the last look was 15 s ago.
    [[nodiscard]] JsonRingVersion version() {
        State& state = *state_;
        const Instant now = state.clock.monotonic();
        std::unique_lock lock(state.mutex);
        if (now < state.next_check || state.checking) {
            return state.version;
        }
        state.checking = true;
        const std::optional<FileStatus> known = state.known;
        lock.unlock();
        const Look look = state.look(known); // may take long on a bad disk: not under the mutex
        lock.lock();
        state.checking = false;
        state.next_check = now + check_interval;
        const bool news = look.error && !(state.error && look.status == known);
        state.known = look.status;
        if (look.version) {
            state.version = *look.version;
        }
        if (look.error || look.version) {
            state.error = look.error;
        }
        JsonRingVersion version = state.version;
        lock.unlock();
        if (news && state.report) {
            state.report(*look.error);
        }
        return version;
    }

    /// Why the file as it stands is not used; nothing if it is.
    [[nodiscard]] std::optional<Failure> last_error() const {
        const std::lock_guard lock(state_->mutex);
        return state_->error;
    }

private:
    /// What a look at the file found: neither version nor error if it is as it was.
    struct Look {
        std::optional<FileStatus> status;
        std::optional<JsonRingVersion> version;
        std::optional<Failure> error;
    };

    struct State {
        State(std::string path_, C clock_, D disk_, Report report_)
            : path(std::move(path_)), clock(std::move(clock_)), disk(std::move(disk_)),
              report(std::move(report_)), known(disk.stat(path)), version(read()),
              next_check(clock.monotonic() + check_interval) {}

        /// The status is taken before the content, so that a file that changes in between is read
        /// again at the next look.
        [[nodiscard]] Look look(const std::optional<FileStatus>& before) {
            Look look;
            try {
                look.status = disk.stat(path);
                if (!look.status || look.status != before) {
                    look.version = read();
                }
            } catch (const Failure& failure) {
                look.error = failure;
            } catch (const std::exception& other) { // such as no memory for a huge file
                look.error = Failure(Error::io, path + ": " + other.what());
            }
            return look;
        }

        [[nodiscard]] JsonRingVersion read() {
            const std::string text = disk.read(path, max_bytes + 1);
            if (text.size() > max_bytes) {
                throw Failure(Error::bad_config,
                              path + ": larger than " + std::to_string(max_bytes) + " bytes");
            }
            return JsonRingVersion(std::make_shared<const RingTable>(parse_ring(text, path)));
        }

        std::string path;
        C clock;
        D disk;
        Report report;
        std::optional<FileStatus> known;
        JsonRingVersion version;
        Instant next_check;
        std::optional<Failure> error{};
        bool checking = false;
        std::mutex mutex{};
    };

    std::shared_ptr<State> state_;
};

static_assert(Ring<JsonRing<>>);

} // namespace replica

#endif // REPLICA_RING_JSON_RING_HPP
