#include <replica/disk/fanotify.hpp>

#define BOOST_TEST_MODULE disk_fanotify
#include <replica/clock.hpp>
#include <replica/disk/posix.hpp>
#include <replica/storage/place.hpp>
#include <replica/words/random.hpp>

#include <boost/test/unit_test.hpp>

#include <laws/feed.hpp>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace utf = boost::unit_test;

namespace {

/// Two devices that are directories of one file system.
class Devices {
public:
    Devices() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "replica-fanotify-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        root = pattern;
        std::filesystem::create_directories(sda());
        std::filesystem::create_directories(sdb());
    }
    Devices(const Devices&) = delete;
    Devices& operator=(const Devices&) = delete;
    ~Devices() { std::filesystem::remove_all(root); }

    [[nodiscard]] std::string sda() const { return root + "/sda"; }
    [[nodiscard]] std::string sdb() const { return root + "/sdb"; }

    /// The database of this number; its directory is made.
    [[nodiscard]] std::string database(std::size_t number) const {
        const std::string directory = sda() + "/containers/1/001/" + hash_number(number);
        std::filesystem::create_directories(directory);
        return directory + '/' + hash_number(number) + ".db";
    }

    std::string root;
};

void append(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::app) << bytes << std::flush;
}

const FeedHands hands{
    append,
    [](const std::string& from, const std::string& to) { std::filesystem::rename(from, to); },
    [](const std::string& path) { std::filesystem::create_directories(path); },
    [](const std::string& path) { std::filesystem::remove(path); }};

/// How many databases of sda are told. The file system may be others' too.
std::size_t told_of(const FanotifyFeed& feed, const Devices& devices) {
    return hashes_of(feed, devices.sda(), devices.sda() + "/containers/1/001").size();
}

FanotifyFeed feed_over(const Devices& devices, FanotifyOptions options = {false, true, 65'536}) {
    return FanotifyFeed(devices.root, options);
}

/// In a child, as another process would.
void in_a_child(const std::function<void()>& action) {
    const ::pid_t child = ::fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
        action();
        std::_Exit(0);
    }
    int status = 0;
    BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
    BOOST_TEST(status == 0);
}

/// Real events need a right and a file system that has them.
boost::test_tools::assertion_result can_watch(utf::test_unit_id /*unit*/) {
    const Devices devices;
    const FanotifyFeed feed = feed_over(devices);
    boost::test_tools::assertion_result result(feed.running());
    for (const std::string& line : feed.refusals()) {
        result.message() << "this machine does not let the test watch files: " << line << "; ";
    }
    return result;
}

const auto if_it_can = utf::precondition(can_watch);

} // namespace

BOOST_AUTO_TEST_CASE(real_events_obey_the_laws, *if_it_can) {
    const Devices devices;
    check_feed_laws([&] { return feed_over(devices); }, devices.sda(), devices.sdb(), hands);
}

BOOST_AUTO_TEST_CASE(more_changes_than_may_wait_are_unknown_and_none_is_missed, *if_it_can) {
    const Devices devices;
    check_that_no_write_is_missed(
        [&](std::size_t most) {
            return feed_over(devices, {false, true, most});
        },
        64, devices.sda(), hands);
}

BOOST_AUTO_TEST_CASE(an_overflow_of_the_kernels_queue_is_unknown_and_none_is_missed, *if_it_can) {
    constexpr std::size_t count = 17'000; // the kernel keeps 16,384 events unless told otherwise
    const Devices devices;
    const std::string directory = storage::parent(devices.database(0)); // one makes no difference
    std::vector<std::string> databases;
    for (std::size_t number = 0; number < count; ++number) {
        databases.push_back(directory + '/' + hash_number(number) + ".db");
    }
    const FanotifyFeed feed = feed_over(devices);
    std::size_t told = 0;
    std::size_t lost = 0;
    for (const std::size_t burst : {std::size_t{1000}, count, std::size_t{2000}}) {
        Changes changes;
        do { // others may move a directory of this file system meanwhile
            for (std::size_t number = 0; number < burst; ++number) {
                append(databases[number], "row");
            }
            changes = feed.changes(devices.sda());
        } while (changes.unknown == "a directory was moved");
        if (changes.unknown.empty()) {
            ++told;
            BOOST_TEST(changes.touched.size() >= burst);
        } else {
            ++lost;
            BOOST_TEST(changes.unknown == "the kernel's queue has overflowed");
            BOOST_TEST(!feed.changes(devices.sdb()).unknown.empty(), "of whichever device");
        }
    }
    BOOST_TEST(told >= 2U);
    BOOST_TEST(lost >= 1U);
}

