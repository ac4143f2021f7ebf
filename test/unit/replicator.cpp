#include <replica/replicator.hpp>

#define BOOST_TEST_MODULE replicator
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
#include <concepts>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;
using namespace std::chrono_literals;

namespace {

using Broker = SqliteStore<ContainerKind>::Broker;
using Lines = std::vector<std::string>;
using Moments = std::vector<Instant>;

const std::string root = "/srv/node/";

/// What an observer heard. Copies are the same.
class Heard {
public:
    void operator()(const event::PassBegan&) const {
        {
            const std::lock_guard guard(state_->mutex);
            state_->begun.push_back(state_->now ? state_->now() : Instant());
        }
        call(state_->meanwhile);
    }
    void operator()(const event::PassEnded& event) const {
        const std::lock_guard guard(state_->mutex);
        state_->ended.push_back({event.stats, event.failure_nodes, event.began, event.ended,
                                 event.elapsed, event.partial});
    }
    void operator()(const event::PassFailed& event) const { add("failed: " + event.what); }
    void operator()(const event::NoLocalDevices& event) const {
        add("nothing on " + std::string(event.addresses) + ':' + std::to_string(event.port));
    }
    void operator()(const event::DeviceSkipped& event) const {
        add(event.path + ' ' + std::string(event.reason));
    }
    void operator()(const event::DeviceStalled& event) const { add(event.device + " stalled"); }
    void operator()(const event::ListingFailed& event) const {
        add(event.path + ": " + event.what);
    }
    void operator()(const event::Braked& event) const {
        add(event.device + ": " + std::string(event.reason));
    }
    void operator()(const event::DatabaseBegan&) const { call(state_->each); }
    void operator()(const event::DatabaseEnded& event) const {
        const std::lock_guard guard(state_->mutex);
        state_->databases.insert(event.device + event.path.substr(event.path.find("/containers/")));
    }
    template <class Event>
    void operator()(const Event& /*event*/) const {}

    struct Pass {
        Stats stats;
        FailureNodes failure_nodes;
        Timestamp began;
        Timestamp ended;
        Seconds elapsed;
        bool partial;
    };

    struct State {
        std::mutex mutex;
        Moments begun;
        std::vector<Pass> ended;
        Lines lines;
        std::set<std::string> databases; ///< Device and path below it, of those that had a turn.
        std::function<Instant()> now;
        std::function<void()> meanwhile; ///< What happens during a pass.
        std::function<void()> each;      ///< And while a database has its turn.
    };

    [[nodiscard]] State* operator->() const { return state_.get(); }

private:
    static void call(const std::function<void()>& action) {
        if (action) {
            action();
        }
    }

    void add(std::string line) const {
        const std::lock_guard guard(state_->mutex);
        state_->lines.push_back(std::move(line));
    }

    std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// A ring that may be lost, and counts how often it is asked for.
struct FickleRing {
    TableRing table;
    std::shared_ptr<int> asked = std::make_shared<int>(0);
    std::shared_ptr<bool> lost = std::make_shared<bool>(false);

    [[nodiscard]] TableRing version() const {
        ++*asked;
        if (*lost) {
            throw Failure(Error::bad_config, "/etc/ring.json: gone");
        }
        return table;
    }
};

Device device(std::int64_t id, const std::string& ip, const std::string& name) {
    Device device;
    device.id = id;
    device.ip = device.replication_ip = ip;
    device.port = device.replication_port = 6201;
    device.device = name;
    device.weight = 1;
    return device;
}

/// This machine has sda and sdb, another one that nobody hears from has sda. A partition belongs to
/// one device: 0 and 3 to our sda, 1 to sdb, 2 to the other machine's.
template <class C>
struct Node {
    using Made = Replicator<Broker, FickleRing, SimTransport, SimFileSync, C, Heard>;

    Node() {
        settings.databases_per_second = 0;
        settings.concurrency = 1;
        settings.seed = 1;
        settings.hash_path_suffix = "changeme";
        settings.bind_ip = "10.0.0.1";
        settings.bind_port = 6201;
        for (const char* name : {"sda", "sdb"}) {
            disk.mount(root + name);
        }
        heard->now = [clock = clock] { return clock.monotonic(); };
    }

