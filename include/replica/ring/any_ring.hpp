#ifndef REPLICA_RING_ANY_RING_HPP
#define REPLICA_RING_ANY_RING_HPP

// A daemon learns the kind of its ring from its configuration. One type for both kinds costs a
// branch per call. A replicator instantiated for each kind would nearly double each daemon's
// compile time and code, since all of the flow depends on the ring.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/disk/posix.hpp>
#include <replica/ring.hpp>
#include <replica/ring/json_ring.hpp>
#include <replica/ring/swift_ring.hpp>
#include <replica/ring/watched_ring.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace replica {

/// One version of a ring of either kind. Models RingVersion. Thread safety: any thread.
class AnyRingVersion {
public:
    /// The largest file of either kind, in bytes.
    static constexpr std::size_t max_bytes =
        std::max(JsonRingVersion::max_bytes, SwiftRingVersion::max_bytes);

    /// A file whose name ends in .gz is read as Swift's, any other as JSON.
    [[nodiscard]] static AnyRingVersion parse(std::string_view bytes, const std::string& file) {
        if (file.ends_with(".gz")) {
            return AnyRingVersion(SwiftRingVersion::parse(bytes, file));
        }
        return AnyRingVersion(JsonRingVersion::parse(bytes, file));
    }

    [[nodiscard]] const std::vector<Device>& devices() const {
        return std::visit([](const auto& ring) -> const auto& { return ring.devices(); }, kind_);
    }
    [[nodiscard]] std::uint32_t partition_count() const {
        return std::visit([](const auto& ring) { return ring.partition_count(); }, kind_);
    }
    [[nodiscard]] std::uint32_t partition(std::string_view hash) const {
        return std::visit([&](const auto& ring) { return ring.partition(hash); }, kind_);
    }
    [[nodiscard]] std::vector<Device> primaries(std::uint32_t partition) const {
        return std::visit([&](const auto& ring) { return ring.primaries(partition); }, kind_);
    }

    /// The handoffs of a ring of either kind.
    class Handoffs {
    public:
        /// `next` gives one device after the other, then nothing.
        explicit Handoffs(std::function<std::optional<Device>()> next) : next_(std::move(next)) {}

        [[nodiscard]] std::optional<Device> next() { return next_(); }

    private:
        std::function<std::optional<Device>()> next_;
    };

    [[nodiscard]] Handoffs handoffs(std::uint32_t partition) const {
        const auto wrap = [&](const auto& ring) {
            return Handoffs([of = ring.handoffs(partition)]() mutable { return of.next(); });
        };
        return std::visit(wrap, kind_);
    }

private:
    using Kind = std::variant<JsonRingVersion, SwiftRingVersion>;

    explicit AnyRingVersion(Kind kind) : kind_(std::move(kind)) {}

    Kind kind_;
};

static_assert(RingFormat<AnyRingVersion>);

/// A ring read from such a file. For the constructor see WatchedRing (watched_ring.hpp).
template <Clock C = SystemClock, Disk D = PosixDisk>
using AnyRing = WatchedRing<AnyRingVersion, C, D>;

static_assert(Ring<AnyRing<>>);

} // namespace replica

#endif // REPLICA_RING_ANY_RING_HPP
