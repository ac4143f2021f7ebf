#include <replica/sim/vfs.hpp>

// The shipped brokers on a simulated disk: what a cluster in one thread is made of.

#define BOOST_TEST_MODULE sim_vfs_broker
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/storage/place.hpp>
#include <replica/storage/quarantine.hpp>

#include <boost/test/unit_test.hpp>

#include <laws/disk.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

using namespace replica;
using test::fails_with;

namespace {

using Containers = BasicContainerBroker<SimDisk, SimClock>;
using Accounts = BasicAccountBroker<SimDisk, SimClock>;
using Names = std::map<std::string, std::string>;

const std::string device = "/srv/sdb1";
const std::string path = device + "/containers/1/abc/0123/0123.db";

Timestamp second(std::int64_t n) {
    return {SimClock::default_start.ticks + n * Timestamp::ticks_per_second, 0};
}

ObjectRow row(const std::string& name, std::int64_t rowid = 1) {
    return {rowid, name, second(1).internal(), 10, "text/plain", "etag", 0, 0};
}

template <class Row>
std::vector<std::string> names(const std::vector<Row>& rows) {
    std::vector<std::string> all;
    for (const Row& each : rows) {
        all.push_back(each.name);
    }
    return all;
}

using List = std::vector<std::string>;

/// A node with one device and a process whose containers are on it.
struct Node {
    explicit Node(std::uint64_t seed = 1) : vfs("node", disk, seed) {
        vfs.seed_sqlite();
        disk.mount(device);
    }

    Containers::database_type create() {
        ContainerInfo info;
        info.account = "a";
        info.container = "c";
        return broker.create(path, info);
    }

    Containers::database_type open() {
        return broker.open(path, clock.monotonic() + std::chrono::seconds(5));
    }

    List rows() { return names(open().items_since(-1, 100)); }

    SimClock clock;
    SimDisk disk{clock};
    SimVfs vfs;
    Containers broker{disk, clock, SqliteOptions{.vfs = "node"}};
};

} // namespace

BOOST_AUTO_TEST_CASE(a_container_lives_on_the_simulated_disk_alone) {
    Node node;
    auto database = node.create();
    database.put_object("o1", second(1), 10, "text/plain", "etag");
    database.put_object("o2", second(2), 20, "text/plain", "etag");
    database.delete_object("o1", second(3));
    const ContainerInfo info = node.open().info();
    BOOST_TEST(info.account == "a");
    BOOST_TEST(info.container == "c");
    BOOST_TEST(info.max_row == 3);
    BOOST_TEST(info.live_rows == 1);
    BOOST_TEST(info.id.ends_with("-sdb1"));
    BOOST_TEST(info.created_at == SimClock::default_start.internal());
    BOOST_TEST((names(database.items_since(-1, 100)) == List{"o2", "o1"}));
    BOOST_TEST((names(database.items_since(2, 100)) == List{"o1"}));
    BOOST_TEST(node.disk.content(path)->bytes.starts_with("SQLite format 3"));
    BOOST_TEST(node.disk.list(storage::parent(path)).size() == 1U);
}

BOOST_AUTO_TEST_CASE(rows_of_a_peer_are_merged_with_their_point) {
    Node node;
    auto database = node.create();
    database.merge_items(std::vector{row("o1", 7), row("o2", 9)}, "peer");
    BOOST_TEST(database.sync_point("peer", Direction::incoming) == 9);
    database.merge_items(std::vector{row("o2", 9), row("o3", 12)}, "peer");
    BOOST_TEST((node.rows() == List{"o1", "o2", "o3"}));
    BOOST_TEST(database.sync_point("peer", Direction::incoming) == 12);
    database.merge_sync_points(std::vector<SyncPoint>{{5, "third"}}, Direction::outgoing);
    BOOST_TEST(node.open().sync_points(Direction::outgoing).size() == 1U);
    database.require_sound(Instant::max());
}

