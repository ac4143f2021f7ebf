#include <replica/sim/changes.hpp>

#define BOOST_TEST_MODULE sim_changes
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

using namespace replica;

namespace {

constexpr std::size_t sector = SimChanges::sector;

/// A file of which the bytes so far are durable.
struct File {
    explicit File(std::string content = {}) : durable(content), bytes(std::move(content)) {}

    void write(std::size_t at, const std::string& news) { changes.write(bytes, at, news); }
    void resize(std::size_t size) { changes.resize(bytes, size); }

    /// What is left after each of many power cuts.
    [[nodiscard]] std::set<std::string> left() const {
        std::set<std::string> all;
        for (std::uint64_t seed = 0; seed < 400; ++seed) {
            Random random(seed);
            SimChance chance(random);
            all.insert(changes.survivor(durable, chance));
        }
        return all;
    }

    std::string durable;
    std::string bytes;
    SimChanges changes;
};

std::string sectors(const std::string& each) {
    std::string all;
    for (const char c : each) {
        all.append(sector, c);
    }
    return all;
}

/// The letter of each sector; '?' for a torn one.
std::string letters(const std::string& bytes) {
    std::string all;
    for (std::size_t at = 0; at < bytes.size(); at += sector) {
        const std::string one = bytes.substr(at, sector);
        const bool whole = one.find_first_not_of(one[0]) == std::string::npos;
        all += !whole ? '?' : one[0] == '\0' ? '0' : one[0];
    }
    return all;
}

std::set<std::string> letters(const std::set<std::string>& all) {
    std::set<std::string> each;
    for (const std::string& bytes : all) {
        each.insert(letters(bytes));
    }
    return each;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_change_is_seen_at_once) {
    File file("12345");
    file.write(1, "xy");
    BOOST_TEST(file.bytes == "1xy45");
    file.write(4, "zz");
    BOOST_TEST(file.bytes == "1xy4zz");
    file.resize(2);
    BOOST_TEST(file.bytes == "1x");
    file.write(4, "e");
    BOOST_TEST(file.bytes == std::string("1x\0\0e", 5));
    file.resize(7);
    BOOST_TEST(file.bytes == std::string("1x\0\0e\0\0", 7));
    file.write(3, "");
    BOOST_TEST(file.bytes.size() == 7U);
}

BOOST_AUTO_TEST_CASE(what_was_not_changed_is_never_lost) {
    const File file(sectors("ab"));
    BOOST_TEST((file.left() == std::set{sectors("ab")}));
    BOOST_TEST(file.changes.empty());
}

BOOST_AUTO_TEST_CASE(each_sector_is_lost_kept_or_torn_on_its_own) {
    File file(sectors("abc"));
    file.write(0, sectors("xyz"));
    const auto left = letters(file.left());
    for (const std::string each : {"abc", "xyz", "ayc", "xbz", "xyc", "abz", "?bc", "xy?"}) {
        BOOST_TEST(left.contains(each), each);
    }
    for (const std::string& each : left) {
        BOOST_TEST(each.size() == 3U);
        BOOST_TEST((each[0] == 'a' || each[0] == 'x' || each[0] == '?'), each);
        BOOST_TEST((each[2] == 'c' || each[2] == 'z' || each[2] == '?'), each);
    }
}

BOOST_AUTO_TEST_CASE(a_torn_sector_is_new_from_one_of_its_ends_on) {
    File file(sectors("a"));
    file.write(0, sectors("x"));
    bool from_front = false;
    bool from_back = false;
    for (const std::string& each : file.left()) {
        const std::size_t turn = each.find_first_not_of(each[0]);
        if (turn == std::string::npos) {
            continue;
        }
        BOOST_TEST(each.find_first_not_of(each[turn], turn) == std::string::npos);
        (each[0] == 'x' ? from_front : from_back) = true;
    }
    BOOST_TEST(from_front);
    BOOST_TEST(from_back);
}

BOOST_AUTO_TEST_CASE(neighbours_in_a_sector_that_were_not_written_stay) {
    File file(sectors("ab"));
    file.write(sector - 3, "12345");
    for (const std::string& each : file.left()) {
        BOOST_TEST((each.substr(0, sector - 3) == std::string(sector - 3, 'a')));
        BOOST_TEST((each.substr(sector + 2) == std::string(sector - 2, 'b')));
    }
    BOOST_TEST(file.left().contains(file.bytes));
    const std::string half = std::string(sector - 3, 'a') + "123" + sectors("b");
    BOOST_TEST(file.left().contains(half)); // a write across two sectors is not one step
}

BOOST_AUTO_TEST_CASE(a_sector_may_have_any_state_that_it_had_since_the_sync) {
    File file(sectors("ab"));
    for (const std::string each : {"1", "2", "3"}) {
        file.write(0, sectors(each));
    }
    const auto left = letters(file.left());
    for (const std::string each : {"ab", "1b", "2b", "3b"}) {
        BOOST_TEST(left.contains(each), each);
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_grew_has_the_old_or_the_new_size_and_zeros_where_nothing_came) {
    File file(sectors("a"));
    file.write(sector, sectors("xy"));
    const auto left = letters(file.left());
    for (const std::string each : {"a", "axy", "a0y", "ax0", "a00"}) {
        BOOST_TEST(left.contains(each), each);
    }
    for (const std::string& each : file.left()) {
        BOOST_TEST((each.size() == sector || each.size() == 3 * sector));
        BOOST_TEST(each[0] == 'a');
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_was_cut_may_be_long_again) {
    File file(sectors("abc"));
    file.resize(sector + 10);
    std::set<std::size_t> sizes;
    for (const std::string& each : file.left()) {
        sizes.insert(each.size());
        BOOST_TEST((each.substr(0, sector + 10) == file.durable.substr(0, sector + 10)));
    }
    BOOST_TEST((sizes == std::set<std::size_t>{sector + 10, 3 * sector}));
    BOOST_TEST(file.left().contains(file.durable));
}

BOOST_AUTO_TEST_CASE(a_file_that_was_replaced_is_the_old_the_new_or_a_mixture) {
    File file(sectors("ab"));
    file.write(0, "before");
    file.changes.replace(sectors("x"));
    const auto left = letters(file.left());
    for (const std::string each : {"ab", "x", ""}) {
        BOOST_TEST(left.contains(each), each);
    }
    for (const std::string& each : file.left()) {
        BOOST_TEST(!each.starts_with("before"));
    }
}

BOOST_AUTO_TEST_CASE(after_a_sync_nothing_is_lost_any_more) {
    File file(sectors("a"));
    file.write(0, sectors("x"));
    BOOST_TEST(!file.changes.empty());
    file.changes.clear();
    file.durable = file.bytes;
    BOOST_TEST((file.left() == std::set{sectors("x")}));
}

BOOST_AUTO_TEST_CASE(the_same_seed_loses_the_same) {
    File file(sectors("abcdefgh"));
    file.write(100, sectors("1234567"));
    file.resize(3000);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const auto draw = [&] {
            Random random(seed);
            SimChance chance(random);
            return file.changes.survivor(file.durable, chance);
        };
        BOOST_TEST((draw() == draw()));
    }
    BOOST_TEST(file.left().size() > 200U);
}
