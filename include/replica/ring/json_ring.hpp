#ifndef REPLICA_RING_JSON_RING_HPP
#define REPLICA_RING_JSON_RING_HPP

// A ring in one JSON file that people can read and write, for clusters without Swift's tools and
// for host programs. The form of the file: ring_file.hpp. Reading it again while a daemon runs:
// watched_ring.hpp.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/disk/posix.hpp>
#include <replica/ring.hpp>
#include <replica/ring/placement.hpp>
#include <replica/ring/ring_file.hpp>
#include <replica/ring/watched_ring.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// One version of a JSON ring; immutable. Models RingVersion. Thread safety: any thread.
class JsonRingVersion {
public:
    static constexpr std::size_t max_bytes = 64U << 20; ///< Three replicas of 2^22 partitions fit.

    /// Of a table that was read.
    explicit JsonRingVersion(std::shared_ptr<const RingTable> table) : table_(std::move(table)) {}

    /// Reads the content of `file`. Throws Failure with bad_config that names the file, the key and
    /// the reason.
    [[nodiscard]] static JsonRingVersion parse(std::string_view text, const std::string& file) {
        return JsonRingVersion(std::make_shared<const RingTable>(parse_ring(text, file)));
    }

    [[nodiscard]] const std::vector<Device>& devices() const { return table_->devices; }
    [[nodiscard]] std::uint32_t partition_count() const { return table_->partition_count(); }
    [[nodiscard]] std::uint32_t partition(std::string_view hash) const {
        return partition_of(hash, table_->part_power);
    }

    /// In the order of the table's rows, or of preference. Throws bad_request for a partition that
    /// does not exist: an empty answer would mean "every primary has it" (Launchpad bug 1568591).
    [[nodiscard]] std::vector<Device> primaries(std::uint32_t partition) const {
        check_partition(partition, partition_count());
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

    /// All other devices, those of the least used region, zone and node first; weight 0 last. Keeps
    /// its version of the ring alive.
    class Handoffs {
    public:
        /// `rest` is the order without the primaries.
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
        check_partition(partition, partition_count());
        Preference order(table_->devices, table_->tiers, partition);
        if (table_->rows.empty()) {
            for (std::size_t left = table_->replicas_of(partition); left > 0; --left) {
                static_cast<void>(order.next()); // skips the primaries
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
    std::shared_ptr<const RingTable> table_;
};

static_assert(RingFormat<JsonRingVersion>);

/// A ring read from such a file. For the constructor see WatchedRing (watched_ring.hpp).
template <Clock C = SystemClock, Disk D = PosixDisk>
using JsonRing = WatchedRing<JsonRingVersion, C, D>;

static_assert(Ring<JsonRing<>>);

} // namespace replica

#endif // REPLICA_RING_JSON_RING_HPP
