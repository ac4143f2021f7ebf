#include <replica/send/push_changes.hpp>

#define BOOST_TEST_MODULE push_changes
#include <replica/replicator.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/file_sync.hpp>
#include <replica/sim/transport.hpp>

#include <boost/test/unit_test.hpp>

#include <support/shifted_clock.hpp>
#include <support/sqlite_store.hpp>
#include <support/table_ring.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;
using namespace std::chrono_literals;

namespace {

using Broker = SqliteStore<ContainerKind>::Broker;

const std::string root = "/srv/node/";

/// Tells what the test says. The identity of a change is the path of its directory.
class ToldFeed {
public:
    [[nodiscard]] static bool running() { return true; }
    [[nodiscard]] static bool watches(const std::string& /*device*/) { return true; }

    void wait(const std::string& device, Seconds at_most, const std::stop_token& stop) const {
        std::unique_lock lock(state_->mutex);
        (void)state_->told.wait_for(lock, stop, to_duration(std::min(at_most, Seconds(0.05))),
                                    [&] { return !state_->changes[device].touched.empty(); });
    }

    [[nodiscard]] Changes changes(const std::string& device) const {
        const std::lock_guard guard(state_->mutex);
        ++state_->looks[device];
        state_->told.notify_all();
        return std::exchange(state_->changes[device], {});
    }

    /// Waits until the device's changes have been asked for so often, or for a second.
    void see_looks(const std::string& device, int count) const {
        std::unique_lock lock(state_->mutex);
        const int most = state_->looks[device] + count;
        (void)state_->told.wait_for(lock, 1s, [&] { return state_->looks[device] >= most; });
    }

    [[nodiscard]] static bool is_of(const Change& change, const std::string& directory) {
        return change.identity == directory;
    }

    void tell(const std::string& device, const Change& change) const {
        const std::lock_guard guard(state_->mutex);
        state_->changes[device].touched.push_back(change);
        state_->told.notify_all();
    }

private:
    struct State {
        std::mutex mutex;
        std::condition_variable_any told;
        std::map<std::string, Changes> changes;
        std::map<std::string, int> looks;
    };

    std::shared_ptr<State> state_ = std::make_shared<State>();
};

static_assert(Feed<ToldFeed>);

/// Counts turns by path. Copies are the same.
class Turns {
public:
    void operator()(const event::DatabaseBegan& turn) const {
        std::unique_lock lock(state_->mutex);
        ++state_->begun[turn.path];
        state_->most = std::max(state_->most, ++state_->now[turn.path]);
        state_->changed.notify_all();
        if (state_->during) {
            lock.unlock();
            state_->during(turn.path);
        }
    }
    void operator()(const event::DatabaseEnded& turn) const {
        const std::lock_guard guard(state_->mutex);
        --state_->now[turn.path];
        ++state_->ended[turn.path];
        state_->changed.notify_all();
    }
    void operator()(const event::PushesEnded& pushes) const {
        const std::lock_guard guard(state_->mutex);
        state_->pushed += pushes.stats.attempted;
    }
    template <class Event>
    void operator()(const Event& /*event*/) const {}

    /// Whether so many turns of the database end within half a minute.
    [[nodiscard]] bool reach(const std::string& path, int count) const {
        std::unique_lock lock(state_->mutex);
        return state_->changed.wait_for(lock, 30s, [&] { return state_->ended[path] >= count; });
    }

    /// Waits until a turn of the database begins after `cause()`, or for a second.
    void see_begin(const std::string& path, const std::function<void()>& cause) const {
        std::unique_lock lock(state_->mutex);
        const int before = state_->begun[path];
        cause();
        (void)state_->changed.wait_for(lock, 1s, [&] { return state_->begun[path] > before; });
    }

    struct State {
        std::mutex mutex;
        std::condition_variable changed;
        std::map<std::string, int> begun;
        std::map<std::string, int> ended;
        std::map<std::string, int> now;
        int most = 0; ///< Turns of one database at one time.
        std::int64_t pushed = 0;
        std::function<void(const std::string&)> during;
    };

    [[nodiscard]] State* operator->() const { return state_.get(); }

private:
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

Device device(std::int64_t id, const std::string& name) {
    Device device;
    device.id = id;
    device.ip = device.replication_ip = "10.0.0.1";
    device.port = device.replication_port = 6201;
    device.device = name;
    device.weight = 1;
    return device;
}

/// A machine with sda and sdb in real time; no database has a peer.
struct Machine {
    using Made =
        Replicator<Broker, TableRing, SimTransport, SimFileSync, ShiftedClock, Turns, ToldFeed>;

    Machine() {
        settings.databases_per_second = 0;
        settings.interval = Seconds(1e6);
        settings.concurrency = 4;
        settings.hash_path_suffix = "changeme";
        settings.bind_ip = "10.0.0.1";
        settings.bind_port = 6201;
        disk.mount(root + "sda");
        disk.mount(root + "sdb");
    }