    /// A database on a device, in the partition of its name or in another.
    std::uint32_t create(const std::string& on, const std::string& account,
                         std::optional<std::uint32_t> elsewhere = {}) {
        ContainerInfo info;
        info.account = account;
        info.container = "c";
        const std::string hash = HashPath{"", "changeme"}(info.name());
        const std::uint32_t partition = elsewhere.value_or(ring.table.partition(hash));
        broker.create(root + on + '/' +
                          storage_directory("containers", std::to_string(partition), hash) + '/' +
                          hash + ".db",
                      info);
        return partition;
    }

    [[nodiscard]] Made made() {
        return Made(settings, broker, ring, SimTransport(SimNetwork(), sim_clock, "n"),
                    SimFileSync(root).from(disk), clock, is_local, heard);
    }

    Stats run_once(const Selection& selection = {}) { return made().run_once({}, selection); }

    /// For that long.
    void run_forever(Seconds time) {
        std::stop_source stop;
        clock.at(clock.monotonic() + to_duration(time), [&] { stop.request_stop(); });
        made().run_forever(stop.get_token());
    }

    Settings settings;
    SimClock sim_clock;
    C clock = [](const auto& sim) {
        if constexpr (std::constructible_from<C, decltype(sim)>) {
            return C(sim);
        } else {
            return C();
        }
    }(sim_clock);
    SimDisk disk{sim_clock};
    SqliteStore<ContainerKind> store{disk, sim_clock, 0};
    Broker broker = store.broker();
    FickleRing ring{TableRing(
        {device(0, "10.0.0.1", "sda"), device(1, "10.0.0.1", "sdb"), device(2, "10.0.0.2", "sda")},
        1, 2)};
    std::function<bool(const Device&)> is_local = [](const Device& device) {
        return device.replication_ip == "10.0.0.1";
    };
    Heard heard;
};

using Simulated = Node<SimClock>;

/// How long after the first each pass began.
std::vector<Seconds> gaps(const Moments& moments) {
    std::vector<Seconds> result;
    for (const Instant each : moments) {
        result.push_back(std::chrono::duration_cast<Seconds>(each - moments.front()));
    }
    return result;
}

} // namespace

// ---- For ever.

BOOST_AUTO_TEST_CASE(first_passes_are_spread_over_the_first_interval) {
    std::set<Seconds> begun;
    const auto first = [&](std::uint64_t seed) {
        Simulated node;
        node.settings.seed = seed;
        node.settings.interval = Seconds(100);
        const Instant start = node.clock.monotonic();
        node.run_forever(Seconds(100));
        BOOST_REQUIRE(node.heard->begun.size() == 1U);
        return std::chrono::duration_cast<Seconds>(node.heard->begun[0] - start);
    };
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        begun.insert(first(seed));
    }
    BOOST_TEST(begun.size() == 200U);
    BOOST_TEST((*begun.begin() >= Seconds(0) && *begun.begin() < Seconds(5)));
    BOOST_TEST((*begun.rbegin() < Seconds(100) && *begun.rbegin() > Seconds(95)));
    BOOST_TEST((first(7) == first(7)));
    BOOST_TEST((first(0) != first(0))); // drawn
}

