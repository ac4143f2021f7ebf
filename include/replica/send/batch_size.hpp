#ifndef REPLICA_SEND_BATCH_SIZE_HPP
#define REPLICA_SEND_BATCH_SIZE_HPP

// How many rows a request to a server of ours carries. The receiver merges a request in one
// transaction. Of 100,000 rows the two peers together spent 1.8 to 2.0 CPU seconds in batches of
// 1,000, and 1.4 to 1.5 in batches of 10,000. But clients wait for the write lock meanwhile, so a
// batch grows only while its answers come quickly.

#include <replica/clock.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace replica {

/// The number of rows for the next request, between per_diff and ten times as many; fewer if these
/// are too large.
class BatchSize {
public:
    /// `grows`: the receiver is a server of ours. A stock server gets what Swift would send it.
    BatchSize(std::int64_t per_diff, bool grows)
        : least_(per_diff),
          most_(grows && per_diff < most_rows ? std::min(10 * per_diff, most_rows) : per_diff),
          rows_(per_diff) {}

    /// A larger request of several rows is not sent: a server takes 64 MiB at most, and a record
    /// of a host program may have 8 MiB.
    static constexpr std::size_t most_bytes = 16 << 20;

    /// So many bytes of rows are read for a request. In JSON most of them take a little more.
    static constexpr std::size_t most_read = most_bytes / 2;

    [[nodiscard]] std::int64_t rows() const { return rows_; }

    /// That many rows were too large for a request. The next one has at most half as many, and at
    /// most per_diff.
    void too_large(std::int64_t rows) {
        rows_ = std::max<std::int64_t>(std::min(least_, rows / 2), 1);
    }

    /// The answer to a request with that many rows took so long.
    void took(Seconds time) {
        if (time < quick) {
            rows_ = std::min(2 * rows_, most_);
        } else if (time > slow) {
            rows_ = std::max(rows_ / 2, std::min(rows_, least_));
        }
    }

private:
    static constexpr std::int64_t most_rows = 10'000;
    static constexpr Seconds quick{0.1};
    static constexpr Seconds slow{0.4};

    std::int64_t least_;
    std::int64_t most_;
    std::int64_t rows_;
};

} // namespace replica

#endif // REPLICA_SEND_BATCH_SIZE_HPP