BOOST_AUTO_TEST_CASE(a_database_is_opened_under_one_lock) {
    Node node;
    static_cast<void>(node.create());
    int locks = 0;
    node.disk.on_call(
        [&](SimCall call, const std::string&) { locks += call == SimCall::vfs_lock ? 1 : 0; });
    auto database = node.open();
    BOOST_TEST(locks == 1);
    static_cast<void>(database.info());
    BOOST_TEST(locks == 1); // nobody has written since
    node.open().put(row("o1", 1));
    locks = 0;
    BOOST_TEST(database.info().count == 1);
    BOOST_TEST(locks == 1);
    node.disk.on_call(nullptr);
}

// The statements after it would have been committed one by one, and the hash and the point left
// behind (defect 100).
BOOST_AUTO_TEST_CASE(a_look_at_the_name_that_fails_once_begins_no_transaction) {
    Node node;
    auto database = node.create();
    const ContainerInfo before = database.info();
    bool locked = false;
    int left = 1;
    node.disk.on_call([&](SimCall call, const std::string& at) {
        locked = locked || call == SimCall::vfs_lock; // the next look is that of the writer
        if (call == SimCall::vfs_has_moved && locked && left-- > 0) {
            throw Failure(Error::io, at + ": cannot be looked at");
        }
    });
    BOOST_CHECK_EXCEPTION(database.merge_items(std::vector{row("o1", 7)}, "peer"), Failure,
                          fails_with(Error::moved, path));
    node.disk.on_call(nullptr);
    BOOST_TEST(node.rows().empty());
    BOOST_TEST(node.open().info().hash == before.hash);
    BOOST_TEST(node.open().sync_point("peer", Direction::incoming) == -1);
}

BOOST_AUTO_TEST_CASE(an_account_lives_there_as_well) {
    Node node;
    Accounts accounts(node.disk, node.clock, SqliteOptions{.vfs = "node"});
    AccountInfo info;
    info.account = "a";
    auto database = accounts.create(path, info);
    ContainerRow container;
    container.rowid = 4;
    container.name = "c";
    container.put_timestamp = second(1).internal();
    database.merge_items(std::vector{container}, "peer");
    BOOST_TEST((names(database.items_since(-1, 9)) == List{"c"}));
    BOOST_TEST(accounts.open(path, Instant::max()).info().max_row == 1);
}

BOOST_AUTO_TEST_CASE(copies_by_pages_and_by_rows_stay_on_the_disk_and_are_accepted) {
    for (const std::int64_t copy_at_once : {0, 1 << 20}) {
        Node node;
        Containers broker(
            node.disk, node.clock,
            SqliteOptions{.copy_at_once = copy_at_once, .page_rows = 2, .vfs = "node"});
        auto database = node.create();
        database.merge_items(std::vector{row("o1"), row("o2"), row("o3")}, "");
        const std::string copy = device + "/tmp/upload";
        node.disk.make_directories(device + "/tmp");
        node.disk.settle();
        broker.open(path, Instant::max()).copy_to(copy, Instant::max());
        node.disk.crash(); // a copy is durable when it is reported
        BOOST_TEST((names(broker.open_upload(copy, Instant::max()).items_since(-1, 9)) ==
                    List{"o1", "o2", "o3"}));
    }
}

BOOST_AUTO_TEST_CASE(a_torn_upload_is_refused) {
    Node node;
    node.create().merge_items(std::vector{row("o1"), row("o2")}, "");
    const std::string whole = node.disk.content(path)->bytes;
    node.disk.write(device + "/torn", whole.substr(0, whole.size() - 4096));
    BOOST_CHECK_EXCEPTION(
        static_cast<void>(node.broker.open_upload(device + "/torn", Instant::max())), Failure,
        fails_with(Error::corrupt, "/torn"));
}

BOOST_AUTO_TEST_CASE(whichever_call_fails_an_upload_is_opened_or_refused) {
    Node node;
    node.create().merge_items(std::vector{row("o1"), row("o2")}, "");
    std::uint64_t n = 0;
    for (bool done = false; !done;) {
        node.disk.fail_at(++n);
        try {
            static_cast<void>(node.broker.open_upload(path, Instant::max()));
        } catch (const Failure& failure) {
            // To SQLite a file that cannot be looked at has moved.
            const bool fits = failure.error() == Error::io || failure.error() == Error::moved;
            BOOST_TEST(fits, n << ": " << failure.what());
        }
        done = node.disk.fault_pending();
        node.disk.clear_faults();
    }
    BOOST_TEST(n > 20U);
    BOOST_TEST((node.rows() == List{"o1", "o2"}));
}

