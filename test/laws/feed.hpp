#ifndef REPLICA_TEST_LAWS_FEED_HPP
#define REPLICA_TEST_LAWS_FEED_HPP

// What every Feed must do. Include after the definition of BOOST_TEST_MODULE.

#include <replica/clock.hpp>
#include <replica/feed.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <set>
#include <stop_token>
#include <string>

namespace replica::test {

/// What a test does to a disk.
struct FeedHands {
    std::function<void(const std::string& path, const std::string& bytes)> write; ///< Or makes it.
    std::function<void(const std::string& from, const std::string& to)> rename;
    std::function<void(const std::string& path)> make_directories;
    std::function<void(const std::string& path)> remove;
};

inline std::string hash_number(std::size_t number) {
    std::string digits = std::to_string(number);
    return std::string(32 - digits.size(), '0') + digits;
}

/// The hashes of changes, without those of which the feed says that they are of another directory
/// than <below>/<hash>.
template <Feed W>
std::set<std::string> hashes_of(const W& feed, const std::string& device,
                                const std::string& below) {
    std::set<std::string> hashes;
    for (const Change& change : feed.changes(device).touched) {
        if (feed.is_of(change, below + '/' + change.hash)) {
            hashes.insert(change.hash);
        }
    }
    return hashes;
}

/// `make()` makes a feed over the directories `device` and `other`, which are empty.
template <class Make>
void check_feed_laws(Make make, const std::string& device, const std::string& other,
                     const FeedHands& hands) {
    using Names = std::set<std::string>;
    const std::string below = device + "/containers/1/001";
    const auto directory = [&](std::size_t number) { return below + '/' + hash_number(number); };
    for (std::size_t number = 1; number <= 6; ++number) {
        hands.make_directories(directory(number));
    }
    hands.make_directories(device + "/tmp");
    hands.make_directories(other + "/containers/1/001/" + hash_number(1));
    hands.write(directory(1) + '/' + hash_number(1) + ".db", "from before");
    hands.write(device + "/tmp/upload", "a database");

    auto feed = make();
    BOOST_REQUIRE(feed.running());
    BOOST_TEST(feed.changes(device).unknown.empty());

    hands.write(directory(1) + '/' + hash_number(1) + ".db", "a row");
    hands.write(directory(2) + '/' + hash_number(2) + ".db.pending", "a row");
    hands.write(directory(3) + '/' + hash_number(3) + "_1700000000.00000.db", "a row");
    hands.rename(device + "/tmp/upload", directory(4) + '/' + hash_number(4) + ".db");
    hands.write(directory(5) + '/' + hash_number(5) + ".db-journal", "no row");
    hands.write(directory(6) + "/.lock", "no row");
    feed.wait(device, Seconds(5), {});
    const Names wanted{hash_number(1), hash_number(2), hash_number(3), hash_number(4)};
    BOOST_TEST((hashes_of(feed, device, below) == wanted));
    BOOST_TEST((hashes_of(feed, device, below) == Names{}), "a change is told once");

    // Copies share what they know; a database of the same name on another device is another one.
    const auto copy = feed;
    hands.write(other + "/containers/1/001/" + hash_number(1) + '/' + hash_number(1) + ".db", "x");
    BOOST_TEST((hashes_of(feed, device, below) == Names{}));
    BOOST_TEST((hashes_of(copy, other, other + "/containers/1/001") == Names{hash_number(1)}));

    hands.write(directory(1) + '/' + hash_number(1) + ".db", "another row");
    const auto changes = feed.changes(device);
    const auto counted = [&](const std::string& place) {
        return std::ranges::count_if(
            changes.touched, [&](const Change& change) { return feed.is_of(change, place); });
    };
    BOOST_TEST(counted(directory(1)) == 1);
    BOOST_TEST(counted(directory(2)) == 0);
    BOOST_TEST(counted(below + "/none") == 0);

    // What goes, or comes with its directory, is told, and is no news.
    const auto touched = [&] {
        Names hashes;
        for (const Change& change : feed.changes(device).touched) {
            if (!change.news) {
                hashes.insert(change.hash);
            }
        }
        return hashes;
    };
    (void)feed.changes(device);
    hands.remove(directory(1) + '/' + hash_number(1) + ".db");
    BOOST_TEST((touched() == Names{hash_number(1)}));
    hands.rename(directory(4) + '/' + hash_number(4) + ".db", device + "/tmp/gone");
    BOOST_TEST((touched() == Names{hash_number(4)}));
    hands.rename(directory(3), device + "/tmp/" + hash_number(3));
    BOOST_TEST((touched() == Names{hash_number(3)}));
    BOOST_TEST(feed.watches(device));
    BOOST_TEST(!feed.watches(device + "/none"));

    std::stop_source stopped;
    stopped.request_stop();
    feed.wait(device, Seconds(1e6), stopped.get_token());
}

/// `make(most)` makes a feed for which at most so many directories may wait. Of 4 * most writes
/// each is told, or the feed says that it does not know.
template <class Make>
void check_that_no_write_is_missed(Make make, std::size_t most, const std::string& device,
                                   const FeedHands& hands) {
    const std::string below = device + "/containers/1/001";
    for (std::size_t number = 1; number <= 4 * most; ++number) {
        hands.make_directories(below + '/' + hash_number(number));
    }
    auto feed = make(most);
    std::set<std::string> written;
    std::size_t unknown = 0;
    std::size_t told = 0;
    for (std::size_t burst = 1; burst <= 2 * most; burst += most / 8) {
        written.clear();
        for (std::size_t number = 1; number <= burst; ++number) {
            const std::string hash = hash_number(number);
            written.insert(hash);
            hands.write(below + '/' + hash + '/' + hash + ".db", std::to_string(burst));
        }
        const Changes changes = feed.changes(device);
        if (!changes.unknown.empty()) {
            ++unknown;
            continue;
        }
        ++told;
        std::set<std::string> hashes;
        for (const Change& change : changes.touched) {
            if (feed.is_of(change, below + '/' + change.hash)) {
                hashes.insert(change.hash);
            }
        }
        BOOST_TEST((hashes == written), burst << " writes, of which some are missed");
    }
    BOOST_TEST(unknown > 0U);
    BOOST_TEST(told > 0U);
}

} // namespace replica::test

#endif // REPLICA_TEST_LAWS_FEED_HPP
