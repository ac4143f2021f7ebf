#include <replica/rows/checks.hpp>

#define BOOST_TEST_MODULE row_rules
#include <boost/test/unit_test.hpp>

#include <string>

using namespace replica;

namespace {

ObjectRow object() {
    ObjectRow row;
    row.name = "o";
    row.created_at = "1402464677.04188";
    return row;
}

ContainerRow container() {
    ContainerRow row;
    row.name = "c";
    row.put_timestamp = "1402464677.04188";
    return row;
}

} // namespace

BOOST_AUTO_TEST_CASE(rows_as_swift_writes_them_can_be_stored) {
    BOOST_TEST(unusable(object()) == "");
    BOOST_TEST(unusable(container()) == "");
    ObjectRow row = object();
    row.deleted = 1;
    row.created_at = "1402464677.04188+5f5e100+0"; // of data, content type and metadata
    BOOST_TEST(unusable(row) == "");
}

BOOST_AUTO_TEST_CASE(a_row_without_a_name_has_no_place) {
    ObjectRow row = object();
    row.name.clear();
    BOOST_TEST(unusable(row) == "no name");
    ContainerRow other = container();
    other.name.clear();
    BOOST_TEST(unusable(other) == "no name");
}

BOOST_AUTO_TEST_CASE(a_row_is_live_or_deleted_and_nothing_between) {
    for (const std::int64_t deleted : {-1, 2, 255}) {
        ObjectRow row = object();
        row.deleted = deleted;
        BOOST_TEST(unusable(row) == "deleted is neither 0 nor 1");
        ContainerRow other = container();
        other.deleted = deleted;
        BOOST_TEST(unusable(other) == "deleted is neither 0 nor 1");
    }
}

BOOST_AUTO_TEST_CASE(a_row_whose_time_cannot_be_compared_is_of_no_use) {
    for (const char* time : {"", "now", "-1.00000", "1402464677.04188_", "1402464677.04188+x"}) {
        ObjectRow row = object();
        row.created_at = time;
        BOOST_TEST(unusable(row) == "created_at is no timestamp", time);
        ContainerRow other = container();
        other.put_timestamp = time;
        BOOST_TEST(unusable(other) == "put_timestamp or delete_timestamp is no timestamp", time);
        other = container();
        other.delete_timestamp = time;
        BOOST_TEST(unusable(other) == "put_timestamp or delete_timestamp is no timestamp", time);
    }
}

BOOST_AUTO_TEST_CASE(a_time_that_was_never_set_is_zero) {
    ContainerRow row = container();
    row.delete_timestamp.clear();
    normalise(row);
    BOOST_TEST(row.delete_timestamp == "0");
    BOOST_TEST(row.put_timestamp == "1402464677.04188");
    BOOST_TEST(unusable(row) == "");
    ObjectRow other = object();
    other.created_at.clear(); // an object's is never empty
    normalise(other);
    BOOST_TEST(unusable(other) == "created_at is no timestamp");
}

BOOST_AUTO_TEST_CASE(a_point_has_a_plain_name_and_is_no_less_than_minus_one) {
    BOOST_TEST(unusable(SyncPoint{0, "ad8de2a3-5f0e-4d4b-8a64-c1e2a0b0b0b0-sdb1"}) == "");
    BOOST_TEST(unusable(SyncPoint{-1, "x"}) == "");
    BOOST_TEST(unusable(SyncPoint{-2, "x"}) == "sync_point must be -1 or more");
    for (const std::string id : {"", "..", "a/b", "a\nb"}) {
        BOOST_TEST(unusable(SyncPoint{3, id}) == "remote_id must be a plain name");
    }
}
