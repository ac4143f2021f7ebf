#include <replica/sqlite/pending.hpp>

#define BOOST_TEST_MODULE sqlite_pending

#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/random.hpp>

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <support/fifo.hpp>
#include <support/pending_entry.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace replica;
using namespace replica::test;
using namespace std::string_literals;
using Brokers = boost::mpl::list<AccountBroker, ContainerBroker>;
using sqlite::AccountSchema;
using sqlite::ContainerSchema;

constexpr Instant never = Instant::max();
const std::string hash = "0123456789abcdef0123456789abcabc";
const std::string time_text = "1700000000.00000";

/// A row of both kinds' first six fields: an object of 7 bytes, a container with 7 objects.
template <class S>
[[nodiscard]] std::string row(const std::string& name, const std::string& time = time_text) {
    if constexpr (std::is_same_v<S, ContainerSchema>) {
        return pending_entry(pickled(name) + pickled(time) + pickled(7) + pickled("a/b") +
                             pickled("e") + pickled(0));
    } else {
        return pending_entry(pickled(name) + pickled(time) + pickled("0") + pickled(7) +
                             pickled(70) + pickled(0));
    }
}

template <class S>
[[nodiscard]] std::set<std::string> names_of(const std::vector<S>& rows) {
    std::set<std::string> names;
    for (const auto& each : rows) {
        names.insert(each.name);
    }
    return names;
}

template <class B>
struct Kind;
template <>
struct Kind<ContainerBroker> {
    using schema = ContainerSchema;
};
template <>
struct Kind<AccountBroker> {
    using schema = AccountSchema;
};

template <class B>
class Place {
public:
    using S = typename Kind<B>::schema;

    Place() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "replica-pending-XXXXXX").string();
        root_ = ::mkdtemp(pattern.data());
        std::filesystem::create_directories(device() + "/tmp");
        info_type_of<B> info;
        info.account = "AUTH_a";
        info.put_timestamp = time_text;
        if constexpr (requires { info.container; }) {
            info.container = "c";
        }
        broker_.create(path(), info);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { std::filesystem::remove_all(root_); }

    [[nodiscard]] B& broker() { return broker_; }
    [[nodiscard]] const std::string& root() const { return root_; }
    [[nodiscard]] std::string device() const { return root_ + "/sda"; }
    [[nodiscard]] std::string directory() const {
        return device() + '/' + std::string(B::kind_type::datadir) + "/1/abc/" + hash;
    }
    [[nodiscard]] std::string path() const { return directory() + '/' + hash + ".db"; }
    [[nodiscard]] std::string pending() const { return path() + ".pending"; }
    [[nodiscard]] auto open() { return broker_.open(path(), never); }
    [[nodiscard]] auto rows() { return open().items_since(-1, 1'000'000); }

    void write(const std::string& content) const {
        std::ofstream(pending(), std::ios::binary) << content;
    }
    [[nodiscard]] static std::string read(const std::string& path) {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    bool commit() {
        const auto lock = broker_.disk().try_lock(directory());
        BOOST_REQUIRE(lock);
        auto database = open();
        return database.commit_pending(*lock);
    }
    /// Contents of the files that were set aside.
    [[nodiscard]] std::vector<std::string> unreadable() {
        std::vector<std::string> contents;
        for (const Entry& found : broker_.disk().list(directory())) {
            if (found.name.find(".pending.unreadable.") != std::string::npos) {
                contents.push_back(read(directory() + '/' + found.name));
            }
        }
        return contents;
    }

private:
    std::string root_;
    B broker_;
};

template <class I>
[[nodiscard]] std::string message_of(const I& info) {
    std::string message;
    json::append_members(message, info);
    return message;
}

[[nodiscard]] std::string fields_of(const ObjectRow& row) {
    std::string line = "[";
    json::append(line, row.name);
    line += ", \"" + row.created_at + "\", " + std::to_string(row.size) + ", \"" +
            row.content_type + "\", \"" + row.etag + "\", " + std::to_string(row.deleted);
    return line + ", " + std::to_string(row.storage_policy_index) + ']';
}

[[nodiscard]] std::string fields_of(const ContainerRow& row) {
    std::string line = "[";
    json::append(line, row.name);
    line += ", \"" + row.put_timestamp + "\", \"" + row.delete_timestamp + "\", " +
            std::to_string(row.object_count) + ", " + std::to_string(row.bytes_used);
    return line + ", " + std::to_string(row.deleted) + ", " +
           std::to_string(row.storage_policy_index) + ']';
}

