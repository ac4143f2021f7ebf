#ifndef REPLICA_TEST_SUPPORT_SQLITE_STORE_HPP
#define REPLICA_TEST_SUPPORT_SQLITE_STORE_HPP

// The databases of one simulated node as SQLite files on its simulated disk, for a Cluster: the
// shipped brokers and statements, in virtual time and the same every time.

#include <replica/error.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/vfs.hpp>
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/sqlite/wait.hpp>
#include <replica/storage/place.hpp>

#include <boost/test/unit_test.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace replica::test {

/// Not thread safe.
template <class Kind>
class SqliteStore {
public:
    using Broker =
        std::conditional_t<std::same_as<Kind, AccountKind>, BasicAccountBroker<SimDisk, SimClock>,
                           BasicContainerBroker<SimDisk, SimClock>>;
    using Info = typename Kind::info_type;
    using Row = typename Kind::row_type;

    SqliteStore(const SimDisk& disk, const SimClock& clock, std::size_t node)
        : vfs_(std::make_unique<SimVfs>(unique_name(), disk, node + 1)),
          broker_(disk, clock, options(node, vfs_->name())) {
        vfs_->seed_sqlite(); // new ids, and so the end of a history, must not depend on the machine
    }

    [[nodiscard]] const Broker& broker() const { return broker_; }

    [[nodiscard]] bool has(const std::string& path) {
        return broker_.disk().content(path).has_value();
    }
    [[nodiscard]] Info info(const std::string& path) { return open(path).info(); }
    [[nodiscard]] std::vector<Row> stored(const std::string& path) {
        return open(path).items_since(-1, std::numeric_limits<std::int64_t>::max());
    }
    /// Every page of the file, its schema, and its hash.
    [[nodiscard]] bool is_sound(const std::string& path) {
        try {
            return !broker_.open_upload(path, Instant::max()).mend_sums();
        } catch (const Failure& failure) {
            BOOST_TEST_MESSAGE("  " << failure.what());
            return false;
        }
    }

private:
    /// SQLite knows its file systems by name, and several clusters may live at once.
    [[nodiscard]] static std::string unique_name() {
        static std::uint64_t last = 0;
        return "store" + std::to_string(++last);
    }

    /// Half of the nodes copy by pages, the others by rows, a few in each transaction.
    [[nodiscard]] static SqliteOptions options(std::size_t node, const std::string& vfs) {
        return {.copy_at_once = node % 2 == 0 ? 64 << 20 : 0, .page_rows = 4, .vfs = vfs};
    }

    [[nodiscard]] auto open(const std::string& path) { return broker_.open(path, Instant::max()); }

    std::unique_ptr<SimVfs> vfs_; // its address must stay
    Broker broker_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_SQLITE_STORE_HPP
