#ifndef REPLICA_BENCH_MAKE_ROWS_HPP
#define REPLICA_BENCH_MAKE_ROWS_HPP

// Rows of both kinds for benchmarks: always the same ones, of the size that real ones have.

#include <replica/words/info.hpp>
#include <replica/words/md5.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <vector>

namespace replica::bench {

/// Row number `i`. Names are spread over the whole index, the hard case for a merge.
template <class Row>
[[nodiscard]] Row make_row(std::int64_t i) {
    const std::string digest = to_hex(md5(std::to_string(i)));
    const std::string name = digest.substr(0, 12) + "/photos/" + std::to_string(i) + ".jpeg";
    if constexpr (std::same_as<Row, ObjectRow>) {
        return {i + 1, name, "1700000000.00000", 1000 + i, "image/jpeg", digest, 0, 0};
    } else {
        return {i + 1, name, "1700000000.00000", "0", i % 1000, 1000 * i, 0, 0};
    }
}

/// Rows `first` to `first + count - 1`.
template <class Row>
[[nodiscard]] std::vector<Row> make_rows(std::int64_t first, std::int64_t count) {
    std::vector<Row> rows;
    for (std::int64_t i = first; i < first + count; ++i) {
        rows.push_back(make_row<Row>(i));
    }
    return rows;
}

} // namespace replica::bench

#endif // REPLICA_BENCH_MAKE_ROWS_HPP
