#include <replica/tool/info.hpp>

#define BOOST_TEST_MODULE tool_info
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <support/daemon.hpp>

#include <optional>
#include <set>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::tool;

namespace {

const std::string stamp = "1700000000.00000";
const HashPath hash_path{"", "changeme"};

/// A container with three rows, one of them a tombstone, in a file of its name.
struct Container {
    support::Directory directory;
    ContainerBroker broker;
    std::string path = directory.path(hash_path("/a/c") + ".db");

    Container() {
        ContainerInfo info;
        info.account = "a";
        info.container = "c";
        auto database = broker.create(path, info, Instant::max());
        const std::vector<ObjectRow> rows{{-1, "apple", stamp, 5, "text/plain", "e1", 0, 0},
                                          {-1, "apricot", stamp, 0, "", "", 1, 0},
                                          {-1, "berry", stamp, 7, "text/plain", "e2", 0, 0}};
        database.put(rows);
    }

    [[nodiscard]] auto open() { return broker.open(path, Instant::max()); }
    [[nodiscard]] boost::json::object about(const std::optional<HashPath>& by = {}) {
        auto database = open();
        return info_of(broker, database, path, by);
    }
    [[nodiscard]] std::set<std::string> shown(const RowFilter& filter) {
        auto database = open();
        std::set<std::string> names;
        const auto count =
            for_each_row(database, filter, [&](const ObjectRow& row) { names.insert(row.name); });
        BOOST_TEST(count == static_cast<std::int64_t>(names.size()));
        return names;
    }
};

using Names = std::set<std::string>;

} // namespace

BOOST_FIXTURE_TEST_CASE(all_of_a_container_is_told, Container) {
    const auto info = about();
    BOOST_TEST(info.at("path").as_string().c_str() == path);
    BOOST_TEST(info.at("kind").as_string() == "container");
    BOOST_TEST(info.at("bytes").to_number<int>() > 4096);
    BOOST_TEST(!info.at("pending").as_bool());
    BOOST_TEST(info.at("account").as_string() == "a");
    BOOST_TEST(info.at("container").as_string() == "c");
    BOOST_TEST(info.at("count").to_number<int>() == 2);
    BOOST_TEST(info.at("bytes_used").to_number<int>() == 12);
    BOOST_TEST(info.at("max_row").to_number<int>() == 3);
    BOOST_TEST(!info.at("id").as_string().empty());
    BOOST_TEST(info.at("hash").as_string().size() == 32U);
    BOOST_TEST(info.at("shard_ranges").as_array().empty());
    BOOST_TEST(info.at("incoming").as_object().empty());
    BOOST_TEST(!info.contains("in_place"));
}

BOOST_FIXTURE_TEST_CASE(whether_the_file_lies_in_its_place_is_told_by_who_knows, Container) {
    BOOST_TEST(about(hash_path).at("in_place").as_bool());
    BOOST_TEST(!about(HashPath{"", "another"}).at("in_place").as_bool());
}

BOOST_FIXTURE_TEST_CASE(points_and_notes_are_told_apart, Container) {
    {
        auto database = open();
        database.set_sync_point({7, "peer"}, Direction::outgoing);
        database.set_sync_point({3, notes::agreed()}, Direction::outgoing);
        const SyncPoint point{9, "peer"};
        database.merge_sync_points(std::span(&point, 1), Direction::incoming);
    }
    const auto info = about();
    BOOST_TEST(boost::json::serialize(info.at("outgoing")) == R"({"peer":7})");
    BOOST_TEST(boost::json::serialize(info.at("incoming")) == R"({"peer":9})");
    BOOST_TEST(info.at("notes").as_object().at(notes::agreed()).to_number<int>() == 3);
}

BOOST_FIXTURE_TEST_CASE(metadata_has_values_and_times, Container) {
    {
        auto database = open();
        database.merge_metadata(R"({"X-Container-Meta-Colour": ["red", ")" + stamp + "\"]}",
                                Timestamp{});
    }
    const auto item = about().at("metadata").at("X-Container-Meta-Colour");
    BOOST_TEST(item.at("value").as_string() == "red");
    BOOST_TEST(item.at("time").as_string().c_str() == stamp);
}

BOOST_FIXTURE_TEST_CASE(rows_that_wait_beside_the_file_are_told, Container) {
    (void)directory.file(hash_path("/a/c") + ".db.pending", "x");
    auto database = open();
    BOOST_TEST(info_of(broker, database, path).at("pending").as_bool());
}

BOOST_FIXTURE_TEST_CASE(rows_are_chosen_by_name_place_and_kind, Container) {
    BOOST_TEST((shown({}) == Names{"apple", "apricot", "berry"}));
    RowFilter filter;
    filter.name = "berry";
    BOOST_TEST((shown(filter) == Names{"berry"}));
    filter.name = "ber";
    BOOST_TEST(shown(filter).empty());
    filter = {};
    filter.prefix = "ap";
    BOOST_TEST((shown(filter) == Names{"apple", "apricot"}));
    filter.deleted = false;
    BOOST_TEST((shown(filter) == Names{"apple"}));
    filter = {};
    filter.live = false;
    BOOST_TEST((shown(filter) == Names{"apricot"}));
    filter = {};
    filter.above = 2;
    BOOST_TEST((shown(filter) == Names{"berry"}));
}

BOOST_FIXTURE_TEST_CASE(so_many_rows_are_shown_and_no_more, Container) {
    RowFilter filter;
    filter.most = 2;
    BOOST_TEST((shown(filter) == Names{"apple", "apricot"}));
    filter.most = 0;
    BOOST_TEST(shown(filter).empty());
    filter.most = 3;
    BOOST_TEST(shown(filter).size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(more_rows_than_one_read_has_are_all_shown, Container) {
    std::vector<ObjectRow> rows;
    for (int i = 0; i < 2500; ++i) {
        rows.push_back({-1, std::to_string(i), stamp, 1, "t", "e", 0, 0});
    }
    open().put(rows);
    BOOST_TEST(shown({}).size() == 2503U);
}

BOOST_AUTO_TEST_CASE(a_row_has_all_its_columns) {
    const auto row = object_of(ObjectRow{4, "n", stamp, 5, "text/plain", "e", 1, 2});
    BOOST_TEST(boost::json::serialize(row) ==
               R"({"rowid":4,"name":"n","created_at":")" + stamp +
                   R"(","size":5,"content_type":"text/plain","etag":"e","deleted":1,)"
                   R"("storage_policy_index":2})");
    ShardRange range;
    BOOST_TEST(object_of(range).at("epoch").is_null());
    range.epoch = stamp;
    BOOST_TEST(object_of(range).at("epoch").as_string().c_str() == stamp);
}

BOOST_AUTO_TEST_CASE(an_account_is_told_as_well) {
    const support::Directory directory;
    const std::string path = directory.path("x.db");
    AccountBroker broker;
    AccountInfo made;
    made.account = "a";
    auto database = broker.create(path, made, Instant::max());
    database.put_container("c", Timestamp::from_seconds(1'700'000'000), 3, 30);
    const auto info = info_of(broker, database, path);
    BOOST_TEST(info.at("kind").as_string() == "account");
    BOOST_TEST(info.at("object_count").to_number<int>() == 3);
    BOOST_TEST(!info.contains("shard_ranges"));
    std::string names;
    (void)for_each_row(database, {}, [&](const ContainerRow& row) { names += row.name; });
    BOOST_TEST(names == "c");
}
