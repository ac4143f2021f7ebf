#ifndef REPLICA_WORDS_CELLS_HPP
#define REPLICA_WORDS_CELLS_HPP

// 64-bit numbers and the cells of a sketch as JSON: a cell is its sum, its check and its count, one
// after the other in a list. Numbers go as signed ones, since no others are read.

#include <replica/error.hpp>
#include <replica/words/json.hpp>
#include <replica/words/sketch.hpp>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace replica::json {

/// Appends a number, with a comma before it unless it is the first of its list.
inline void append_next(std::string& out, std::uint64_t number) {
    out += out.ends_with('[') ? "" : ", ";
    out += std::to_string(std::bit_cast<std::int64_t>(number));
}

inline void append_next(std::string& out, const Sketch::Cell& cell) {
    append_next(out, cell.sum);
    out += ", " + std::to_string(cell.check) + ", " + std::to_string(cell.count);
}

inline void read(const boost::json::value& value, std::uint64_t& into, std::string_view what) {
    std::int64_t number = 0;
    read(value, number, what);
    into = std::bit_cast<std::uint64_t>(number);
}

/// Reads the cells from `first` on, at most `most`. Throws Failure with bad_reply if there are more
/// or the last one is cut off, or with bad_request if one is no cell.
[[nodiscard]] inline std::vector<Sketch::Cell> read_cells(const boost::json::array& list,
                                                          std::size_t first, std::size_t most) {
    constexpr std::size_t each = 3;
    if (list.size() < first || (list.size() - first) % each != 0 ||
        (list.size() - first) / each > most) {
        throw Failure(Error::bad_reply, "cells must be a list of threes");
    }
    std::vector<Sketch::Cell> cells((list.size() - first) / each);
    for (std::size_t at = first; Sketch::Cell & cell : cells) {
        std::int64_t check = 0;
        std::int64_t count = 0;
        read(list[at], cell.sum, "a cell's sum");
        read(list[at + 1], check, "a cell's check");
        read(list[at + 2], count, "a cell's count");
        cell.check = static_cast<std::uint32_t>(check);
        cell.count = static_cast<std::int32_t>(count);
        at += each;
    }
    return cells;
}

} // namespace replica::json

#endif // REPLICA_WORDS_CELLS_HPP
