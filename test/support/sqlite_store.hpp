#ifndef REPLICA_TEST_SUPPORT_SQLITE_STORE_HPP
#define REPLICA_TEST_SUPPORT_SQLITE_STORE_HPP

// The databases of one simulated node: the shipped brokers and statements on its simulated disk, in
// virtual time and the same every time. A test looks at them and breaks them past the broker.

#include "damage.hpp"
#include "of_kind.hpp"
#include "pending_entry.hpp"
#include "stock_connection.hpp"
#include <replica/error.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/vfs.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/pending.hpp>
#include <replica/storage/place.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

/// Thread safety: the broker is for any thread, the rest is not.
template <class Kind>
class SqliteStore {
public:
    using Broker = BrokerOf<Kind, SimDisk, SimClock>;
    using Info = typename Kind::info_type;
    using Row = typename Kind::row_type;

    SqliteStore(const SimDisk& disk, const SimClock& clock, std::size_t node)
        : disk_(disk), vfs_(std::make_unique<SimVfs>(unique_vfs_name(), disk, node + 1)),
          broker_(disk, clock, options(node, vfs_->name())),
          aside_(std::make_unique<Aside>(clock)) {
        vfs_->seed_sqlite(); // new ids, and so the end of a history, must not depend on the machine
    }

    [[nodiscard]] const Broker& broker() const { return broker_; }

    /// The name of SQLite's file system layer on the disk, for another broker beside this one.
    [[nodiscard]] const std::string& vfs() const { return vfs_->name(); }

    // What is on the disk, seen without a call that could fail or be noticed.

    [[nodiscard]] bool has(const std::string& path) const {
        return disk_.content(path).has_value();
    }

    /// The database as it would be found after all locks are gone, in a copy that belongs to the
    /// caller. Throws as open() does.
    [[nodiscard]] typename Broker::database_type copy(const std::string& path) const {
        return aside_->broker.open(copy_file(path), Instant::max());
    }

    [[nodiscard]] Info info(const std::string& path) const {
        return look(path, [](auto& database) { return database.info(); });
    }
    [[nodiscard]] std::vector<Row> stored(const std::string& path) const {
        return look(path, [](auto& database) {
            return database.items_since(-1, std::numeric_limits<std::int64_t>::max());
        });
    }

    /// Every page of the file, its schema, and its hash.
    [[nodiscard]] bool is_sound(const std::string& path) const {
        try {
            return look(path, [this](auto& database) { // which has played back its journal
                aside_->disk.remove(database.path() + "-journal"); // left of what was never begun
                return !aside_->broker.open_upload(database.path(), Instant::max()).mend_sums();
            });
        } catch (const Failure& failure) {
            BOOST_TEST_MESSAGE("  " << failure.what());
            return false;
        }
    }

    /// The rows that wait beside a database.
    [[nodiscard]] std::vector<Row> pending(const std::string& path) const {
        if constexpr (sqlite::PendingSchema<SchemaOf<Kind>>) {
            const auto file = disk_.content(path + ".pending");
            return file ? sqlite::read_pending<SchemaOf<Kind>>(file->bytes).rows
                        : std::vector<Row>();
        }
        return {};
    }

    /// A program beside the broker, with locks like any other. Must not outlive the store.
    [[nodiscard]] StockConnection stock(const std::string& path) {
        return StockConnection(path, vfs_->name());
    }

    // What others do without asking for a lock. Each is one write to the disk.

    /// From now on the file is as broken as that, see damage.hpp.
    void damage(const std::string& path, Error error) {
        if (std::string bytes = damaged(disk_.content(path)->bytes, error); !bytes.empty()) {
            disk_.write(path, std::move(bytes));
        } else {
            execute(path, damaging_sql<Kind>(error));
        }
    }

    /// The row is gone, and nothing but the contents tells.
    void lose(const std::string& path, const std::string& row) {
        execute(path, losing_sql<Kind>(row));
    }

    /// The account knows the times of this replica.
    void reported(const std::string& path) { execute(path, reporting_sql); }

    void execute(const std::string& path, const std::string& sql) {
        const std::string file = copy_file(path);
        StockConnection(file, aside_->vfs.name()).execute(sql);
        disk_.write(path, *aside_->disk.content(file));
    }

    /// A server acknowledges rows that it has not committed yet.
    void put_pending(const std::string& path, const std::vector<Row>& rows) {
        const std::string file = path + ".pending";
        const auto before = disk_.content(file);
        std::string bytes = before ? before->bytes : "";
        for (const Row& row : rows) {
            bytes += pending_entry(row);
        }
        disk_.write(file, std::move(bytes));
    }

private:
    /// Another machine, on which nothing ever fails.
    struct Aside {
        explicit Aside(const SimClock& clock)
            : disk(clock), vfs(unique_vfs_name(), disk, 1),
              broker(disk, clock, SqliteOptions{.vfs = vfs.name()}) {}

        SimDisk disk;
        SimVfs vfs;
        Broker broker;
        std::uint64_t copies = 0;
    };

    /// Half of the nodes copy by pages, the others by rows, a few in each transaction.
    [[nodiscard]] static SqliteOptions options(std::size_t node, const std::string& vfs) {
        return {.copy_at_once = node % 2 == 0 ? 64 << 20 : 0, .page_rows = 4, .vfs = vfs};
    }

    /// What `action` finds in a copy.
    template <class Action>
    auto look(const std::string& path, Action action) const {
        auto database = copy(path);
        auto found = action(database);
        aside_->disk.remove_tree(storage::parent(database.path()));
        return found;
    }

    /// In a directory of its own, since neighbours say something of a container. A journal comes
    /// along.
    [[nodiscard]] std::string copy_file(const std::string& path) const {
        const std::string file = '/' + std::to_string(++aside_->copies) + '/' + storage::base(path);
        for (const char* each : {"", "-journal"}) {
            if (auto content = disk_.content(path + each)) {
                aside_->disk.write(file + each, std::move(*content));
            }
        }
        return file;
    }

    SimDisk disk_;
    std::unique_ptr<SimVfs> vfs_; // its address must stay
    Broker broker_;
    std::unique_ptr<Aside> aside_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_SQLITE_STORE_HPP
