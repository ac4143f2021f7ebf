#ifndef REPLICA_SQLITE_PAGE_ROWS_HPP
#define REPLICA_SQLITE_PAGE_ROWS_HPP

// The rows of a table and the last entry of an index, from the pages of their B-trees (SQLite's
// file format, sections 1.6 and 2.1). Only what our tables hold: nulls, whole numbers and text.
// Everything else, and everything that does not fit together, is NotPlain.

#include <replica/sqlite/page_file.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace replica::sqlite {

/// A value of a row.
using PageValue = std::variant<std::monostate, std::int64_t, std::string>;

/// The values of a row in the order of its columns. Columns that were added after the row was
/// written are missing at the end.
struct PageRow {
    std::int64_t rowid = 0; ///< 0 in an index.
    std::vector<PageValue> values;
};

namespace detail {

/// A number of one to nine bytes; moves `at` behind it.
[[nodiscard]] inline std::uint64_t varint(std::string_view text, std::size_t& at) {
    std::uint64_t number = 0;
    for (int i = 0; i < 8; ++i) {
        const std::uint64_t byte = big_endian(text, at++, 1);
        number = (number << 7U) | (byte & 0x7fU);
        if (byte < 0x80) {
            return number;
        }
    }
    return (number << 8U) | big_endian(text, at++, 1);
}

/// The payload of a cell. `at` is where it begins, `bytes` its size, `most` what a page of this
/// kind holds without overflow pages.
[[nodiscard]] inline std::string payload(PageFile& file, std::string_view page, std::size_t at,
                                         std::uint64_t bytes, std::uint64_t most) {
    constexpr std::uint64_t cell = 64; // what an empty row takes
    file.spend(cell);
    file.spend(bytes);
    const std::uint64_t usable = file.usable();
    std::uint64_t local = bytes;
    if (bytes > most) {
        const std::uint64_t least = (usable - 12) * 32 / 255 - 23;
        local = least + (bytes - least) % (usable - 4);
        local = local <= most ? local : least;
    }
    if (at + local > page.size()) {
        throw NotPlain();
    }
    std::string text(page.substr(at, local));
    std::uint64_t next = local < bytes ? big_endian(page, at + local, 4) : 0;
    while (text.size() < bytes) {
        const std::string_view more = file.page(next);
        next = big_endian(more, 0, 4);
        text.append(more.substr(4, std::min<std::uint64_t>(usable - 4, bytes - text.size())));
    }
    return text;
}

/// A value of a serial type; moves `at` behind it.
[[nodiscard]] inline PageValue value(std::string_view payload, std::uint64_t type,
                                     std::size_t& at) {
    constexpr std::array<int, 7> widths{0, 1, 2, 3, 4, 6, 8};
    if (type == 0) {
        return {};
    }
    if (type <= 6) {
        const int bytes = widths[type];
        const std::uint64_t bits = big_endian(payload, at, bytes);
        at += static_cast<std::size_t>(bytes);
        const int spare = 64 - 8 * bytes;
        return static_cast<std::int64_t>(bits << static_cast<unsigned>(spare)) >> spare; // the sign
    }
    if (type == 8 || type == 9) {
        return static_cast<std::int64_t>(type - 8);
    }
    const std::uint64_t bytes = (type - 13) / 2;
    if (type < 13 || type % 2 == 0 || bytes > payload.size() - std::min(at, payload.size())) {
        throw NotPlain(); // a real number, bytes that are no text, or beyond the end
    }
    at += bytes;
    return std::string(payload.substr(at - bytes, bytes));
}

[[nodiscard]] inline std::vector<PageValue> record(std::string_view payload) {
    std::size_t at = 0;
    const std::uint64_t header = varint(payload, at);
    constexpr std::size_t most_columns = 64;
    if (header > payload.size()) {
        throw NotPlain();
    }
    std::size_t content = header;
    std::vector<PageValue> values;
    while (at < header && values.size() < most_columns) {
        const std::uint64_t type = varint(payload, at);
        values.push_back(value(payload, type, content));
    }
    if (at != header) {
        throw NotPlain();
    }
    return values;
}

/// The head of a page of a B-tree, and where its cells are.
struct Node {
    Node(PageFile& file, std::uint64_t number)
        : page(file.page(number)), begin(number == 1 ? 100 : 0),
          type(static_cast<unsigned char>(page[begin])), cells(big_endian(page, begin + 3, 2)) {}

    [[nodiscard]] bool is_inner() const { return type == 2 || type == 5; }
    [[nodiscard]] std::size_t cell(std::size_t number) const {
        return big_endian(page, begin + (is_inner() ? 12U : 8U) + 2 * number, 2);
    }
    [[nodiscard]] std::uint64_t last_child() const { return big_endian(page, begin + 8, 4); }

    std::string_view page;
    std::size_t begin;
    int type;
    std::size_t cells;
};

} // namespace detail

/// No tree of SQLite's is higher.
inline constexpr int most_height = 20;

/// Calls `visit(row)` with the rows of the table whose root is this page, by rising ROWID.
template <std::invocable<const PageRow&> Visit>
void each_row(PageFile& file, std::uint64_t root, const Visit& visit, int height = most_height) {
    const detail::Node node(file, root);
    if (node.type == 5 && height > 0) {
        for (std::size_t i = 0; i < node.cells; ++i) {
            each_row(file, big_endian(node.page, node.cell(i), 4), visit, height - 1);
        }
        each_row(file, node.last_child(), visit, height - 1);
        return;
    }
    const bool is_root = height == most_height;
    if (node.type != 13 || (node.cells == 0 && !is_root)) {
        throw NotPlain();
    }
    for (std::size_t i = 0; i < node.cells; ++i) {
        std::size_t at = node.cell(i);
        const std::uint64_t bytes = detail::varint(node.page, at);
        const auto rowid = static_cast<std::int64_t>(detail::varint(node.page, at));
        const std::string payload = detail::payload(file, node.page, at, bytes, file.usable() - 35);
        visit(PageRow{rowid, detail::record(payload)});
    }
}

/// The highest entry of the index whose root is this page; nothing if the index is empty.
[[nodiscard]] inline std::optional<PageRow> last_entry(PageFile& file, std::uint64_t root) {
    for (bool is_root = true;; is_root = false) {
        const detail::Node node(file, root);
        if (node.type == 2) {
            root = node.last_child();
            continue;
        }
        if (node.type != 10 || (node.cells == 0 && !is_root)) {
            throw NotPlain();
        }
        if (node.cells == 0) {
            return std::nullopt;
        }
        std::size_t at = node.cell(node.cells - 1);
        const std::uint64_t bytes = detail::varint(node.page, at);
        const std::uint64_t most = (file.usable() - 12) * 64 / 255 - 23;
        return PageRow{0, detail::record(detail::payload(file, node.page, at, bytes, most))};
    }
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_PAGE_ROWS_HPP
