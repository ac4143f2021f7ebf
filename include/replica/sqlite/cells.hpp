#ifndef REPLICA_SQLITE_CELLS_HPP
#define REPLICA_SQLITE_CELLS_HPP

// What the cells of a file from elsewhere claim to hold, looked at before SQLite opens the file.
//
// SQLite 3.40.1 counts the overflow pages of a record in 32 bits. Of a record that claims just
// below 4 GiB the count is 0, and page numbers may be written behind its memory (defect 125).
// Opening the file reads the schema, before any check by statements. So no cell may claim more
// bytes than the file has.
//
// All pages are looked at in their order, not along the trees, which nobody has checked yet. An
// honest page that belongs to no tree is not refused. An overflow page and a page of the free list
// begin with the number of another, whose first byte is 0 in files up to 16 GiB, or they are as
// they were in a tree. A page that maps others (auto_vacuum) begins with 1, 3, 4 or 5, or with 2
// and four zeros, and so has no cells.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/sqlite/page_file.hpp>
#include <replica/sqlite/page_rows.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace replica::sqlite {

namespace detail {

/// Whether no cell of this page claims more than `most` bytes. `begin`: where its head is.
[[nodiscard]] inline bool is_honest_page(std::string_view page, std::size_t begin,
                                         std::uint64_t most) {
    enum Kind : unsigned char {
        inner_index = 2,
        inner_table = 5,
        index = 10,
        table = 13
    };
    const auto kind = static_cast<unsigned char>(page[begin]);
    if (kind != inner_index && kind != index && kind != table) {
        return true; // its cells have no payload, or it has none
    }
    const std::size_t pointers = begin + (kind == inner_index ? 12U : 8U);
    const std::size_t room = (page.size() - 8) / 6; // SQLite refuses a page that says more
    const std::size_t cells = big_endian(page, begin + 3, 2);
    if (cells > room) {
        return false;
    }
    for (std::size_t number = 0; number < cells; ++number) {
        // SQLite takes a pointer modulo the size of a page.
        std::size_t at = big_endian(page, pointers + 2 * number, 2) & (page.size() - 1);
        at += kind == inner_index ? 4U : 0U;
        try {
            if (varint(page, at) > most) {
                return false;
            }
        } catch (const NotPlain&) { // the number goes on beyond the page
            return false;
        }
    }
    return true;
}

} // namespace detail

/// Throws corrupt for a file with a cell that claims more bytes than the file has, and timed_out at
/// the deadline. What has no size of a page that SQLite takes is left to SQLite, which refuses it.
/// Reads the whole file once; never of a live database (see Disk).
template <Disk D, Clock C>
void require_honest_cells(const D& disk, const std::string& path, const C& clock,
                          Instant deadline) {
    constexpr std::size_t piece_bytes = 1 << 22; // whole pages of any size
    constexpr std::uint64_t most_row = 0x7fffffff;
    const auto status = disk.stat(path);
    const std::uint64_t most =
        std::min(status ? static_cast<std::uint64_t>(status->size) : 0, most_row);
    std::uint64_t page_bytes = 0;
    std::uint64_t number = 0;
    for (std::int64_t offset = 0;; offset += static_cast<std::int64_t>(piece_bytes)) {
        std::string piece = disk.read_from(path, offset, piece_bytes);
        const bool last = piece.size() < piece_bytes;
        if (offset == 0) {
            const std::uint64_t said = piece.size() < 100 ? 0 : big_endian(piece, 16, 2);
            page_bytes = said == 1 ? 65536 : said;
            if (page_bytes < 512 || (page_bytes & (page_bytes - 1)) != 0) {
                return;
            }
        }
        // SQLite reads what is missing of the last page as zeros.
        piece.resize((piece.size() + page_bytes - 1) / page_bytes * page_bytes);
        for (std::size_t at = 0; at < piece.size(); at += page_bytes) {
            const std::string_view page = std::string_view(piece).substr(at, page_bytes);
            if (!detail::is_honest_page(page, ++number == 1 ? 100 : 0, most)) {
                throw Failure(Error::corrupt, path + ": page " + std::to_string(number) +
                                                  " has a cell that claims more than the file has");
            }
        }
        if (last) {
            return;
        }
        if (clock.monotonic() >= deadline) {
            throw Failure(Error::timed_out, path + ": its pages are not looked at in time");
        }
    }
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_CELLS_HPP
