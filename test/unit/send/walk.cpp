#include <replica/send/walk.hpp>

#define BOOST_TEST_MODULE walk
#include <replica/sim/disk.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace replica;

namespace {

const std::string device = "/srv/node/sda";
const std::string root = device + "/containers";

/// Remembers paths by the event that told of them.
struct Heard {
    std::vector<std::string> failed;
    std::vector<std::string> orphans;
    std::vector<std::string> strange;
    void operator()(const event::ListingFailed& event) { failed.push_back(event.path); }
    void operator()(const event::OrphanPending& event) { orphans.push_back(event.path); }
    void operator()(const event::SetAside& event) {
        strange.push_back(event.path + ": " + event.what);
    }
    template <class Event>
    void operator()(const Event& /*event*/) {}
};

std::string hash(char digit, const std::string& suffix) {
    return std::string(29, digit) + suffix;
}

std::string directory(const std::string& partition, const std::string& name) {
    return root + '/' + partition + '/' + name.substr(29) + '/' + name;
}

void add(const SimDisk& disk, const std::string& partition, const std::string& name,
         const std::string& file = {}) {
    disk.write(directory(partition, name) + '/' + (file.empty() ? name + ".db" : file), "x");
}

struct Walked {
    std::vector<Place> found;
    Heard heard;
    std::int64_t errors = 0;
    int beats = 0;
    std::size_t partitions = 0;