BOOST_AUTO_TEST_CASE_TEMPLATE(rows_that_swift_left_are_committed_as_swift_would, B, Brokers) {
    Place<B> place;
    const std::string stock = place.root() + "/stock/" + hash + "/" + hash + ".db";
    std::filesystem::create_directories(storage::parent(stock));
    std::filesystem::copy_file(place.path(), stock);
    // Tests run in the root of the source tree.
    const std::string command = "/usr/bin/python3 test/swift_schema/pending.py " +
                                std::string(B::kind_type::name) + ' ' + place.path() + ' ' + stock +
                                " > " + place.root() + "/out";
    BOOST_REQUIRE_MESSAGE(std::system(command.c_str()) == 0,
                          "pending.py failed; it needs the package python3-swift");
    BOOST_TEST(place.rows().empty());
    BOOST_TEST(storage::has_pending(place.broker().disk(), place.path()));
    {
        auto database = place.open();
        storage::flush_pending(place.broker(), database, place.path(), never);
    }
    BOOST_TEST(!storage::has_pending(place.broker().disk(), place.path()));
    BOOST_TEST(place.unreadable().empty());

    std::ifstream out(place.root() + "/out");
    std::string line;
    std::getline(out, line);
    info_type_of<B> theirs;
    json::read_members(json::parse(line).as_object(), theirs, "Swift's info",
                       [](std::string_view) { return true; });
    auto ours = place.open().info();
    BOOST_TEST(ours.count > 0);
    theirs.max_row = ours.max_row; // ROWIDs are handed out in the order of names here
    BOOST_TEST(message_of(ours) == message_of(theirs));

    std::getline(out, line);
    auto rows = place.rows();
    std::ranges::sort(
        rows, {}, [](const auto& each) { return std::pair(each.name, each.storage_policy_index); });
    const auto expected = json::parse(line);
    BOOST_REQUIRE_EQUAL(rows.size(), expected.as_array().size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        BOOST_TEST((json::parse(fields_of(rows[i])) == expected.as_array()[i]));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(without_rows_nothing_happens, B, Brokers) {
    Place<B> place;
    const auto version = place.open().info();
    BOOST_TEST(!place.commit()); // no file
    place.write("");
    BOOST_TEST(!place.commit());
    BOOST_TEST(std::filesystem::exists(place.pending()));
    place.write("::::");
    BOOST_TEST(!place.commit());
    BOOST_TEST(!std::filesystem::exists(place.pending()));
    BOOST_TEST(place.unreadable().empty());
    BOOST_TEST((place.open().info() == version));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_file_with_a_bad_entry_is_set_aside_and_the_rest_committed, B,
                              Brokers) {
    using S = typename Kind<B>::schema;
    const std::string good = row<S>("x");
    const std::vector<std::string> bad = {
        "garbage!",
        "AAA",                     // cut off
        good.substr(1, 20),        // cut off at a group
        good.substr(1, 22) + "==", // bits left over or cut off
        good.substr(1, 21) + "\n" + good.substr(22),
        "====",
        "A===",
        "AA=A",
        std::string(8, '\0'),
        pending_entry("U\x01x").substr(1),  // one field
        pending_entry(")))))))").substr(1), // nested
        row<S>("").substr(1),               // no name
        row<S>("\xff\xfe").substr(1),       // not UTF-8
        row<S>("\xed\xa0\x80").substr(1),   // half a surrogate pair
        row<S>("x", "yesterday").substr(1), // no time
        row<S>("x", "").substr(1),
        base64("\x80\x02"
               "cos\nsystem\n" +
               pickled("touch /nothing") + "\x85R."),
        base64("\x80\x02(X\xff\xff\xff\xff"),
        pending_entry(pickled("x") + pickled(time_text) + pickled("many") + pickled("a") +
                      pickled("e") + pickled(0))
            .substr(1),
        pending_entry(pickled("x") + pickled(time_text) + "NNNNN").substr(1),
        pending_entry("NNNNNN").substr(1),
    };
    for (const std::string& each : bad) {
        Place<B> place;
        const std::string content = row<S>("a") + "::" + each + row<S>("b") + ':' + each;
        place.write(content);
        BOOST_TEST(place.commit());
        BOOST_TEST((names_of(place.rows()) == std::set<std::string>{"a", "b"}), each);
        BOOST_TEST((place.unreadable() == std::vector{content}), each);
        BOOST_TEST(!std::filesystem::exists(place.pending()));
        BOOST_TEST(!place.commit());
    }
}

BOOST_AUTO_TEST_CASE(a_file_with_nothing_readable_is_set_aside_each_time_it_comes) {
    Place<ContainerBroker> place;
    for (std::size_t round = 1; round <= 3; ++round) {
        place.write("garbage");
        BOOST_TEST(!place.commit());
        BOOST_TEST(place.unreadable().size() == round);
    }
    BOOST_TEST(place.rows().empty());
}

BOOST_AUTO_TEST_CASE(a_file_too_large_to_be_one_is_left_alone) {
    Place<ContainerBroker> place;
    place.write("x");
    std::filesystem::resize_file(place.pending(), (256U << 20) + 1); // a hole
    BOOST_CHECK_EXCEPTION(place.commit(), Failure, [&](const Failure& failure) {
        return failure.error() == Error::bad_request &&
               std::string(failure.what()).find(place.pending()) != std::string::npos;
    });
    BOOST_TEST(std::filesystem::exists(place.pending()));
}

BOOST_AUTO_TEST_CASE(rows_of_another_database_do_not_come_through_a_link) {
    Place<ContainerBroker> place;
    const std::string other = place.device() + "/other.pending";
    std::ofstream(other) << row<ContainerSchema>("theirs");
    std::filesystem::create_symlink(other, place.pending());
    BOOST_CHECK_EXCEPTION(place.commit(), Failure, [&](const Failure& failure) {
        return failure.error() == Error::io &&
               std::string(failure.what()).find(place.pending()) != std::string::npos;
    });
    BOOST_TEST(place.rows().empty());
    BOOST_TEST(std::filesystem::exists(other));
    BOOST_TEST(std::filesystem::is_symlink(place.pending())); // a person may know what it is
}

BOOST_AUTO_TEST_CASE(a_link_to_nothing_and_a_fifo_in_the_place_of_pending_rows_are_named) {
    Place<ContainerBroker> place;
    const auto refused = [&](const Failure& failure) {
        return failure.error() == Error::io &&
               std::string(failure.what()).find(place.pending()) != std::string::npos;
    };
    std::filesystem::create_symlink(place.device() + "/nowhere", place.pending());
    BOOST_CHECK_EXCEPTION(place.commit(), Failure, refused);
    BOOST_TEST(std::filesystem::is_symlink(place.pending()));
    std::filesystem::remove(place.pending());
    const test::Fifo fifo(place.pending());
    BOOST_CHECK_EXCEPTION(fifo.must_not_hold_up([&] { return place.commit(); }), Failure, refused);
}

BOOST_AUTO_TEST_CASE(a_file_stays_when_its_rows_cannot_be_committed) {
    Place<ContainerBroker> place;
    const std::string content = row<ContainerSchema>("a") + ":garbage";
    place.write(content);
    PosixDisk disk;
    const auto fail = [](std::span<const ObjectRow>) {
        throw Failure(Error::no_space, "no room for rows");
    };
    BOOST_CHECK_THROW(sqlite::commit_pending<ContainerSchema>(disk, place.pending(), fail),
                      Failure);
    BOOST_TEST(Place<ContainerBroker>::read(place.pending()) == content);
    BOOST_TEST(place.unreadable().empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(rows_merged_once_more_after_a_crash_change_nothing, B, Brokers) {
    using S = typename Kind<B>::schema;
    Place<B> place;
    const std::string content = row<S>("a") + row<S>("b") + row<S>("a", "1700000001.00000");
    place.write(content);
    BOOST_TEST(place.commit());
    const auto info = place.open().info();
    const auto rows = place.rows();
    place.write(content); // as if it had not been removed
    BOOST_TEST(place.commit());
    BOOST_TEST((place.open().info() == info));
    BOOST_TEST((place.rows() == rows));
}

BOOST_AUTO_TEST_CASE(the_last_of_two_reports_of_a_container_counts) {
    Place<AccountBroker> place;
    const auto report = [](int objects) {
        return pending_entry(pickled("c") + pickled(time_text) + pickled("0") + pickled(objects) +
                             pickled(1) + pickled(0));
    };
    place.write(report(9) + report(3));
    BOOST_TEST(place.commit());
    BOOST_TEST(place.open().info().object_count == 3);
}

BOOST_AUTO_TEST_CASE(a_database_with_an_epoch_takes_the_rows_beside_the_plain_name) {
    const std::string directory = "/srv/node/sda/containers/1/abc/" + hash + '/';
    BOOST_TEST(pending_path(directory + hash + ".db") == directory + hash + ".db.pending");
    BOOST_TEST(pending_path(directory + hash + "_1700000000.00000.db") ==
               directory + hash + ".db.pending");
    BOOST_TEST(pending_path("/srv/node/sda/tmp/upload") == "/srv/node/sda/tmp/upload.pending");
    Place<ContainerBroker> place;
    const std::string later = place.directory() + '/' + hash + "_1700000000.00000.db";
    std::filesystem::rename(place.path(), later);
    place.write(row<ContainerSchema>("a"));
    const auto lock = place.broker().disk().try_lock(place.directory());
    auto database = place.broker().open(later, never);
    BOOST_TEST(database.commit_pending(*lock));
    BOOST_TEST((names_of(database.items_since(-1, 10)) == std::set<std::string>{"a"}));
}

/// Every good entry is found again, whatever stands between.
BOOST_AUTO_TEST_CASE_TEMPLATE(no_mutation_of_a_neighbour_loses_a_good_entry, B, Brokers) {
    using S = typename Kind<B>::schema;
    std::mt19937 random(11); // fixed: the same mutations each time
    const std::string first = row<S>("first");
    const std::string last = row<S>("last");
    int unreadable = 0;
    for (int round = 0; round < 10'000; ++round) {
        std::string pickle = "\x80\x02(" + pickled("x") + pickled(time_text) + pickled("0") +
                             pickled(7) + pickled(7) + pickled(0) + "t.";
        std::string middle = base64(pickle);
        if (round % 2 == 0) {
            pickle[random() % pickle.size()] = static_cast<char>(random());
            middle = base64(pickle);
        } else {
            middle[random() % middle.size()] = static_cast<char>(random());
            middle.resize(random() % (middle.size() + 1));
        }
        const auto found = sqlite::read_pending<S>(first + ':' + middle + last);
        const auto names = names_of(found.rows);
        BOOST_REQUIRE(names.contains("first"));
        BOOST_REQUIRE(names.contains("last"));
        BOOST_REQUIRE(found.rows.size() <= 4U);
        unreadable += found.unreadable > 0 ? 1 : 0;
    }
    BOOST_TEST(unreadable > 5000);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_removal_first_commits_what_waits_and_asks_again, B, Brokers) {
    using S = typename Kind<B>::schema;
    Place<B> place;
    Random random(1);
    place.write(row<S>("late"));
    std::int64_t seen = 0;
    const auto refuse = [&](const auto& info) {
        seen = info.count;
        return "a row has come meanwhile"s;
    };
    BOOST_TEST(storage::remove(place.broker(), place.path(), place.device(), random, never,
                               refuse) == "a row has come meanwhile");
    BOOST_TEST(seen == 1);
    BOOST_TEST((names_of(place.rows()) == std::set<std::string>{"late"}));
    BOOST_TEST(!storage::has_pending(place.broker().disk(), place.path()));

    const auto agree = [](const auto&) { return std::string(); };
    BOOST_TEST(
        storage::remove(place.broker(), place.path(), place.device(), random, never, agree) == "");
    BOOST_TEST(!std::filesystem::exists(place.directory()));
}

BOOST_AUTO_TEST_CASE(a_flush_waits_for_a_server_that_has_the_directory_locked) {
    Place<ContainerBroker> place;
    place.write(row<ContainerSchema>("a"));
    auto database = place.open();
    {
        const auto server = place.broker().disk().try_lock(place.directory());
        const Instant now = place.broker().clock().monotonic();
        BOOST_CHECK_EXCEPTION(
            storage::flush_pending(place.broker(), database, place.path(), now), Failure,
            [](const Failure& failure) { return failure.error() == Error::locked; });
        BOOST_TEST(database.items_since(-1, 10).empty());
    }
    storage::flush_pending(place.broker(), database, place.path(), never);
    BOOST_TEST(database.items_since(-1, 10).size() == 1U);
}

} // namespace
