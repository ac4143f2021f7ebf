#ifndef REPLICA_SIM_PAYLOAD_HPP
#define REPLICA_SIM_PAYLOAD_HPP

// How a simulated database is stored in a simulated file, and which errors a bad file gives: the
// same as SQLite's for the same damage.

#include <replica/error.hpp>
#include <replica/kind.hpp>
#include <replica/sim/node.hpp>
#include <replica/sim/state.hpp>
#include <replica/words/md5.hpp>

#include <any>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace replica::sim {

/// An id in Swift's form, a UUID and a name: the `number`-th id given out on a node.
[[nodiscard]] inline std::string id_of(const std::string& node, std::uint64_t number) {
    std::string id = to_hex(md5(node, "/", std::to_string(number)));
    for (const std::size_t at : {8U, 13U, 18U, 23U}) {
        id.insert(at, "-");
    }
    return id + '-' + node;
}

/// The value in a file is shared and never changed: a commit replaces it.
template <Kind K>
using Snapshot = std::shared_ptr<const State<K>>;

/// About as large as a real database, so that sizes can be compared.
template <Kind K>
[[nodiscard]] SimContent content_of(State<K> state) {
    const auto size = 4096 + 100 * static_cast<std::int64_t>(state.rows.size());
    return {std::string("SQLite format 3\0", 16),
            Snapshot<K>(std::make_shared<State<K>>(std::move(state))), size};
}

/// Null if the content is no database of this kind.
template <Kind K>
[[nodiscard]] Snapshot<K> find_state(const SimContent& content) {
    const auto* const state = std::any_cast<Snapshot<K>>(&content.value);
    return state != nullptr ? *state : nullptr;
}

/// The database in a file; throws if there is none or it is damaged. SQLite takes an empty file for
/// an empty database without tables; a database of the other kind lacks the table too. A
/// write-ahead log is no damage: open() accepts it, only open_upload() refuses it.
template <Kind K>
[[nodiscard]] Snapshot<K> state_of(const SimContent& content, const std::string& path) {
    const Snapshot<K> state = find_state<K>(content);
    std::optional<Error> error;
    if (state) {
        error = state->damage == Error::wal ? std::nullopt : state->damage;
    } else if (content.value.has_value() || content.bytes.empty()) {
        error = Error::missing_table;
    } else {
        error = content.bytes.starts_with("SQLite") ? Error::corrupt : Error::not_a_database;
    }
    if (error) {
        throw Failure(*error, path + ": " + make_error_code(*error).message());
    }
    return state;
}

} // namespace replica::sim

#endif // REPLICA_SIM_PAYLOAD_HPP
