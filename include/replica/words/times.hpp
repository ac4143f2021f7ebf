#ifndef REPLICA_WORDS_TIMES_HPP
#define REPLICA_WORDS_TIMES_HPP

// Merges the times of two replicas, with the same result on both.

#include <replica/words/info.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace replica {

/// Times are compared as times. Of equal times in different form ("0" and "0000000000.00000") every
/// replica takes the same.
[[nodiscard]] inline Timestamps merged(const Timestamps& a, const Timestamps& b) {
    const auto before = [](const std::string& x, const std::string& y) {
        return std::pair(timestamp_or_zero(x), std::string_view(x)) <
               std::pair(timestamp_or_zero(y), std::string_view(y));
    };
    return {std::min(a.created_at, b.created_at, before),
            std::max(a.put_timestamp, b.put_timestamp, before),
            std::max(a.delete_timestamp, b.delete_timestamp, before)};
}

} // namespace replica

#endif // REPLICA_WORDS_TIMES_HPP
