#ifndef REPLICA_WORDS_MERGE_ITEMS_HPP
#define REPLICA_WORDS_MERGE_ITEMS_HPP

// Decodes a merge_items, mostly as it is read (words/row_reader.hpp), else from a document.

#include <replica/error.hpp>
#include <replica/rows/checks.hpp>
#include <replica/words/call.hpp>
#include <replica/words/json.hpp>
#include <replica/words/message.hpp>
#include <replica/words/row_reader.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace replica::message {

namespace detail {

/// A row that has been read, or of which `fault` could not be. One that cannot be stored is set
/// aside. Throws bad_request if its ROWID would make a wrong point.
template <class Row>
void add_row(MergeItems<Row>& items, Row row, std::string fault = {}) {
    if (!items.source.empty()) { // rows above the point -1 begin at 0
        require_at_least(0, row.rowid, "a row's ROWID");
    }
    items.last_rowid = std::max(items.last_rowid, row.rowid);
    if (fault.empty()) {
        normalise(row);
        fault = unusable(row);
    }
    if (fault.empty()) {
        items.rows.push_back(std::move(row));
    } else {
        items.set_aside.push_back("row " + std::to_string(row.rowid) + ": " + fault);
    }
}

template <class Row>
void add_row(MergeItems<Row>& items, const boost::json::value& value) {
    const auto* const object = value.if_object();
    if (object == nullptr) {
        throw Failure(Error::bad_request, "a row must be an object");
    }
    Row row;
    const auto* const rowid = object->if_contains("ROWID");
    if (rowid != nullptr) {
        json::read(*rowid, row.rowid, "a row's ROWID");
    }
    std::string fault;
    try {
        json::read_members(*object, row, "a row", is_required, json::Null::is_default);
    } catch (const Failure& failure) {
        fault = failure.what();
    }
    add_row(items, std::move(row), std::move(fault));
}

template <class Row>
[[nodiscard]] MergeItems<Row> decode_read(ReadRows<Row> read) {
    MergeItems<Row> items;
    items.source = std::move(read.source);
    items.receiver = std::move(read.receiver);
    if (!items.source.empty()) {
        require_id(items.source, "merge_items' source");
    }
    if (!items.receiver.empty()) {
        require_id(items.receiver, "merge_items' receiver");
    }
    items.rows.reserve(read.rows.size());
    for (Row& row : read.rows) {
        add_row(items, std::move(row));
    }
    return items;
}

} // namespace detail

/// Throws bad_request that names what is wrong.
template <class Row>
[[nodiscard]] MergeItems<Row> decode_merge_items(const Call& call) {
    if (!call.unread.empty()) {
        auto read = read_rows<Row>(call.unread);
        return read ? detail::decode_read(*std::move(read))
                    : decode_merge_items<Row>(decode_document(Body{call.unread}));
    }
    require_count(call, 1, 3);
    const auto* const rows = call.arguments[0].if_array();
    if (rows == nullptr) {
        throw Failure(Error::bad_request, "merge_items' rows must be a list");
    }
    MergeItems<Row> items;
    if (call.arguments.size() > 1 && !call.arguments[1].is_null()) {
        json::read(call.arguments[1], items.source, "merge_items' source");
    }
    if (!items.source.empty()) {
        require_id(items.source, "merge_items' source");
    }
    detail::read_receiver(call, 2, items.receiver);
    items.rows.reserve(rows->size());
    for (const auto& value : *rows) {
        detail::add_row(items, value);
    }
    return items;
}

} // namespace replica::message

#endif // REPLICA_WORDS_MERGE_ITEMS_HPP