BOOST_AUTO_TEST_CASE(passes_begin_an_interval_apart_however_long_they_take) {
    for (const double takes : {0.0, 12.0, 29.9}) {
        Simulated node;
        node.heard->meanwhile = [&] { node.clock.advance(Seconds(takes)); };
        node.run_forever(Seconds(140));
        const auto begun = gaps(node.heard->begun);
        BOOST_TEST(begun.size() >= 4U);
        for (std::size_t i = 0; i < begun.size(); ++i) {
            BOOST_TEST((begun[i] == Seconds(30) * static_cast<double>(i)));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_pass_that_takes_too_long_is_followed_at_once_and_nothing_is_caught_up) {
    Simulated node;
    double takes = 100;
    node.heard->meanwhile = [&] {
        node.clock.advance(Seconds(takes));
        takes = node.heard->begun.size() < 2 ? 100 : 0;
    };
    node.run_forever(Seconds(300));
    const auto begun = gaps(node.heard->begun);
    BOOST_REQUIRE(begun.size() >= 5U);
    const std::vector<Seconds> expected{Seconds(0), Seconds(100), Seconds(200), Seconds(230),
                                        Seconds(260)};
    BOOST_TEST((std::vector(begun.begin(), begun.begin() + 5) == expected));
}

BOOST_AUTO_TEST_CASE(a_wall_clock_that_is_set_back_holds_up_no_pass) {
    Simulated node;
    node.heard->meanwhile = [&] { node.clock.jump(Seconds(-86400)); };
    node.run_forever(Seconds(140));
    BOOST_TEST(node.heard->begun.size() >= 4U);
    BOOST_TEST((gaps(node.heard->begun)[1] == Seconds(30)));
}

BOOST_AUTO_TEST_CASE(a_stop_ends_the_wait_for_the_first_pass) {
    Simulated node;
    node.settings.interval = Seconds(1000);
    const Instant start = node.clock.monotonic();
    node.run_forever(Seconds(1)); // with this seed the pass would begin later
    BOOST_TEST((node.clock.monotonic() == start + 1s));
    node.run_forever(Seconds(0));
    BOOST_TEST((node.clock.monotonic() == start + 1s));
    BOOST_TEST(node.heard->begun.empty());
}

BOOST_AUTO_TEST_CASE(a_stop_ends_the_wait_for_the_next_pass) {
    Simulated node;
    std::stop_source stop;
    node.heard->meanwhile = [&] {
        node.clock.at(node.clock.monotonic() + 10s, [&] { stop.request_stop(); });
    };
    node.made().run_forever(stop.get_token());
    BOOST_REQUIRE(node.heard->begun.size() == 1U);
    BOOST_TEST((node.clock.monotonic() == node.heard->begun[0] + 10s));
}

BOOST_AUTO_TEST_CASE(a_stop_during_a_pass_ends_it_after_the_database_at_work) {
    Simulated node;
    for (const char* account : {"a", "b", "c", "d"}) {
        node.create("sda", account);
    }
    std::stop_source stop;
    node.heard->each = [&] { stop.request_stop(); };
    node.made().run_forever(stop.get_token());
    BOOST_REQUIRE(node.heard->ended.size() == 1U);
    BOOST_TEST(node.heard->ended[0].stats.attempted == 1);
    BOOST_TEST(node.heard->begun.size() == 1U);
    BOOST_TEST(node.heard->databases.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_last_pass_comes_to_its_end_and_no_other_begins) {
    Simulated node;
    for (const char* account : {"a", "b", "c", "d"}) {
        node.create("sda", account);
    }
    std::stop_source last;
    node.heard->each = [&] { last.request_stop(); };
    node.made().run_forever({}, last.get_token());
    BOOST_REQUIRE(node.heard->ended.size() == 1U);
    BOOST_TEST(node.heard->ended[0].stats.attempted == 4);
    BOOST_TEST(node.heard->begun.size() == 1U);
}

BOOST_AUTO_TEST_CASE(between_passes_the_last_one_has_been) {
    Simulated node;
    node.settings.interval = Seconds(1000);
    std::stop_source last;
    node.heard->meanwhile = [&] {
        node.clock.at(node.clock.monotonic() + 10s, [&] { last.request_stop(); });
    };
    node.made().run_forever({}, last.get_token());
    BOOST_REQUIRE(node.heard->begun.size() == 1U);
    BOOST_TEST((node.clock.monotonic() == node.heard->begun[0] + 10s));
    node.made().run_forever({}, last.get_token()); // asked before it began
    BOOST_TEST(node.heard->begun.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_pass_that_cannot_be_done_is_told_and_the_next_comes_in_time) {
    Simulated node;
    node.create("sda", "a");
    *node.ring.lost = true;
    int asked = 0;
    node.clock.at(node.clock.monotonic() + 65s, [&] {
        asked = *node.ring.asked;
        *node.ring.lost = false;
    });
    node.run_forever(Seconds(100));
    BOOST_TEST(asked >= 2);
    BOOST_TEST(node.heard->lines ==
                   Lines(static_cast<std::size_t>(asked), "failed: /etc/ring.json: gone"),
               boost::test_tools::per_element());
    BOOST_TEST(node.heard->begun.size() == 1U);
    BOOST_TEST(node.heard->databases.size() == 1U);
}

// ---- One pass.

BOOST_AUTO_TEST_CASE(a_setting_that_would_make_a_pass_lie_is_refused_by_name) {
    const auto refused = [](const std::string& name, auto change) {
        Simulated node;
        change(node.settings);
        BOOST_CHECK_EXCEPTION((void)node.made(), Failure, [&](const Failure& failure) {
            return failure.error() == Error::bad_config &&
                   std::string(failure.what()).starts_with(name + ": out of bounds");
        });
        BOOST_TEST(*node.ring.asked == 0);
    };
    refused("per_diff", [](Settings& settings) { settings.per_diff = 0; });
    refused("concurrency", [](Settings& settings) { settings.concurrency = 0; });
    refused("reclaim_age", [](Settings& settings) { settings.reclaim_age = Seconds(-1); });
    refused("node_timeout", [](Settings& settings) { settings.node_timeout = Seconds(0); });
}

BOOST_AUTO_TEST_CASE(a_ring_without_an_answer_fails_the_pass_and_not_the_caller) {
    Simulated node;
    *node.ring.lost = true;
    Stats expected;
    expected.errors = 1;
    BOOST_TEST((node.run_once() == expected));
    BOOST_TEST(node.heard->lines == Lines{"failed: /etc/ring.json: gone"},
               boost::test_tools::per_element());
    BOOST_TEST(node.heard->ended.empty()); // no figures for anybody
}

BOOST_AUTO_TEST_CASE(every_database_of_this_machine_has_its_turn_with_one_version_of_the_ring) {
    Simulated node;
    for (const char* account : {"a", "b", "c", "d", "e"}) {
        node.create("sda", account);
        node.create("sdb", account);
    }
    const Stats stats = node.run_once();
    BOOST_TEST(stats.attempted == 10);
    BOOST_TEST(node.heard->databases.size() == 10U);
    BOOST_TEST(*node.ring.asked == 1);
}

BOOST_AUTO_TEST_CASE(the_end_of_a_pass_is_told_with_its_times_and_figures) {
    Simulated node;
    node.create("sda", "a");
    const Timestamp before = node.clock.now();
    node.heard->meanwhile = [&] {
        node.clock.advance(Seconds(7));
        node.clock.jump(Seconds(-100)); // its length is known all the same
    };
    const Stats stats = node.run_once();
    BOOST_REQUIRE(node.heard->ended.size() == 1U);
    const Heard::Pass& pass = node.heard->ended[0];
    BOOST_TEST((pass.stats == stats));
    BOOST_TEST((pass.began == before));
    BOOST_TEST((pass.ended == before.plus(Seconds(-93))));
    BOOST_TEST((pass.elapsed == Seconds(7)));
    BOOST_TEST(!pass.partial);
}

BOOST_AUTO_TEST_CASE(databases_begin_at_the_rate_that_is_set_in_one_pass_and_the_next) {
    Simulated node;
    for (const char* account : {"a", "b", "c", "d"}) {
        node.create("sda", account, 0);
    }
    node.settings.databases_per_second = 0.5;
    Moments turns;
    node.heard->each = [&] { turns.push_back(node.clock.monotonic()); };
    auto replicator = node.made();
    (void)replicator.run_once();
    (void)replicator.run_once();
    const auto begun = gaps(turns);
    BOOST_REQUIRE(begun.size() == 8U);
    for (std::size_t i = 0; i < begun.size(); ++i) {
        BOOST_TEST((begun[i] == Seconds(2) * static_cast<double>(i)));
    }
}

// ---- Which devices and partitions.

BOOST_AUTO_TEST_CASE(a_selection_limits_the_pass_and_marks_it_as_partial) {
    Simulated node;
    std::map<std::uint32_t, std::int64_t> count;
    for (int i = 0; i < 8; ++i) {
        const std::string account = "AUTH_" + std::to_string(i);
        node.create("sda", account);
        ++count[node.create("sdb", account)];
    }
    BOOST_TEST(count.size() > 2U);
    const auto [partition, inside] = *count.begin();
    const auto attempted = [&](const Selection& selection) {
        const Stats stats = node.run_once(selection);
        BOOST_TEST(node.heard->ended.back().partial == selection.partial());
        return stats.attempted;
    };
    BOOST_TEST(attempted({}) == 16);
    BOOST_TEST(attempted({{"sdb"}, {}}) == 8);
    BOOST_TEST(attempted({{}, {partition}}) == 2 * inside);
    BOOST_TEST(attempted({{"sdb"}, {partition}}) == inside);
    BOOST_TEST(attempted({{"sdx"}, {}}) == 0);
    BOOST_TEST(attempted({{}, {1U << 31}}) == 0);
    BOOST_TEST(node.heard->lines.empty(), boost::test_tools::per_element()); // nothing is wrong
}

BOOST_AUTO_TEST_CASE(a_selection_of_databases_comes_to_these_alone_wherever_they_lie) {
    Simulated node;
    std::vector<Place> places;
    for (int i = 0; i < 8; ++i) {
        node.create("sda", "AUTH_" + std::to_string(i));
        node.create("sdb", "AUTH_" + std::to_string(i));
    }
    (void)node.run_once();
    const auto all = std::exchange(node.heard->databases, {});
    const auto attempted = [&](std::vector<Place> databases) {
        node.heard->databases.clear();
        const Stats stats = node.run_once({{}, {}, std::move(databases)});
        BOOST_TEST(node.heard->ended.back().partial);
        return stats.attempted;
    };
    for (const std::string& each : all) {
        places.push_back(Place::of("/srv/node/" + each, ContainerKind::datadir));
    }
    BOOST_TEST(attempted({places[3]}) == 1);
    BOOST_TEST((node.heard->databases == std::set{*std::next(all.begin(), 3)}));
    BOOST_TEST(attempted({places[3], places[3], places.front(), places.back()}) == 3);
    Place gone = places[3];
    gone.hash = std::string(32, '0');
    BOOST_TEST(attempted({gone}) == 0);
    // A copy in a partition that the ring does not have, or in a wrong one beside the right one.
    Place astray = places[3];
    astray.partition = 1U << 31;
    const auto copy_to = [&](const Place& to) {
        node.disk.write(to.path(), node.disk.read(places[3].path(), 1U << 20U));
    };
    copy_to(astray);
    BOOST_TEST(attempted({astray}) == 0);
    node.settings.handoffs_only = true;
    BOOST_TEST(attempted({places[3]}) == 1);
    BOOST_TEST(attempted(places) == 16);
}

BOOST_AUTO_TEST_CASE(a_ring_that_does_not_know_this_machine_is_told) {
    Simulated node;
    node.create("sda", "a");
    node.is_local = [](const Device&) { return false; };
    const Stats stats = node.run_once();
    BOOST_TEST((stats == Stats()));
    BOOST_TEST(node.heard->lines == Lines{"nothing on 10.0.0.1:6201"},
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(which_devices_are_on_this_machine_is_asked_anew_in_each_pass) {
    Simulated node;
    node.create("sda", "a");
    node.create("sdb", "a");
    std::string name = "sda";
    node.is_local = [&](const Device& device) { return device.device == name && device.id != 2; };
    auto replicator = node.made();
    BOOST_TEST(replicator.run_once().attempted == 1);
    name = "sdb";
    BOOST_TEST(replicator.run_once().attempted == 1);
    BOOST_TEST(node.heard->databases.size() == 2U);
    BOOST_TEST(node.heard->databases.begin()->starts_with("sda"));
    BOOST_TEST(node.heard->databases.rbegin()->starts_with("sdb"));
}

BOOST_AUTO_TEST_CASE(only_handoffs_means_that_partitions_of_the_device_itself_are_not_looked_at) {
    Simulated node;
    node.settings.handoffs_only = true;
    for (std::uint32_t partition = 0; partition < 4; ++partition) {
        node.create("sda", "a", partition);
    }
    for (const std::uint32_t own : {0U, 3U}) {
        node.disk.fail_next(SimCall::list, "sda/containers/" + std::to_string(own), Error::io, 0);
    }
    const Stats stats = node.run_once();
    BOOST_TEST(stats.attempted == 2);
    BOOST_TEST(stats.errors == 0);
    for (const std::string& each : node.heard->databases) {
        BOOST_TEST((each.starts_with("sda/containers/1/") || each.starts_with("sda/containers/2/")),
                   each);
    }
}

BOOST_AUTO_TEST_CASE(a_device_that_cannot_be_used_is_told_and_costs_only_itself) {
    struct Case {
        std::string reason;
        bool mount_check;
        std::function<void(Simulated&)> happens;
    };
    const std::string sda = root + "sda";
    const std::vector<Case> cases{
        {"is not mounted", true, [&](Simulated& node) { node.disk.unmount(sda); }},
        {"is not mounted", true,
         [&](Simulated& node) {
             node.disk.unmount(sda);
             (void)node.disk.remove_tree(sda);
         }},
        {"is not a directory", false,
         [&](Simulated& node) {
             node.disk.unmount(sda);
             (void)node.disk.remove_tree(sda);
             node.disk.write(sda, "a file");
         }},
        {"cannot be read", true,
         [&](Simulated& node) { node.disk.fail_next(SimCall::stat, sda, Error::io); }},
        {"cannot be read", true,
         [&](Simulated& node) {
             node.disk.make_directories(sda + "/tmp");
             node.disk.fail_next(SimCall::list, sda + "/tmp", Error::io);
         }},
    };
    for (const auto& [reason, mount_check, happens] : cases) {
        Simulated node;
        node.settings.mount_check = mount_check;
        node.create("sda", "a");
        BOOST_REQUIRE(node.create("sdb", "a6") == 1U); // sdb's own: nobody is asked
        happens(node);
        const Stats stats = node.run_once();
        BOOST_TEST(node.heard->lines == Lines{sda + ' ' + reason},
                   boost::test_tools::per_element());
        BOOST_TEST(stats.attempted == 1);
        BOOST_TEST(node.heard->databases.begin()->starts_with("sdb"));
        const FailureNodes& failures = node.heard->ended[0].failure_nodes;
        BOOST_TEST(failures.at("10.0.0.1").at("sda") == 1, reason);
    }
}

BOOST_AUTO_TEST_CASE(a_directory_on_the_root_disk_is_a_device_where_mounts_are_not_asked_for) {
    Simulated node;
    node.settings.mount_check = false;
    node.disk.unmount(root + "sda");
    node.create("sda", "a");
    BOOST_TEST(node.run_once().attempted == 1);
    BOOST_TEST(node.heard->lines.empty());
}

BOOST_AUTO_TEST_CASE(a_name_that_is_no_drives_is_never_made_a_path_of) {
    for (const char* name : {"..", "", ".", "a/b", "../sdb"}) {
        Simulated node;
        node.ring.table = TableRing({device(0, "10.0.0.1", name)}, 1, 2);
        node.create("sdb", "a");
        const auto calls = node.disk.calls();
        BOOST_TEST(node.run_once().failure == 1);
        BOOST_TEST(node.heard->lines == Lines{root + name + " is not a valid drive name"},
                   boost::test_tools::per_element());
        BOOST_TEST(node.disk.calls() == calls);
    }
}

BOOST_AUTO_TEST_CASE(what_is_old_in_tmp_goes_from_the_devices_that_are_looked_at) {
    Simulated node;
    for (const char* name : {"sda", "sdb"}) {
        node.disk.write(root + name + "/tmp/old", "x");
    }
    node.clock.advance(Seconds(8 * 86400));
    node.disk.write(root + "sda/tmp/new", "x");
    (void)node.run_once({{"sda"}, {}});
    BOOST_TEST(!node.disk.stat(root + "sda/tmp/old"));
    BOOST_TEST(node.disk.stat(root + "sda/tmp/new").has_value());
    BOOST_TEST(node.disk.stat(root + "sdb/tmp/old").has_value());
}

BOOST_AUTO_TEST_CASE(whatever_is_thrown_in_a_devices_turn_costs_it_the_pass_and_no_other) {
    Simulated node;
    for (const char* account : {"a", "b", "c"}) {
        node.create("sda", account);
        node.create("sdb", account);
    }
    node.disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::list && path == root + "sda/containers") {
            throw std::runtime_error("no memory");
        }
    });
    const Stats stats = node.run_once();
    BOOST_TEST(stats.attempted == 3);
    BOOST_TEST(stats.errors == 1);
    BOOST_TEST(node.heard->lines == Lines{"sda: no memory"}, boost::test_tools::per_element());
    BOOST_TEST(node.heard->ended.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_device_whose_names_do_not_hash_to_its_files_is_left_after_two) {
    Simulated node;
    for (const char* account : {"a", "b", "c", "d", "e"}) {
        node.create("sda", account);
    }
    node.settings.hash_path_suffix = "wrong";
    const Stats stats = node.run_once();
    BOOST_TEST(stats.attempted == 2);
    BOOST_TEST(node.heard->lines ==
                   Lines{"sda: its names do not hash to its files; the pass leaves it"},
               boost::test_tools::per_element());
}

// ---- A disk that hangs, in real time and threads.

namespace {

/// Every call below sda, the only device here, waits until `let_go`.
struct Hanging : Node<ShiftedClock> {
    Hanging() {
        settings.watchdog = Seconds(0.05);
        is_local = [](const Device& device) { return device.id == 0; };
        disk.on_call([released = released](SimCall, const std::string& path) {
            if (path.starts_with(root + "sda")) {
                released.wait();
            }
        });
    }

    void let_go() { release.set_value(); }

    std::promise<void> release;
    std::shared_future<void> released = release.get_future().share();
};

} // namespace

BOOST_AUTO_TEST_CASE(a_disk_that_hangs_is_left_out_until_it_answers_again) {
    Hanging node;
    auto replicator = node.made();
    BOOST_TEST(replicator.run_once().errors == 1);
    BOOST_TEST(replicator.run_once().failure == 1);
    BOOST_TEST(node.heard->lines ==
                   (Lines{"sda stalled", root + "sda does not answer since an earlier pass"}),
               boost::test_tools::per_element());
    BOOST_TEST(node.heard->ended.size() == 2U); // both passes came to their end
    node.let_go();
    const SystemClock clock;
    const Instant limit = clock.monotonic() + 30s;
    bool well = false;
    while (!well && clock.monotonic() < limit) {
        well = replicator.run_once() == Stats();
    }
    BOOST_TEST(well);
}

BOOST_AUTO_TEST_CASE(a_replicator_that_follows_knows_which_disk_hangs) {
    Hanging node;
    auto before = node.made();
    BOOST_TEST(before.run_once().errors == 1);
    {
        auto follower = node.made();
        follower.follow(before);
        BOOST_TEST(follower.run_once().failure == 1);
    }
    BOOST_TEST(node.heard->lines ==
                   (Lines{"sda stalled", root + "sda does not answer since an earlier pass"}),
               boost::test_tools::per_element());
    BOOST_TEST(node.made().run_once().errors == 1); // one that does not follow tries again
    node.let_go();
}

namespace {

/// A disk that answers each look only after 20 ms, and workers that may be silent for half a
/// second: none of them may be given up, however much there is to look at.
struct Slow : Node<ShiftedClock> {
    explicit Slow(SimCall slow) {
        settings.watchdog = Seconds(0.5);
        settings.concurrency = 4;
        is_local = [](const Device& device) { return device.id == 0; };
        BOOST_REQUIRE(create("sda", "a1") == 0U); // sda's own: nobody is asked
        disk.on_call([=](SimCall call, const std::string&) {
            if (call == slow) {
                const SystemClock clock;
                clock.sleep_until(clock.monotonic() + 20ms, {});
            }
        });
    }

    /// For longer than a worker may be silent.
    void require_a_whole_pass() {
        const Stats stats = run_once();
        BOOST_TEST(heard->lines.empty(), boost::test_tools::per_element());
        BOOST_TEST(stats.errors == 0);
        BOOST_TEST(stats.attempted == 1);
        BOOST_TEST((heard->ended.at(0).elapsed > 2 * settings.watchdog));
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(who_waits_for_a_long_walk_is_not_silent_as_long_as_the_walk_moves) {
    Slow node(SimCall::list);
    for (int i = 0; i < 60; ++i) {
        node.disk.make_directories(root + "sda/containers/0/" + std::to_string(100 + i));
    }
    node.require_a_whole_pass();
}

BOOST_AUTO_TEST_CASE(a_tmp_that_takes_long_to_sweep_is_no_disk_that_hangs) {
    Slow node(SimCall::stat);
    for (int i = 0; i < 60; ++i) {
        node.disk.write(root + "sda/tmp/" + std::to_string(i), "x");
    }
    node.require_a_whole_pass();
}

BOOST_AUTO_TEST_CASE(a_replicator_may_go_while_one_of_its_threads_hangs) {
    std::promise<void> gone;
    Hanging node;
    {
        const std::shared_ptr<void> life(nullptr, [&](void*) { gone.set_value(); });
        node.is_local = [life, was = node.is_local](const Device& device) { return was(device); };
        auto replicator = node.made();
        node.is_local = nullptr;
        BOOST_TEST(replicator.run_once().errors == 1);
    }
    auto future = gone.get_future();
    BOOST_TEST((future.wait_for(0s) == std::future_status::timeout)); // the thread needs it
    node.let_go();
    BOOST_TEST((future.wait_for(30s) == std::future_status::ready));
}