BOOST_AUTO_TEST_CASE(whichever_call_fails_a_sound_database_is_not_beyond_use) {
    Node node;
    node.create().merge_items(std::vector{row("o1"), row("o2")}, "");
    const Instant deadline = node.clock.monotonic() + std::chrono::hours(1);
    std::uint64_t n = 0;
    for (bool done = false; !done;) {
        node.disk.fail_at(++n);
        try {
            BOOST_TEST(!storage::is_beyond_use(node.broker, path, deadline, 4096), n);
        } catch (const Failure& failure) {
            BOOST_TEST((failure.code() != Condition::quarantine), n << ": " << failure.what());
        }
        done = node.disk.fault_pending();
        node.disk.clear_faults();
    }
    BOOST_TEST(n > 20U);
}

BOOST_AUTO_TEST_CASE(a_handle_notices_that_its_file_was_replaced) {
    Node node;
    auto database = node.create();
    node.disk.rename(path, path + ".away");
    BOOST_CHECK_EXCEPTION(static_cast<void>(database.info()), Failure,
                          fails_with(Error::moved, path));
    BOOST_CHECK_EXCEPTION(database.merge_items(std::vector{row("o1")}, ""), Failure,
                          fails_with(Error::moved, path));
    node.disk.rename(path + ".away", path);
    database.merge_items(std::vector{row("o1")}, "");
    BOOST_TEST((node.rows() == List{"o1"}));
}

BOOST_AUTO_TEST_CASE(a_database_that_goes_away_while_it_is_opened_is_missing_and_not_broken) {
    int missed = 0;
    bool gone = true;
    for (int n = 1; gone; ++n) {
        Node node;
        node.create();
        gone = false;
        int calls = 0;
        node.disk.on_call([&](SimCall, const std::string&) {
            if (++calls == n) {
                gone = true;
                node.disk.on_call(nullptr);
                node.disk.remove_tree(storage::parent(path));
            }
        });
        try {
            auto database = node.open();
            node.disk.on_call(nullptr);
            if (gone) {
                BOOST_CHECK_EXCEPTION(static_cast<void>(database.info()), Failure,
                                      fails_with(Error::moved, path));
            }
        } catch (const Failure& failure) {
            BOOST_TEST((failure.error() == Error::missing), n << ": " << failure.what());
            ++missed;
        }
    }
    BOOST_TEST(missed > 4); // those before SQLite has the file open
}

BOOST_AUTO_TEST_CASE(a_lock_is_waited_for_on_the_clock_until_the_deadline) {
    Node node;
    auto holder = node.create();
    std::optional<sqlite::Exclusive> lock(holder.exclusive(Instant::max()));
    const Instant before = node.clock.monotonic();
    BOOST_CHECK_EXCEPTION(static_cast<void>(node.open()), Failure, fails_with(Error::locked, path));
    BOOST_TEST(Seconds(node.clock.monotonic() - before).count() == 5.0);
    node.clock.at(node.clock.monotonic() + std::chrono::seconds(2), [&] { lock.reset(); });
    BOOST_TEST(node.rows().empty());
    BOOST_TEST(Seconds(node.clock.monotonic() - before).count() >= 7.0);
    BOOST_TEST(Seconds(node.clock.monotonic() - before).count() < 7.1);
}

