#ifndef REPLICA_TEST_SUPPORT_TABLE_RING_HPP
#define REPLICA_TEST_SUPPORT_TABLE_RING_HPP

// The simplest ring a scenario can be told about in one sentence: partition p belongs to the
// devices p, p + 1, ... in the order of their ids, and the handoffs follow in the same circle. In
// such a ring a device has few others as peers. Where a scenario needs what a builder of rings
// makes, that each shares partitions with all others, the steps in the circle differ.

#include <replica/ring.hpp>

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::test {

enum class Steps {
    one,
    all, ///< Of a prime number of devices, so that each step leads to all of them.
};

class TableRing {
public:
    TableRing(std::vector<Device> devices, std::size_t replicas, unsigned part_power,
              Steps steps = Steps::one)
        : table_(std::make_shared<Table>(Table{std::move(devices), replicas, part_power, steps})) {}

    class Handoffs {
    public:
        Handoffs(std::vector<Device> rest) : rest_(std::move(rest)) {}
        std::optional<Device> next() {
            return at_ < rest_.size() ? std::optional(rest_[at_++]) : std::nullopt;
        }

    private:
        std::vector<Device> rest_;
        std::size_t at_ = 0;
    };

    [[nodiscard]] TableRing version() const { return *this; }
    [[nodiscard]] const std::vector<Device>& devices() const { return table_->devices; }
    [[nodiscard]] std::uint32_t partition_count() const { return 1U << table_->part_power; }
    [[nodiscard]] std::uint32_t partition(std::string_view hash) const {
        return partition_of(hash, table_->part_power);
    }
    [[nodiscard]] std::vector<Device> primaries(std::uint32_t partition) const {
        return circle(partition, 0, table_->replicas);
    }
    [[nodiscard]] Handoffs handoffs(std::uint32_t partition) const {
        return {circle(partition, table_->replicas, table_->devices.size())};
    }

private:
    struct Table {
        std::vector<Device> devices;
        std::size_t replicas;
        unsigned part_power;
        Steps steps;
    };

    [[nodiscard]] std::vector<Device> circle(std::uint32_t partition, std::size_t from,
                                             std::size_t to) const {
        std::vector<Device> result;
        const std::size_t count = table_->devices.size();
        const std::size_t step =
            table_->steps == Steps::all ? 1 + partition / count % (count - 1) : 1;
        for (std::size_t i = from; i < to; ++i) {
            result.push_back(table_->devices[(partition + i * step) % count]);
        }
        return result;
    }

    std::shared_ptr<const Table> table_;
};

static_assert(Ring<TableRing>);

/// A ring that can be exchanged under a running replicator.
class NewestRing {
public:
    explicit NewestRing(TableRing ring) : ring_(std::make_shared<TableRing>(std::move(ring))) {}

    [[nodiscard]] TableRing version() const { return *ring_; }
    void set(TableRing ring) const { *ring_ = std::move(ring); }

private:
    std::shared_ptr<TableRing> ring_;
};

static_assert(Ring<NewestRing>);

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_TABLE_RING_HPP