BOOST_AUTO_TEST_CASE(of_random_writes_by_two_threads_none_is_missed, *if_it_can) {
    constexpr std::size_t writes = 20'000; // 100'000 take three seconds
    constexpr std::size_t most = 150;
    const Devices devices;
    std::vector<std::string> databases;
    for (std::size_t number = 0; number < 2 * most; ++number) {
        databases.push_back(devices.database(number));
    }
    const FanotifyFeed feed = feed_over(devices, {false, true, most});
    const std::string below = devices.sda() + "/containers/1/001/";
    Random random(1);
    std::size_t told = 0;
    std::size_t lost = 0;
    for (std::size_t done = 0; done < writes;) {
        const std::size_t burst = 1 + random.next() % (4 * most);
        std::set<std::size_t> written;
        std::vector<std::size_t> mine;
        std::vector<std::size_t> others;
        for (std::size_t i = 0; i < burst; ++i) {
            const std::size_t number = random.next() % databases.size();
            written.insert(number);
            (i % 2 == 0 ? mine : others).push_back(number);
        }
        const auto write = [&](const std::vector<std::size_t>& numbers) {
            for (const std::size_t number : numbers) {
                append(databases[number], "row");
            }
        };
        std::jthread other(write, std::cref(others));
        write(mine);
        other.join();
        done += burst;
        const Changes changes = feed.changes(devices.sda());
        if (!changes.unknown.empty()) {
            ++lost;
            continue;
        }
        ++told;
        for (const std::size_t number : written) {
            BOOST_TEST(std::ranges::any_of(changes.touched, [&](const Change& change) {
                return change.hash == hash_number(number) &&
                       feed.is_of(change, below + change.hash);
            }));
        }
    }
    BOOST_TEST(told > 0U);
    BOOST_TEST(lost > 0U);
}

BOOST_AUTO_TEST_CASE(writes_of_this_process_are_no_news_and_those_of_others_are, *if_it_can) {
    const Devices devices;
    const std::string file = devices.database(1);
    const FanotifyFeed feed = feed_over(devices, {false, false, 100});
    const auto news = [&] {
        const auto touched = feed.changes(devices.sda()).touched;
        BOOST_REQUIRE(touched.size() == 1U);
        return touched[0].news;
    };
    append(file, "ours");
    BOOST_TEST(!news());
    in_a_child([&] { append(file, "theirs"); });
    append(file, "ours");
    BOOST_TEST(news());
}

BOOST_AUTO_TEST_CASE(a_directory_above_the_hashes_that_is_moved_is_unknown, *if_it_can) {
    const Devices devices;
    (void)devices.database(1);
    const FanotifyFeed feed = feed_over(devices);
    const std::string suffix = devices.sda() + "/containers/1/001";
    std::filesystem::rename(suffix, devices.sda() + "/elsewhere");
    BOOST_TEST(feed.changes(devices.sda()).unknown == "a directory was moved");
    std::filesystem::rename(devices.sda() + "/elsewhere", suffix);
    BOOST_TEST(feed.changes(devices.sda()).unknown == "a directory was moved");
    BOOST_TEST(feed.changes(devices.sda()).unknown.empty());
}

BOOST_AUTO_TEST_CASE(a_service_that_takes_a_database_away_misses_nothing_by_that, *if_it_can) {
    const Devices devices;
    const std::string directory = std::filesystem::path(devices.database(1)).parent_path();
    const FanotifyFeed feed = feed_over(devices, {false, false, 100});
    std::filesystem::create_directories(devices.sda() + "/trash");
    const std::string aside = devices.sda() + "/trash/" + hash_number(1) + ".removed";
    const auto changes_of = [&](const std::string& from, const std::string& to) {
        std::filesystem::rename(from, to);
        return feed.changes(devices.sda());
    };
    for (const auto& [from, to] : {std::pair{directory, aside}, std::pair{aside, directory}}) {
        const auto changes = changes_of(from, to);
        BOOST_TEST(changes.unknown.empty());
        BOOST_REQUIRE(changes.touched.size() == 1U);
        BOOST_TEST(changes.touched[0].hash == hash_number(1));
    }
    in_a_child([&] { std::filesystem::rename(devices.sda() + "/containers/1/001", aside); });
    BOOST_TEST(feed.changes(devices.sda()).unknown == "a directory was moved", "by somebody else");
}

