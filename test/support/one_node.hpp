#ifndef REPLICA_TEST_SUPPORT_ONE_NODE_HPP
#define REPLICA_TEST_SUPPORT_ONE_NODE_HPP

// One simulated machine with one device and one database, for tests of what happens on it.

#include "sqlite_store.hpp"
#include <replica/disk.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/random.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <optional>
#include <set>
#include <string>

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
    using Store = SqliteStore<Kind>;
    using Broker = typename Store::Broker;
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

    auto create(const std::string& at) { return broker.create(at, info(), soon()); }
    auto create() { return create(path); }
    auto open(const std::string& at) { return broker.open(at, soon()); }
    auto open() { return open(path); }

    [[nodiscard]] Row row(const std::string& name, bool deleted = false) const {
        clock.advance(Seconds(0.001));
        return client_row<Kind>(clock, name, deleted);
    }

    void put(const std::string& name, const std::string& at) { open(at).put(row(name)); }
    void put(const std::string& name) { put(name, path); }

    /// Another after each write to the database's file.
    [[nodiscard]] FileStatus written() const { return disk.glance(path)->first; }

    /// The names in a database, its waiting rows included; nothing if there is no database.
    [[nodiscard]] std::optional<std::set<std::string>> names(const std::string& at) const {
        if (!store.has(at)) {
            return std::nullopt;
        }
        std::set<std::string> result = pending(at);
        for (const Row& each : store.stored(at)) {
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
        for (const Row& each : store.pending(at)) {
            result.insert(each.name);
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
            store.put_pending(path, {row(name)});
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
    Store store{disk, clock, 0}; ///< Must outlive all databases.
    Broker broker = store.broker();
    Random random{1};
    HashPath hash_path{"", "changeme"};
    std::string device = std::string(root) + "/sda";
    std::string hash = hash_path(info().name());
    std::string directory = device + '/' + storage_directory(Kind::datadir, "1", hash);
    std::string path = directory + '/' + hash + ".db";
};

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_ONE_NODE_HPP
