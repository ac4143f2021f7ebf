#ifndef REPLICA_RING_SWIFT_RING_HPP
#define REPLICA_RING_SWIFT_RING_HPP

// The ring of a Swift cluster, from the file written by swift-ring-builder. Primaries and the order
// of handoffs must be exactly Swift's: a database taken to another handoff than the stock servers
// ask would exist and yet not be found.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/disk/posix.hpp>
#include <replica/ring.hpp>
#include <replica/ring/swift_ring_file.hpp>
#include <replica/ring/watched_ring.hpp>
#include <replica/words/md5.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// One version of a Swift ring; immutable. Models RingVersion. Thread safety: any thread.
class SwiftRingVersion {
public:
    static constexpr std::size_t max_bytes = 256U << 20; ///< Three replicas of 2^25 partitions fit.

    /// Of a table that was read.
    explicit SwiftRingVersion(std::shared_ptr<const SwiftRingTable> table)
        : table_(std::move(table)) {}

    /// Parses the content of `file`. Throws Failure with bad_config that names the file and the
    /// reason.
    [[nodiscard]] static SwiftRingVersion parse(std::string_view packed, const std::string& file) {
        return SwiftRingVersion(
            std::make_shared<const SwiftRingTable>(parse_swift_ring(packed, file)));
    }

    /// Without removed devices.
    [[nodiscard]] const std::vector<Device>& devices() const { return table_->devices; }
    [[nodiscard]] std::uint32_t partition_count() const { return table_->partition_count(); }
    [[nodiscard]] std::uint32_t partition(std::string_view hash) const {
        return partition_of(hash, table_->part_power);
    }

    /// In the order of the rows. A device with two replicas of a partition is listed once, as in
    /// Ring.get_part_nodes of Swift 2.30.1. Throws bad_request for a partition that does not exist.
    [[nodiscard]] std::vector<Device> primaries(std::uint32_t partition) const {
        check_partition(partition, partition_count());
        std::vector<Device> devices;
        for (const std::uint32_t device : holders(*table_, partition)) {
            devices.push_back(table_->devices[device]);
        }
        return devices;
    }

    /// The handoffs in the order of Ring.get_more_nodes of Swift 2.30.1. Walks over other
    /// partitions of the table, starting at the one that the partition's number hashes to, and
    /// gives the devices found there: first of regions without a device so far, then of zones, then
    /// of nodes, then the rest. Swift's oddities are kept: after its wrap the walk skips partition
    /// 0, and in a ring of more than 2^16 partitions it visits every 2^(part power - 16)th. Keeps
    /// its version of the ring alive; computes nothing before the first next().
    class Handoffs {
    public:
        /// The handoffs of one partition.
        Handoffs(std::shared_ptr<const SwiftRingTable> table, std::uint32_t partition)
            : table_(std::move(table)), partition_(partition) {}

        [[nodiscard]] std::optional<Device> next() {
            if (seen_[0].flags.empty()) {
                begin();
            }
            for (; tier_ < seen_.size(); ++tier_, walk_ = Walk(*table_, walk_.start)) {
                while (seen_[tier_].count < table_->assigned[tier_] && !walk_.ended()) {
                    if (const auto device = next_here()) {
                        take(*device);
                        return table_->devices[*device];
                    }
                    walk_.step();
                }
            }
            return std::nullopt;
        }

    private:
        /// From `start` to the last partition, then from the beginning up to `start`.
        struct Walk {
            Walk() = default;
            Walk(const SwiftRingTable& table, std::uint64_t from)
                : count(table.partition_count()), stride(std::max<std::uint64_t>(count >> 16, 1)),
                  start(from), at(from) {}

            void step() {
                row = 0;
                at += stride;
                if (!wrapped && at >= count) {
                    wrapped = true;
                    at = stride - (count - start) % stride;
                }
            }
            [[nodiscard]] bool ended() const { return wrapped && at >= start; }

            std::uint64_t count = 0;
            std::uint64_t stride = 1;
            std::uint64_t start = 0;
            std::uint64_t at = 0;
            std::size_t row = 0; ///< The next row to look at in this partition.
            bool wrapped = false;
        };

        /// The regions, zones, nodes or devices that are taken.
        struct Seen {
            std::vector<bool> flags;
            std::size_t count = 0;
        };

        void begin() {
            for (Seen& seen : seen_) {
                seen.flags.resize(table_->devices.size());
            }
            for (const std::uint32_t device : holders(*table_, partition_)) {
                take(device);
            }
            const std::string hash = to_hex(md5(std::to_string(partition_)));
            walk_ = Walk(*table_, partition_of(hash, table_->part_power));
        }

        /// The next row's device that is not taken and, in this tier, not beside a taken one.
        [[nodiscard]] std::optional<std::uint32_t> next_here() {
            while (walk_.row < table_->rows.size()) {
                const auto& row = table_->rows[walk_.row++];
                if (walk_.at < row.size() &&
                    !seen_[tier_].flags[table_->tiers[row[walk_.at]][tier_]]) {
                    return row[walk_.at];
                }
            }
            return std::nullopt;
        }

        void take(std::uint32_t device) {
            for (std::size_t tier = 0; tier < seen_.size(); ++tier) {
                auto flag = seen_[tier].flags[table_->tiers[device][tier]];
                seen_[tier].count += flag ? 0 : 1;
                flag = true;
            }
        }

        std::shared_ptr<const SwiftRingTable> table_;
        std::uint32_t partition_;
        std::array<Seen, SwiftRingTable::tier_count> seen_{};
        std::size_t tier_ = 0;
        Walk walk_{};
    };

    /// Throws like primaries().
    [[nodiscard]] Handoffs handoffs(std::uint32_t partition) const {
        check_partition(partition, partition_count());
        return {table_, partition};
    }

private:
    /// The devices of a partition, each once.
    [[nodiscard]] static std::vector<std::uint32_t> holders(const SwiftRingTable& table,
                                                            std::uint32_t partition) {
        std::vector<std::uint32_t> found;
        for (const auto& row : table.rows) {
            if (partition < row.size() && std::ranges::find(found, row[partition]) == found.end()) {
                found.push_back(row[partition]);
            }
        }
        return found;
    }

    std::shared_ptr<const SwiftRingTable> table_;
};

static_assert(RingFormat<SwiftRingVersion>);

/// A ring read from such a file. For the constructor see WatchedRing (watched_ring.hpp).
template <Clock C = SystemClock, Disk D = PosixDisk>
using SwiftRing = WatchedRing<SwiftRingVersion, C, D>;

static_assert(Ring<SwiftRing<>>);

} // namespace replica

#endif // REPLICA_RING_SWIFT_RING_HPP