BOOST_AUTO_TEST_CASE(a_device_that_cannot_be_watched_keeps_no_caller_awake, *if_it_can) {
    const Devices devices;
    const FanotifyFeed feed = feed_over(devices);
    BOOST_TEST(!feed.watches("/proc")); // its directories have no handles
    const auto start = std::chrono::steady_clock::now();
    feed.wait("/proc", Seconds(0.2), {});
    BOOST_TEST(Seconds(std::chrono::steady_clock::now() - start).count() > 0.15);
    BOOST_TEST(!feed.changes("/proc").unknown.empty());
}

BOOST_AUTO_TEST_CASE(a_device_that_was_mounted_anew_is_unknown_once, *if_it_can) {
    const Devices devices;
    in_a_child([&] { // with mounts of its own
        const std::string disk = devices.root + "/disk";
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
            std::_Exit(0); // without the right to mount
        }
        const auto mount = [&] {
            return ::mount("replica-test", devices.sda().c_str(), "tmpfs", 0, "size=1m") == 0;
        };
        const FanotifyFeed feed = [&] {
            return mount() ? FanotifyFeed(devices.root) : FanotifyFeed();
        }();
        if (!feed.running()) {
            std::_Exit(0); // a kernel that does not watch such a file system
        }
        const auto known = [&] { return feed.changes(devices.sda()).unknown.empty(); };
        bool right = feed.watches(devices.sda()) && known();
        right = right && ::umount(devices.sda().c_str()) == 0 && mount();
        right = right && !feed.watches(devices.sda()) && !known();
        right = right && feed.watches(devices.sda()) && known();
        append(devices.sda() + '/' + hash_number(1) + ".db", "a row");
        right = right && feed.changes(devices.sda()).touched.size() == 1;
        std::_Exit(right ? 0 : 1);
    });
}

BOOST_AUTO_TEST_CASE(reading_and_making_a_file_are_no_changes, *if_it_can) {
    const Devices devices;
    const std::string file = devices.database(1);
    append(file, "row");
    const FanotifyFeed feed = feed_over(devices);
    std::string text;
    std::fstream(file, std::ios::in | std::ios::out) >> text; // opened as SQLite opens it
    BOOST_TEST(text == "row");
    const std::ofstream made(devices.database(2));
    BOOST_TEST(told_of(feed, devices) == 0U);
}

BOOST_AUTO_TEST_CASE(several_callers_wait_and_each_learns_of_its_device_at_once, *if_it_can) {
    const Devices devices;
    const std::string file = devices.database(1);
    const FanotifyFeed feed = feed_over(devices);
    std::stop_source stop;
    std::jthread other([&] { feed.wait(devices.sdb(), Seconds(60), stop.get_token()); });
    std::jthread writer([&] { append(file, "row"); });
    const auto start = std::chrono::steady_clock::now();
    feed.wait(devices.sda(), Seconds(60), {});
    BOOST_TEST(Seconds(std::chrono::steady_clock::now() - start).count() < 20);
    BOOST_TEST(told_of(feed, devices) == 1U);
    stop.request_stop();
}

BOOST_AUTO_TEST_CASE(a_wait_for_nothing_takes_its_time_and_no_more) {
    const FanotifyFeed feed;
    BOOST_TEST(!feed.running());
    const auto start = std::chrono::steady_clock::now();
    feed.wait("/srv/node/sda", Seconds(0.05), {});
    BOOST_TEST(Seconds(std::chrono::steady_clock::now() - start).count() < 20);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_watched_is_said_and_unknown) {
    const FanotifyFeed none("/no/such/directory");
    BOOST_TEST(!none.running());
    BOOST_TEST(none.refusals().size() == 1U);
    BOOST_TEST(!none.changes("/no/such/directory/sda").unknown.empty());

    const Devices devices; // its directories are no mount points
    const FanotifyFeed feed(devices.root);
    BOOST_TEST(!feed.running());
    BOOST_TEST(!feed.changes(devices.sda()).unknown.empty());
}

BOOST_AUTO_TEST_CASE(without_the_right_nothing_is_watched_and_the_reason_is_said) {
    const Devices devices;
    in_a_child([&] {
        constexpr ::uid_t nobody = 65'534;
        if (::geteuid() == 0 && ::setuid(nobody) != 0) {
            std::_Exit(0); // root without the right to become another
        }
        const FanotifyFeed feed = feed_over(devices);
        const bool said = !feed.running() && !feed.refusals().empty();
        std::_Exit(said ? 0 : 1);
    });
}