BOOST_AUTO_TEST_CASE(a_full_disk_and_a_failing_one_have_their_errors) {
    Node node;
    auto database = node.create();
    node.disk.fail_next(SimCall::vfs_write, path, Error::no_space);
    BOOST_CHECK_EXCEPTION(database.merge_items(std::vector{row("o1")}, "peer"), Failure,
                          fails_with(Error::no_space, path));
    node.disk.fail_next(SimCall::vfs_sync, path, Error::io);
    BOOST_CHECK_EXCEPTION(database.merge_items(std::vector{row("o1")}, "peer"), Failure,
                          fails_with(Error::io, path));
    BOOST_TEST(node.rows().empty());
    BOOST_TEST(database.sync_point("peer", Direction::incoming) == -1);
    database.merge_items(std::vector{row("o1")}, "peer");
    BOOST_TEST((node.rows() == List{"o1"}));
}

// ---- Power cuts. The promise: what was reported as done is there, and nothing is there by half.

BOOST_AUTO_TEST_CASE(a_database_that_was_reported_as_made_is_there_and_whole) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        std::uint64_t n = 0;
        for (bool done = false; !done;) {
            Node node(seed);
            node.disk.settle();
            node.disk.halt_at(++n);
            bool made = false;
            try {
                static_cast<void>(node.create());
                made = true;
            } catch (const Failure&) {
            }
            done = node.disk.fault_pending();
            node.disk.crash(seed * 1000 + n);
            const bool there = node.disk.content(path).has_value();
            BOOST_TEST((there || !made), "seed " << seed << ", cut at " << n);
            if (there) {
                node.open().require_sound(Instant::max());
                BOOST_TEST(node.open().info().container == "c");
            }
        }
        BOOST_TEST(n > 50U);
    }
}

BOOST_AUTO_TEST_CASE(a_database_in_directories_that_another_has_made_survives_a_power_cut) {
    const std::string hash = "d41d8cd98f00b204e9800998ecf8427e";
    const std::string suffix = device + "/containers/1/27e";
    for (const std::string& made : {suffix, suffix + '/' + hash, device + "/containers"}) {
        for (std::uint64_t seed = 1; seed <= 10; ++seed) {
            Node node(seed);
            node.disk.settle();
            node.disk.make_directories(made); // and not synced
            const std::string file = suffix + '/' + hash + '/' + hash + ".db";
            ContainerInfo info;
            info.account = "a";
            info.container = "c";
            (void)node.broker.create(file, info);
            node.disk.crash(seed);
            BOOST_TEST(node.disk.content(file).has_value(), made << ", seed " << seed);
        }
    }
}

BOOST_AUTO_TEST_CASE(rows_and_their_point_come_together_or_not_at_all) {
    std::map<bool, int> found;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        std::uint64_t n = 0;
        for (bool done = false; !done;) {
            Node node(seed);
            node.create().merge_items(std::vector{row("o1", 3)}, "peer");
            node.disk.settle();
            bool merged = false;
            {
                auto database = node.open();
                node.disk.halt_at(++n);
                try {
                    database.merge_items(std::vector{row("o2", 5), row("o3", 8)}, "peer");
                    merged = true;
                } catch (const Failure&) {
                }
                done = node.disk.fault_pending();
            }
            node.disk.crash(seed * 1000 + n);
            BOOST_TEST_CONTEXT("seed " << seed << ", cut at " << n) {
                auto database = node.open();
                database.require_sound(Instant::max());
                const bool there = database.info().max_row == 3;
                BOOST_TEST((there || !merged));
                BOOST_TEST((node.rows() == (there ? List{"o1", "o2", "o3"} : List{"o1"})));
                BOOST_TEST(database.sync_point("peer", Direction::incoming) == (there ? 8 : 3));
                BOOST_TEST(!database.mend_sums()); // the stored hash is that of the rows
                ++found[there];
            }
        }
    }
    BOOST_TEST(found[true] > 0);
    BOOST_TEST(found[false] > 0);
}

BOOST_AUTO_TEST_CASE(the_same_seed_makes_the_same_file_with_the_same_id) {
    const auto run = [](std::uint64_t seed) {
        Node node(seed);
        node.create().merge_items(std::vector{row("o1"), row("o2")}, "peer");
        return node.disk.dump();
    };
    const Names first = run(5);
    BOOST_TEST((run(5) == first));
    BOOST_TEST((run(6) != first)); // another id
}