    [[nodiscard]] std::vector<std::string> hashes() const {
        std::vector<std::string> names;
        for (const Place& each : found) {
            names.push_back(each.hash);
        }
        std::ranges::sort(names);
        return names;
    }
};

Walked walk(
    const SimDisk& disk, std::uint64_t seed = 1,
    std::function<bool(std::uint32_t)> wanted = [](std::uint32_t) { return true; },
    Timestamp limit = {}, Timestamp settled = Timestamp{Timestamp::max_ticks, 0}) {
    Random random(seed);
    Walk<SimDisk> walk(disk, device, "containers", 1024, std::move(wanted), random, limit, settled);
    Walked result;
    while (auto found = walk.next(result.heard, result.errors, [&] { ++result.beats; })) {
        result.found.push_back(*std::move(found));
    }
    BOOST_TEST(walk.partitions_done() == walk.partitions());
    result.partitions = walk.partitions();
    return result;
}

/// What was last changed before `limit` is swept.
Walked walk_before(const SimDisk& disk, Timestamp limit) {
    return walk(
        disk, 1, [](std::uint32_t) { return true; }, limit);
}

using Names = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_CASE(a_device_that_never_held_a_database_has_none_and_no_error) {
    const SimDisk disk;
    disk.make_directories(device);
    const Walked result = walk(disk);
    BOOST_TEST(result.found.empty());
    BOOST_TEST(result.errors == 0);
}

BOOST_AUTO_TEST_CASE(every_database_is_found_once_with_its_partition_and_path) {
    const SimDisk disk;
    add(disk, "0", hash('a', "abc"));
    add(disk, "7", hash('b', "abc"));
    add(disk, "7", hash('c', "abc"));
    add(disk, "7", hash('c', "def"));
    add(disk, "1023", hash('d', "000"));
    const Walked result = walk(disk);
    BOOST_TEST(result.hashes() == (Names{hash('a', "abc"), hash('b', "abc"), hash('c', "abc"),
                                         hash('c', "def"), hash('d', "000")}),
               boost::test_tools::per_element());
    for (const Place& found : result.found) {
        BOOST_TEST(found.path() == directory(std::to_string(found.partition), found.hash) + '/' +
                                       found.hash + ".db");
    }
    BOOST_TEST(result.partitions == 3U);
    BOOST_TEST(result.errors == 0);
}

BOOST_AUTO_TEST_CASE(of_a_sharding_database_the_newest_file_is_taken) {
    const SimDisk disk;
    const std::string name = hash('a', "abc");
    add(disk, "3", name);
    add(disk, "3", name, name + "_1402464677.04188.db");
    const Walked result = walk(disk);
    BOOST_REQUIRE(result.found.size() == 1);
    BOOST_TEST(result.found[0].path().ends_with("_1402464677.04188.db"));
}

BOOST_AUTO_TEST_CASE(directories_that_are_no_partitions_are_passed_over) {
    const SimDisk disk;
    for (const char* odd : {"tmp", "+1", " 1", "1 ", "01", "1_0", "0x1", "1024", "4294967296",
                            "\u0663", "-1", "1.0", ".."}) {
        if (std::string(odd) != "..") {
            add(disk, odd, hash('a', "abc"));
        }
    }
    disk.write(root + "/5", "a file");
    const Walked result = walk(disk);
    BOOST_TEST(result.found.empty());
    BOOST_TEST(result.partitions == 0U);
    BOOST_TEST(result.errors == 0);
}

BOOST_AUTO_TEST_CASE(directories_that_are_no_hashes_of_their_suffix_are_passed_over) {
    const SimDisk disk;
    const std::string good = hash('a', "abc");
    disk.write(root + "/1/def/" + good + '/' + good + ".db", "another suffix");
    disk.write(root + "/1/abc/short/short.db", "x");
    disk.write(root + "/1/abc/" + hash('A', "abc") + '/' + hash('A', "abc") + ".db", "upper case");
    disk.write(root + "/1/abc/" + hash('b', "abc"), "a file");
    disk.write(root + "/1/file", "a file");
    const Walked result = walk(disk);
    BOOST_TEST(result.found.empty());
    BOOST_TEST(result.errors == 0);
}

BOOST_AUTO_TEST_CASE(
    partitions_come_in_another_order_with_another_seed_and_the_same_with_the_same) {
    const SimDisk disk;
    for (int i = 0; i < 50; ++i) {
        add(disk, std::to_string(i), hash('a', "abc"));
    }
    const auto order = [&](std::uint64_t seed) {
        std::vector<std::uint32_t> result;
        for (const Place& found : walk(disk, seed).found) {
            result.push_back(found.partition);
        }
        return result;
    };
    BOOST_TEST(order(1) == order(1), boost::test_tools::per_element());
    BOOST_TEST((order(1) != order(2)));
    BOOST_TEST(order(1).size() == 50U);
}

BOOST_AUTO_TEST_CASE(each_partition_is_asked_for_once_and_unwanted_ones_are_not_read) {
    const SimDisk disk;
    for (const char* partition : {"1", "2", "3"}) {
        add(disk, partition, hash('a', "abc"));
    }
    disk.fail_next(SimCall::list, root + "/2", Error::io, 0);
    std::vector<std::uint32_t> asked;
    const Walked result = walk(disk, 1, [&](std::uint32_t partition) {
        asked.push_back(partition);
        return partition != 2;
    });
    std::ranges::sort(asked);
    BOOST_TEST(asked == (std::vector<std::uint32_t>{1, 2, 3}), boost::test_tools::per_element());
    BOOST_TEST(result.found.size() == 2U);
    BOOST_TEST(result.errors == 0);
}

BOOST_AUTO_TEST_CASE(chosen_databases_are_come_to_once_and_only_in_partitions_of_the_ring) {
    const SimDisk disk;
    const std::string name = hash('a', "abc");
    for (const auto* const partition : {"1", "2", "1024"}) {
        add(disk, partition, name);
    }
    add(disk, "1", hash('b', "abc"));
    Random random(1);
    Walk<SimDisk> walk(disk, device, "containers", 1024, [](std::uint32_t) { return true; }, random,
                       {}, {});
    Names gone;
    walk.only({{1, name}, {2, name}, {1024, name}, {3, hash('c', "abc")}},
              [&](const std::string& each) { gone.push_back(each); });
    Walked result;
    std::set<std::uint32_t> partitions;
    while (const auto found = walk.next(result.heard, result.errors, [] {})) {
        BOOST_TEST(found->hash == name);
        partitions.insert(found->partition);
    }
    BOOST_TEST((partitions == std::set<std::uint32_t>{1, 2}));
    BOOST_TEST(gone == Names{hash('c', "abc")}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_directory_that_cannot_be_read_costs_only_itself) {
    const SimDisk disk;
    add(disk, "1", hash('a', "abc"));
    add(disk, "2", hash('b', "abc"));
    add(disk, "2", hash('c', "def"));
    add(disk, "2", hash('d', "abc"));
    const std::vector<std::pair<std::string, std::size_t>> cases{
        {root + "/1", 3}, {root + "/2/abc", 2}, {directory("2", hash('d', "abc")), 3}, {root, 0}};
    for (const auto& [bad, left] : cases) {
        disk.fail_next(SimCall::list, bad, Error::io, 1);
        const Walked result = walk(disk);
        BOOST_TEST(result.found.size() == left, bad);
        BOOST_TEST(result.errors == 1, bad);
        BOOST_TEST(result.heard.failed == Names{bad}, boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(whichever_call_fails_the_walk_ends_and_never_throws) {
    for (std::uint64_t n = 1;; ++n) {
        const SimDisk disk;
        add(disk, "1", hash('a', "abc"));
        add(disk, "2", hash('b', "abc"));
        disk.make_directories(root + "/3/abc/" + hash('c', "abc"));
        disk.fail_at(n);
        const Walked result = walk(disk);
        if (disk.fault_pending()) {
            BOOST_TEST(result.found.size() == 2U);
            BOOST_TEST(n > 8);
            break;
        }
        BOOST_TEST(result.errors <= 1);
        BOOST_TEST((result.errors == 1 || result.found.size() == 2));
    }
}

BOOST_AUTO_TEST_CASE(a_directory_that_goes_while_we_walk_is_no_error) {
    for (const std::string& victim :
         {root + "/1", root + "/1/abc", directory("1", hash('a', "abc"))}) {
        const SimDisk disk;
        add(disk, "1", hash('a', "abc"));
        disk.on_call([&](SimCall call, const std::string& path) {
            if (call == SimCall::list && path == victim) {
                disk.on_call(nullptr);
                disk.remove_tree(victim);
            }
        });
        const Walked result = walk(disk);
        BOOST_TEST(result.found.empty());
        BOOST_TEST(result.errors == 0, victim);
        disk.on_call(nullptr);
    }
}

BOOST_AUTO_TEST_CASE(empty_directories_are_removed_from_the_bottom_up) {
    const SimDisk disk;
    disk.make_directories(directory("1", hash('a', "abc")));
    for (int pass = 0; pass < 3; ++pass) {
        BOOST_TEST(walk(disk).found.empty());
    }
    BOOST_TEST(disk.list(root).empty());
    BOOST_TEST(disk.stat(root).has_value()); // the datadir itself stays
}

// A server that makes a database makes suffix and hash directory one after the other (defect 124).
BOOST_AUTO_TEST_CASE(empty_directories_stay_while_somebody_may_be_filling_them) {
    SimClock clock;
    const SimDisk disk(clock);
    const auto everywhere = [](std::uint32_t) { return true; };
    const std::string suffix = storage::parent(directory("1", hash('a', "abc")));
    for (const std::string& made : {suffix, directory("2", hash('b', "bcd"))}) {
        disk.make_directories(made);
        (void)walk(disk, 1, everywhere, {}, clock.now().plus(-Seconds(60)));
        BOOST_TEST(disk.stat(made).has_value());
    }
    clock.advance(Seconds(61));
    for (int pass = 0; pass < 3; ++pass) {
        (void)walk(disk, 1, everywhere, {}, clock.now().plus(-Seconds(60)));
        BOOST_TEST(!disk.stat(suffix).has_value());
        clock.advance(Seconds(61)); // what is empty now was changed just now
    }
    BOOST_TEST(disk.list(root).empty());
}

BOOST_AUTO_TEST_CASE(rows_that_wait_without_a_database_are_reported_and_kept) {
    const SimDisk disk;
    const std::string name = hash('a', "abc");
    add(disk, "1", name, name + ".db.pending");
    add(disk, "1", name, ".lock");
    const Walked result = walk(disk);
    BOOST_TEST(result.found.empty());
    BOOST_TEST(result.errors == 1);
    const std::string pending = directory("1", name) + '/' + name + ".db.pending";
    BOOST_TEST(result.heard.orphans == Names{pending}, boost::test_tools::per_element());
    BOOST_TEST(disk.stat(pending).has_value());
}

BOOST_AUTO_TEST_CASE(pending_rows_that_nobody_could_read_are_told_in_each_pass) {
    const SimDisk disk;
    const std::string name = hash('a', "abc");
    const std::string file = name + ".db.pending.unreadable.1234";
    add(disk, "1", name);
    add(disk, "1", name, file);
    for (int pass = 0; pass < 2; ++pass) {
        const Walked result = walk(disk);
        BOOST_TEST(result.found.size() == 1U);
        BOOST_TEST(result.errors == 1);
        BOOST_REQUIRE(result.heard.strange.size() == 1U);
        BOOST_TEST(result.heard.strange[0].starts_with(directory("1", name) + '/' + file + ": "));
    }
    BOOST_TEST(disk.stat(directory("1", name) + '/' + file).has_value());
}

BOOST_AUTO_TEST_CASE(a_directory_in_the_place_of_a_database_is_told) {
    const SimDisk disk;
    const std::string name = hash('a', "abc");
    const std::string path = directory("1", name) + '/' + name + ".db";
    disk.make_directories(path);
    const Walked result = walk(disk);
    BOOST_TEST(result.found.empty());
    BOOST_TEST(result.errors == 1);
    BOOST_TEST(result.heard.strange == Names{path + ": is a directory in the place of a database"},
               boost::test_tools::per_element());
    BOOST_TEST(disk.stat(path)->directory);
}

BOOST_AUTO_TEST_CASE(an_empty_pending_file_without_a_database_is_no_news) {
    const SimDisk disk;
    const std::string name = hash('a', "abc");
    disk.write(directory("1", name) + '/' + name + ".db.pending", "");
    const Walked result = walk(disk);
    BOOST_TEST(result.errors == 0);
    BOOST_TEST(result.heard.orphans.empty());
}

BOOST_AUTO_TEST_CASE(a_sign_of_life_is_given_for_each_of_many_directories_without_a_database) {
    const SimDisk disk;
    for (int i = 0; i < 100; ++i) {
        add(disk, std::to_string(i), hash('a', "abc"), ".lock");
    }
    const Walked result = walk(disk);
    BOOST_TEST(result.found.empty());
    BOOST_TEST(result.beats >= 400); // partition (twice), suffix and hash of each
}

BOOST_AUTO_TEST_CASE(a_directory_that_has_long_held_nothing_but_a_lock_is_removed) {
    SimClock clock;
    const SimDisk disk(clock);
    const std::string name = hash('a', "abc");
    add(disk, "1", name, ".lock");
    add(disk, "2", hash('b', "abc"), ".lock");
    add(disk, "2", hash('b', "abc"), "somebodys");
    BOOST_TEST(walk_before(disk, clock.now()).errors == 0);
    BOOST_TEST(disk.stat(directory("1", name)).has_value()); // a database may be on its way
    clock.advance(Seconds(1));
    {
        const auto lock = disk.try_lock(directory("1", name));
        BOOST_TEST(walk_before(disk, clock.now()).errors == 0);
        BOOST_TEST(disk.stat(directory("1", name)).has_value()); // or right now
    }
    BOOST_TEST(walk_before(disk, clock.now()).errors == 0);
    BOOST_TEST(!disk.stat(directory("1", name)).has_value());
    BOOST_TEST(disk.stat(directory("2", hash('b', "abc")) + "/somebodys").has_value());
}

BOOST_AUTO_TEST_CASE(drafts_of_a_process_that_was_killed_are_swept_when_they_are_old) {
    SimClock clock;
    const SimDisk disk(clock);
    const std::string alone = hash('a', "abc");
    const std::string live = hash('b', "abc");
    add(disk, "1", live);
    for (const std::string& name : {alone, live}) {
        add(disk, "1", name, name + ".db.0123.new");
        add(disk, "1", name, name + ".db.0123.new-journal");
        add(disk, "1", name, "my.new");
    }
    BOOST_TEST(walk_before(disk, clock.now()).hashes() == Names{live},
               boost::test_tools::per_element());
    BOOST_TEST(disk.list(directory("1", alone)).size() == 3U);
    clock.advance(Seconds(1));
    BOOST_TEST(walk_before(disk, clock.now()).hashes() == Names{live},
               boost::test_tools::per_element());
    BOOST_TEST(disk.list(directory("1", live)).size() == 2U);
    BOOST_TEST(disk.stat(directory("1", live) + "/my.new").has_value());
    BOOST_TEST(disk.stat(directory("1", alone) + "/my.new").has_value());
}

// A stock server leaves one for ever if it finds the database there once its own is made.
BOOST_AUTO_TEST_CASE(drafts_of_a_stock_server_that_came_too_late_are_swept_when_they_are_old) {
    SimClock clock;
    const SimDisk disk(clock);
    const std::string alone = hash('a', "abc");
    const std::string live = hash('b', "abc");
    add(disk, "1", live);
    for (const std::string& name : {alone, live}) {
        add(disk, "1", name, "tmp1x_y2z34.tmp");
        disk.make_directories(directory("1", name) + "/tmpdir.tmp");
        add(disk, "1", name, "my.tmp");
        add(disk, "1", name, "tmp.txt");
    }
    BOOST_TEST(walk_before(disk, clock.now()).hashes() == Names{live},
               boost::test_tools::per_element());
    BOOST_TEST(disk.stat(directory("1", alone) + "/tmp1x_y2z34.tmp").has_value());
    clock.advance(Seconds(1));
    BOOST_TEST(walk_before(disk, clock.now()).hashes() == Names{live},
               boost::test_tools::per_element());
    BOOST_TEST(disk.list(directory("1", live)).size() == 4U);
    for (const std::string& name : {alone, live}) {
        BOOST_TEST(!disk.stat(directory("1", name) + "/tmp1x_y2z34.tmp").has_value());
        for (const char* other : {"/tmpdir.tmp", "/my.tmp", "/tmp.txt"}) {
            BOOST_TEST(disk.stat(directory("1", name) + other).has_value(), other);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_directory_with_nothing_but_a_stock_servers_draft_goes_when_it_is_old) {
    SimClock clock;
    const SimDisk disk(clock);
    const std::string name = hash('a', "abc");
    add(disk, "1", name, ".lock");
    add(disk, "1", name, "tmp1x_y2z34.tmp");
    for (int pass = 0; pass < 3 && disk.stat(directory("1", name)); ++pass) {
        clock.advance(Seconds(1));
        const Walked result = walk(
            disk, 1, [](std::uint32_t) { return true; }, clock.now());
        BOOST_TEST(result.errors == 0);
    }
    BOOST_TEST(!disk.stat(directory("1", name)).has_value());
}
