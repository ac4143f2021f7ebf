#ifndef REPLICA_TEST_SIM_STRANGER_HPP
#define REPLICA_TEST_SIM_STRANGER_HPP

// Requests that no server sends, from somebody who is on the network of a simulated world. A server
// of ours refuses them, and goes on.

#include "layout.hpp"
#include "world.hpp"
#include <replica/sim/transport.hpp>
#include <replica/transport.hpp>
#include <replica/words/message.hpp>
#include <replica/words/timestamp.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <string>
#include <vector>

namespace replica::test {

/// Bodies that are refused whatever the database has.
inline constexpr const char* odd_bodies[] = {
    "",
    "[]",
    "{}",
    "nonsense",
    R"("sync")",
    R"([["sync"]])",
    R"(["__init__", 1])",
    R"(["sync"])",
    R"(["sync", 1, 2, 3])",
    R"(["sync", "7", "0", "stranger", "1", "1", "0", ""])",
    R"(["sync", 7, "0", "../up", "1", "1", "0", ""])",
    R"(["sync", -5, "0", "stranger", "1", "1", "0", ""])",
    R"(["merge_items"])",
    R"(["merge_items", 5, "stranger"])",
    R"(["merge_items", {}, "stranger"])",
    R"(["merge_items", [7], "stranger"])",
    R"(["merge_items", [], "../up"])",
    R"(["merge_items", [], 7])",
    R"(["merge_syncs"])",
    R"(["merge_syncs", [{"sync_point": "7", "remote_id": "stranger"}]])",
    R"(["merge_syncs", [{"sync_point": -7, "remote_id": "stranger"}]])",
    R"(["merge_syncs", [{"sync_point": 7, "remote_id": "../up"}]])",
    R"(["merge_syncs", [{"sync_point": 7}]])",
    R"(["merge_shard_ranges"])",
    R"(["merge_shard_ranges", 5])",
    R"(["merge_shard_ranges", [], 1, 2, 3])",
    R"(["get_shard_ranges", 1, 2, 3])",
    R"(["complete_rsync"])",
    R"(["complete_rsync", "../up"])",
    R"(["complete_rsync", "nobody has sent it"])",
    R"(["rsync_then_merge"])",
    R"(["rsync_then_merge", "../up"])",
    R"(["rsync_then_merge", "nobody has sent it"])",
    R"(["put_file"])",
    R"(["summary", -1])",
    R"(["compare", "nothing"])",
};

/// Rows that nobody could store: set aside, with an answer as if they had been merged (defect 25).
template <class Row>
[[nodiscard]] std::string poison(std::size_t which, Timestamp now) {
    Row row;
    row.rowid = 1; // else the whole request is refused
    row.name = which == 0 ? "" : "poison";
    row.deleted = which == 1 ? 7 : 0;
    const std::string time = which == 2 ? "no time" : now.normal();
    if constexpr (requires { row.created_at; }) {
        row.created_at = time;
    } else {
        row.put_timestamp = row.delete_timestamp = time;
    }
    return message::encode_rows(std::vector<Row>{row}, "stranger");
}

/// Asks a server of ours something odd. Whatever state it is in, it must not agree.
template <class Kind>
void ask_oddly(World<Kind>& world, const typename World<Kind>::Machine& machine,
               const typename World<Kind>::Known& database, std::size_t device) {
    if (world.is_stock(machine)) {
        return;
    }
    using Row = typename Kind::row_type;
    std::string body = odd_bodies[world.pick(std::size(odd_bodies))];
    bool may_agree = false;
    if constexpr (std::same_as<Row, ObjectRow> || std::same_as<Row, ContainerRow>) {
        may_agree = world.pick(10) == 0;
        body = may_agree ? poison<Row>(world.pick(3), world.clock.now()) : body;
    }
    const auto partition = world.machines[0]->ring.version().partition(database.hash);
    const Request request{Layout::name(device), std::to_string(partition), database.hash, body};
    SimTransport transport(world.network, world.clock, "10.9.9.9");
    Device to;
    to.replication_ip = machine.ip;
    to.replication_port = Layout::port;
    to.device = request.device;
    const Instant deadline = world.clock.monotonic() + std::chrono::seconds(10);
    const auto reply = transport.peer(to).send(request, deadline, {});
    if (!reply) {
        return; // lost, or nobody serves
    }
    if (reply->success() && !may_agree) {
        throw Violation(machine.ip + ": agrees to " + body + " with " +
                        std::to_string(reply->status) + ' ' + reply->body);
    }
    world.marks("fault: an odd request is answered with " + std::to_string(reply->status));
}

} // namespace replica::test

#endif // REPLICA_TEST_SIM_STRANGER_HPP
