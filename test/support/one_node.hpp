#ifndef REPLICA_TEST_SUPPORT_ONE_NODE_HPP
#define REPLICA_TEST_SUPPORT_ONE_NODE_HPP

// One simulated machine with one device, for tests of what happens on it: make the same machine
// again and again, let one call fail, or the power go, or a client write, each at the n-th call of
// the disk, until every call had its turn.

#include <replica/sim/broker.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/random.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

/// The row of a client, with the time of now.
template <class Kind>
[[nodiscard]] typename Kind::row_type client_row(const SimClock& clock, const std::string& name,
                                                 bool deleted = false) {
    typename Kind::row_type row;
    row.name = name;
    row.deleted = deleted ? 1 : 0;
    if constexpr (requires { row.created_at; }) {
        row.created_at = clock.now().internal();
        row.size = deleted ? 0 : 1;
        row.etag = "e";
    } else {
        row.put_timestamp = deleted ? "0" : clock.now().internal();
        row.delete_timestamp = deleted ? clock.now().internal() : "0";
    }
    return row;
}

template <class Kind>
struct OneNode {
    using Broker = SimBroker<Kind>;
    using Info = typename Kind::info_type;
    using Row = typename Kind::row_type;

    static constexpr const char* root = "/srv/node";

    OneNode() {
        disk.mount(device);
        disk.make_directories(device + "/tmp");
        disk.settle();
    }

    /// Waits at most a second for locks.
    [[nodiscard]] Instant soon() const { return clock.monotonic() + std::chrono::seconds(1); }

    [[nodiscard]] Info info() const {
        Info result;
        result.account = "a";
        if constexpr (requires { result.container; }) {
            result.container = "c";
        }
        return result;
    }

    auto create(const std::string& at) { return broker.create(at, info()); }
    auto create() { return create(path); }
    auto open(const std::string& at) { return broker.open(at, soon()); }
    auto open() { return open(path); }

    [[nodiscard]] Row row(const std::string& name, bool deleted = false) const {
        clock.advance(Seconds(0.001));
        return client_row<Kind>(clock, name, deleted);
    }

    void put(const std::string& name, const std::string& at) { open(at).put(row(name)); }
    void put(const std::string& name) { put(name, path); }

    /// The names in a database, its waiting rows included; nothing if there is no database.
    [[nodiscard]] std::optional<std::set<std::string>> names(const std::string& at) const {
        const auto state = broker.peek(at);
        if (!state) {
            return std::nullopt;
        }
        std::set<std::string> result = pending(at);
        for (const auto& [rowid, each] : state->rows) {
            if (each.deleted == 0) {
                result.insert(each.name);
            }
        }
        return result;
    }
    [[nodiscard]] std::optional<std::set<std::string>> names() const { return names(path); }

    /// The names that wait beside a database.
    [[nodiscard]] std::set<std::string> pending(const std::string& at) const {
        std::set<std::string> result;
        const auto content = disk.content(at + ".pending");
        if (content) {
            if (const auto* rows = std::any_cast<std::vector<Row>>(&content->value)) {
                for (const Row& each : *rows) {
                    result.insert(each.name);
                }
            }
        }
        return result;
    }

    /// Names of what lies in a directory; empty if there is none.
    [[nodiscard]] std::set<std::string> entries(const std::string& directory) const {
        std::set<std::string> result;
        if (disk.stat(directory)) {
            for (const Entry& entry : disk.list(directory)) {
                result.insert(entry.name);
            }
        }
        return result;
    }

    /// What a stock server does with a client's row: a look whether the database is there, the
    /// lock of the directory, and an entry in .pending. Whether it was acknowledged.
    bool client_appends(const std::string& name) {
        try {
            if (!disk.stat(path)) {
                return false;
            }
            const auto lock = disk.try_lock(storage::parent(path));
            if (!lock) {
                return false;
            }
            broker.put_pending(path, {row(name)});
            disk.sync(path + ".pending");
            disk.sync(storage::parent(path));
            return true;
        } catch (const Failure&) {
            return false;
        }
    }

    /// What a stock server does with a big or direct update: a transaction. Whether it was
    /// acknowledged.
    bool client_commits(const std::string& name) {
        try {
            broker.open(path, clock.monotonic()).put(row(name));
            return true;
        } catch (const Failure&) {
            return false;
        }
    }

    SimClock clock;
    SimDisk disk{clock};
    Broker broker{disk, clock, "n1"};
    Random random{1};
    HashPath hash_path{"", "changeme"};
    std::string device = std::string(root) + "/sda";
    std::string hash = hash_path(info().name());
    std::string directory = device + '/' + storage_directory(Kind::datadir, "1", hash);
    std::string path = directory + '/' + hash + ".db";
};

/// Runs `act` on fresh machines, the n-th time with the n-th call of the disk failing, until it
/// gets through without. After each, `check(node, done)`. Returns how many calls could fail.
template <class Make, class Act, class Check>
int with_each_call_failing(Make make, Act act, Check check, Error error = Error::io) {
    for (int n = 1; n < 1000; ++n) {
        auto node = make();
        node->disk.fail_at(static_cast<std::uint64_t>(n), error);
        bool done = true;
        try {
            act(*node);
        } catch (const Failure&) {
            done = false;
        }
        const bool through = node->disk.fault_pending();
        node->disk.clear_faults();
        BOOST_TEST_CONTEXT("call " << n << " failed") {
            check(*node, done);
        }
        if (through) {
            return n - 1;
        }
    }
    BOOST_ERROR("never got through");
    return 0;
}

/// The same with the power going before the n-th call, and a restart.
template <class Make, class Act, class Check>
int with_a_crash_before_each_call(Make make, Act act, Check check) {
    for (int n = 1; n < 1000; ++n) {
        auto node = make();
        node->disk.settle();
        node->disk.halt_at(static_cast<std::uint64_t>(n));
        bool done = true;
        try {
            act(*node);
        } catch (const Failure&) {
            done = false;
        }
        const bool through = node->disk.fault_pending();
        node->disk.crash();
        BOOST_TEST_CONTEXT("the power went before call " << n) {
            check(*node, done);
        }
        if (through) {
            return n - 1;
        }
    }
    BOOST_ERROR("never got through");
    return 0;
}

/// The same with a client that writes "late" before the n-th call through `write(node)`, which
/// tells whether it was acknowledged. `check(node, acknowledged)`.
template <class Make, class Act, class Write, class Check>
int with_a_write_before_each_call(Make make, Act act, Write write, Check check) {
    for (int n = 1; n < 1000; ++n) {
        auto node = make();
        int calls = 0;
        bool acknowledged = false;
        bool inside = false;
        node->disk.on_call([&](SimCall, const std::string&) {
            if (!inside && ++calls == n) {
                inside = true;
                acknowledged = write(*node);
                inside = false;
            }
        });
        try {
            act(*node);
        } catch (const Failure&) {
            BOOST_TEST_MESSAGE("refused");
        }
        node->disk.on_call(nullptr);
        BOOST_TEST_CONTEXT("a client wrote before call " << n) {
            check(*node, acknowledged);
        }
        if (calls < n) {
            return n - 1;
        }
    }
    BOOST_ERROR("never got through");
    return 0;
}

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_ONE_NODE_HPP