    /// A database on the device that the ring gives it; its hash.
    std::string create(const std::string& account) {
        ContainerInfo info;
        info.account = account;
        info.container = "c";
        const std::string hash = HashPath{"", "changeme"}(info.name());
        broker.create(path(hash), info);
        return hash;
    }

    /// A database on the device of this name; its hash. Another one for each number.
    std::string create_on(const std::string& device, int number = 0) {
        for (int i = 0;; ++i) {
            const std::string account = std::to_string(number) + '_' + std::to_string(i);
            const std::string hash = HashPath{"", "changeme"}("/" + account + "/c");
            if (device_of(hash) == root + device) {
                return create(account);
            }
        }
    }

    [[nodiscard]] std::string device_of(const std::string& hash) const {
        return root + ring.primaries(ring.partition(hash))[0].device;
    }
    [[nodiscard]] std::string directory(const std::string& hash) const {
        return device_of(hash) + '/' +
               storage_directory("containers", std::to_string(ring.partition(hash)), hash);
    }
    [[nodiscard]] std::string path(const std::string& hash) const {
        return directory(hash) + '/' + hash + ".db";
    }

    void tell(const std::string& hash) const {
        feed.tell(device_of(hash), {hash, directory(hash)});
    }

    [[nodiscard]] Made made() {
        return Made(
            settings, broker, ring, SimTransport(SimNetwork(), sim_clock, "n"),
            SimFileSync("/srv/node").from(disk), clock, [](const Device&) { return true; }, turns,
            feed);
    }

    Settings settings;
    SimClock sim_clock;
    ShiftedClock clock;
    SimDisk disk{sim_clock};
    SqliteStore<ContainerKind> store{disk, sim_clock, 0};
    Broker broker = store.broker();
    TableRing ring{{device(0, "sda"), device(1, "sdb")}, 1, 2};
    Turns turns;
    ToldFeed feed;
};

/// A replicator that runs for ever, until the end of the test.
struct Service {
    explicit Service(Machine& machine)
        : replicator(machine.made()),
          thread([this](const std::stop_token& stop) { replicator.run_forever(stop); }) {}

