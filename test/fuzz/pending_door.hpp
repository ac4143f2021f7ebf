#ifndef REPLICA_TEST_FUZZ_PENDING_DOOR_HPP
#define REPLICA_TEST_FUZZ_PENDING_DOOR_HPP

// A .pending file, whose rows were acknowledged. Each entry is in the database afterwards or still
// there to be read by people. An input that does not begin with a colon is the pickle of one entry.

#include "node.hpp"
#include <replica/sqlite/pending.hpp>

#include <support/of_kind.hpp>
#include <support/pending_entry.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace replica::fuzz {

template <class Kind>
struct PendingDoor {
    using Row = typename Kind::row_type;
    using Schema = test::SchemaOf<Kind>;

    void operator()(std::string_view input) const {
        const std::string file =
            input.starts_with(':') ? std::string(input) : ':' + test::base64(input);
        const auto pending = sqlite::read_pending<Schema>(file);
        require(pending.rows.size() + pending.unreadable == entries(file), "an entry is forgotten");
        if (pending.rows.empty() && pending.unreadable == 0) {
            return;
        }
        Node<Kind>& node = fresh_node<Kind>();
        flush(node, file);
        const auto once = node.open().info();
        require(!node.disk.stat(node.path + ".pending"), "the file is still there");
        require(is_set_aside(node, file) == (pending.unreadable > 0), "an entry was thrown away");
        node.require_whole();
        const auto stored = node.rows();
        for (const Row& row : pending.rows) {
            require(std::ranges::any_of(stored, [&](const Row& each) { return has(each, row); }),
                    "an acknowledged row is lost: " + row.name);
        }
        flush(node, file);
        require(node.open().info() == once, "the same rows once more change something");
    }

private:
    [[nodiscard]] static std::size_t entries(std::string_view file) {
        std::size_t count = 0;
        for (std::size_t at = 0; at < file.size(); ++at) {
            count += file[at] != ':' && (at == 0 || file[at - 1] == ':') ? 1 : 0;
        }
        return count;
    }

    static void flush(Node<Kind>& node, const std::string& file) {
        node.disk.write(node.path + ".pending", file);
        auto database = node.open();
        storage::flush_pending(node.broker, database, node.path, node.soon());
    }

    [[nodiscard]] static bool is_set_aside(Node<Kind>& node, const std::string& file) {
        return std::ranges::any_of(node.files(), [&](const auto& each) {
            return each.first.starts_with(node.path + ".pending.unreadable.") &&
                   each.second == file;
        });
    }

    /// Whether the stored row is at least as new as the acknowledged one.
    [[nodiscard]] static bool has(const ObjectRow& stored, const ObjectRow& row) {
        return stored.name == row.name && stored.storage_policy_index == row.storage_policy_index &&
               RowTimes::decode(stored.created_at)->data >= RowTimes::decode(row.created_at)->data;
    }
    [[nodiscard]] static bool has(const ContainerRow& stored, const ContainerRow& row) {
        return stored.name == row.name &&
               timestamp_or_zero(stored.put_timestamp) >= timestamp_or_zero(row.put_timestamp) &&
               timestamp_or_zero(stored.delete_timestamp) >=
                   timestamp_or_zero(row.delete_timestamp);
    }
};

/// Either kind reads it.
struct PendingDoors {
    void operator()(std::string_view input) const {
        PendingDoor<ContainerKind>()(input);
        PendingDoor<AccountKind>()(input);
    }
};

} // namespace replica::fuzz

#endif // REPLICA_TEST_FUZZ_PENDING_DOOR_HPP
