#include <replica/sim/rows.hpp>

#define BOOST_TEST_MODULE sim_rows
#include <boost/test/unit_test.hpp>

#include <string>
#include <type_traits>

using namespace replica;

namespace {

using Objects = sim::RowTraits<ObjectRow>;
using Containers = sim::RowTraits<ContainerRow>;

// The code that the SQLite brokers join rows with.
static_assert(std::is_same_v<Objects::state_type, ObjectState>);
static_assert(std::is_same_v<Containers::state_type, ContainerState>);

ObjectRow object() {
    return {4, "o", "1402464677.04188", 3, "text/plain", "e", 0, 0};
}

ContainerRow container() {
    return {4, "c", "1402464677.04188", "0", 3, 40, 0, 0};
}

} // namespace

BOOST_AUTO_TEST_CASE(an_object_is_found_by_its_name_in_each_policy_apart) {
    ObjectRow row = object();
    const auto key = Objects::key(row);
    row.rowid = 9;
    row.created_at = "1500000000.00000";
    row.size = 0;
    row.etag = "other";
    row.deleted = 1;
    BOOST_TEST((Objects::key(row) == key));
    row.storage_policy_index = 1;
    BOOST_TEST((Objects::key(row) != key));
    BOOST_TEST((Objects::key(row) > key)); // ordered by name, then by policy
    row = object();
    row.name = std::string("o\0", 2); // a name may contain NUL
    BOOST_TEST((Objects::key(row) != key));
}

BOOST_AUTO_TEST_CASE(a_container_is_found_by_its_name_whatever_its_policy) {
    ContainerRow row = container();
    const auto key = Containers::key(row);
    row.rowid = 9;
    row.storage_policy_index = 1;
    row.put_timestamp = "1500000000.00000";
    row.deleted = 1;
    BOOST_TEST(Containers::key(row) == key);
    row.name = "d";
    BOOST_TEST(Containers::key(row) != key);
}

BOOST_AUTO_TEST_CASE(the_hash_of_an_object_is_that_of_its_name_and_time_as_written) {
    const std::string digest = "b1a0724963b99fd2d309c0566a8d7266"; // md5sum of o-1402464677.04188
    ObjectRow row = object();
    BOOST_TEST(to_hex(Objects::digest(row)) == digest);
    row.rowid = 9;
    row.size = 9;
    row.etag = "other";
    row.deleted = 1; // a tombstone counts as any row
    row.storage_policy_index = 1;
    BOOST_TEST(to_hex(Objects::digest(row)) == digest);
    row.created_at = "1402464677.04188+0+0"; // the same times, written in another way
    BOOST_TEST(to_hex(Objects::digest(row)) != digest);
}

BOOST_AUTO_TEST_CASE(the_hash_of_a_container_is_that_of_its_times_and_counts) {
    const std::string digest = "b59ff5fe4a4f17e6275fec37b06df899"; // of c-1402464677.04188-0-3-40
    ContainerRow row = container();
    BOOST_TEST(to_hex(Containers::digest(row)) == digest);
    row.rowid = 9;
    row.deleted = 1;
    row.storage_policy_index = 1;
    BOOST_TEST(to_hex(Containers::digest(row)) == digest);
    for (const auto& change : {+[](ContainerRow& other) { other.put_timestamp = "0"; },
                               +[](ContainerRow& other) { other.delete_timestamp = "1"; },
                               +[](ContainerRow& other) { other.object_count = 4; },
                               +[](ContainerRow& other) { other.bytes_used = -1; }}) {
        ContainerRow changed = container();
        change(changed);
        BOOST_TEST(to_hex(Containers::digest(changed)) != digest);
    }
}

BOOST_AUTO_TEST_CASE(a_tombstone_of_an_object_is_as_old_as_its_data) {
    ObjectRow row = object();
    BOOST_TEST((Objects::deleted_at(row) == *Timestamp::parse("1402464677.04188")));
    row.created_at = "1402464677.04188+5+5"; // a POST came after it
    BOOST_TEST((Objects::deleted_at(row) == *Timestamp::parse("1402464677.04188")));
    row.created_at = "1402464677.04188_000000000000000a";
    BOOST_TEST((Objects::deleted_at(row) == Timestamp{140'246'467'704'188, 10}));
}

BOOST_AUTO_TEST_CASE(a_tombstone_of_a_container_is_as_old_as_its_deletion) {
    ContainerRow row = container();
    row.delete_timestamp = "1402464678.00000";
    BOOST_TEST((Containers::deleted_at(row) == *Timestamp::parse("1402464678.00000")));
}

BOOST_AUTO_TEST_CASE(a_tombstone_without_a_usable_time_is_older_than_all_others) {
    for (const char* text : {"", "yesterday", "-1", "1.0_"}) {
        ObjectRow row = object();
        row.created_at = text;
        BOOST_TEST((Objects::deleted_at(row) == Timestamp{}), text);
        ContainerRow other = container();
        other.delete_timestamp = text;
        BOOST_TEST((Containers::deleted_at(other) == Timestamp{}), text);
    }
}