    Machine::Made replicator;
    std::jthread thread;
};

} // namespace

BOOST_AUTO_TEST_CASE(a_change_on_any_device_is_pushed_while_the_service_waits_for_its_pass) {
    Machine machine;
    std::vector<std::string> hashes;
    for (const char* account : {"a", "b", "c", "d", "e", "f"}) {
        hashes.push_back(machine.create(account));
    }
    {
        Service service(machine);
        for (const std::string& hash : hashes) {
            machine.tell(hash);
            BOOST_TEST(machine.turns.reach(machine.path(hash), 1));
        }
    }
    BOOST_TEST(machine.turns->pushed == 6); // told when the service ends
}

BOOST_AUTO_TEST_CASE(a_change_is_pushed_during_a_pass_that_takes_long) {
    Machine machine;
    const std::string slow = machine.create("a");
    const std::string other = machine.create("b");
    bool pushed = false;
    machine.turns->during = [&](const std::string& path) {
        if (path == machine.path(slow)) {
            machine.tell(other);
            pushed = machine.turns.reach(machine.path(other), 1);
        }
    };
    machine.settings.concurrency = 1;
    machine.settings.interval = Seconds(0.01);
    {
        Service service(machine);
        BOOST_TEST(machine.turns.reach(machine.path(slow), 1));
    }
    BOOST_TEST(pushed);
}

BOOST_AUTO_TEST_CASE(a_turn_that_takes_long_on_one_device_keeps_no_other_device_waiting) {
    Machine machine;
    const std::string slow = machine.create_on("sda");
    const std::string other = machine.create_on("sdb");
    bool pushed = false;
    machine.turns->during = [&](const std::string& path) {
        if (path == machine.path(slow)) {
            machine.clock.advance(Seconds(60));
            machine.feed.see_looks(root + "sdb", 3); // it knows that the time is over
            machine.tell(other);
            pushed = machine.turns.reach(machine.path(other), 1);
        }
    };
    machine.tell(slow);
    BOOST_TEST(machine.made().push(machine.clock.monotonic() + 30s).attempted == 2);
    BOOST_TEST(pushed);
}

BOOST_AUTO_TEST_CASE(a_device_that_is_always_busy_does_not_put_off_the_end_of_the_pushes) {
    Machine machine;
    const std::vector<std::string> hashes{machine.create_on("sda", 0), machine.create_on("sda", 1)};
    machine.turns->during = [&](const std::string& path) { // goes on until the other one begins
        machine.clock.advance(Seconds(1));
        const std::string& other = hashes[path == machine.path(hashes[0]) ? 1 : 0];
        machine.turns.see_begin(machine.path(other), [&] { machine.tell(other); });
    };
    machine.tell(hashes[0]);
    const auto turns = machine.made().push(machine.clock.monotonic() + 10s).attempted;
    BOOST_TEST(turns > 5);
    BOOST_TEST(turns < 50);
}

BOOST_AUTO_TEST_CASE(a_backlog_of_one_device_goes_on_in_the_next_pushes) {
    Machine machine;
    machine.settings.concurrency = 1;
    for (int i = 0; i < 8; ++i) {
        machine.tell(machine.create_on("sda", i));
    }
    machine.turns->during = [&](const std::string&) { machine.clock.advance(Seconds(20)); };
    auto replicator = machine.made();
    BOOST_TEST(replicator.push(machine.clock.monotonic() + 30s).attempted == 2);
    BOOST_TEST(replicator.push().attempted == 6);
}

BOOST_AUTO_TEST_CASE(a_pass_and_a_push_give_a_database_one_turn_at_a_time) {
    Machine machine;
    const std::string hash = machine.create("a");
    machine.settings.interval = Seconds(0.001);
    machine.settings.recheck_passes = 1;
    {
        Service service(machine);
        for (int i = 1; i <= 40; ++i) {
            machine.tell(hash);
            BOOST_TEST(machine.turns.reach(machine.path(hash), 10 * i));
        }
    }
    BOOST_TEST(machine.turns->most == 1);
}

BOOST_AUTO_TEST_CASE(what_changes_during_its_turn_has_another) {
    Machine machine;
    const std::string hash = machine.create("a");
    bool once = false;
    machine.turns->during = [&](const std::string&) {
        if (!std::exchange(once, true)) {
            machine.tell(hash);
        }
    };
    Service service(machine);
    machine.tell(hash);
    BOOST_TEST(machine.turns.reach(machine.path(hash), 2));
}

BOOST_AUTO_TEST_CASE(a_change_of_another_directory_of_that_name_is_none_and_hides_none) {
    Machine machine;
    const std::string hash = machine.create("a");
    const Change elsewhere{hash, "/elsewhere/" + hash}; // another device of the same file system
    machine.feed.tell(machine.device_of(hash), elsewhere);
    auto replicator = machine.made();
    BOOST_TEST((replicator.push() == Stats()));
    machine.tell(hash);
    machine.feed.tell(machine.device_of(hash), elsewhere);
    BOOST_TEST(replicator.push().attempted == 1);
}

BOOST_AUTO_TEST_CASE(a_change_of_a_database_that_is_gone_is_none) {
    Machine machine;
    const std::string hash = machine.create("a");
    machine.disk.remove_tree(machine.directory(hash));
    machine.tell(hash);
    auto replicator = machine.made();
    BOOST_TEST((replicator.push() == Stats()));
}

BOOST_AUTO_TEST_CASE(a_directory_that_cannot_be_listed_is_left_to_the_pass) {
    Machine machine;
    const std::string hash = machine.create("a");
    machine.disk.fail_next(SimCall::list, hash, Error::io);
    machine.tell(hash);
    auto replicator = machine.made();
    BOOST_TEST((replicator.push() == Stats()));
    machine.tell(hash);
    BOOST_TEST(replicator.push().attempted == 0, "half a second is not over");
    machine.clock.advance(Seconds(1));
    BOOST_TEST(replicator.push().attempted == 1);
}

BOOST_AUTO_TEST_CASE(a_push_of_names_that_do_not_hash_to_their_files_ends_after_two) {
    Machine machine;
    std::vector<std::string> hashes;
    for (int i = 0; hashes.size() < 5; ++i) {
        const std::string hash = machine.create("a" + std::to_string(i));
        if (machine.device_of(hash) == root + "sda") {
            hashes.push_back(hash);
        }
    }
    machine.settings.hash_path_suffix = "wrong";
    machine.settings.concurrency = 1;
    for (const std::string& hash : hashes) {
        machine.tell(hash);
    }
    auto replicator = machine.made();
    BOOST_TEST(replicator.push().attempted == 2);
}

BOOST_AUTO_TEST_CASE(a_ring_that_cannot_be_read_fails_the_push_and_no_more) {
    Machine machine;
    machine.tell(machine.create("a"));
    auto made = Replicator(
        machine.settings, machine.broker,
        [] {
            struct Lost {
                [[nodiscard]] TableRing version() const {
                    throw Failure(Error::bad_config, "ring: gone");
                }
            };
            return Lost();
        }(),
        SimTransport(SimNetwork(), machine.sim_clock, "n"), SimFileSync("/srv/node"), machine.clock,
        [](const Device&) { return true; }, machine.turns, machine.feed);
    BOOST_TEST(made.push().errors == 1);
}
