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

/// The number of rows for the next request, between per_diff and ten times as many.
class BatchSize {
public:
    /// `grows`: the receiver is a server of ours. A stock server gets what Swift would send it.
    BatchSize(std::int64_t per_diff, bool grows)
        : least_(per_diff),
          most_(grows && per_diff < most_rows ? std::min(10 * per_diff, most_rows) : per_diff),
          rows_(per_diff) {}

    /// A larger request of more than per_diff rows is not sent: a server takes 64 MiB at most, and
    /// a row may have 10 kB.
    static constexpr std::size_t most_bytes = 16 << 20;

    [[nodiscard]] std::int64_t rows() const { return rows_; }

    /// The rows have become larger than those before: no batch grows any more.
    void stay_small() { rows_ = most_ = least_; }

    /// The answer to a request with that many rows took so long.
    void took(Seconds time) {
        if (time < quick) {
            rows_ = std::min(2 * rows_, most_);
        } else if (time > slow) {
            rows_ = std::max(rows_ / 2, least_);
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
