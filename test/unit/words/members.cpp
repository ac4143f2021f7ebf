#include <replica/words/members.hpp>

#define BOOST_TEST_MODULE members
#include <boost/hana/accessors.hpp>
#include <boost/hana/core/to.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/second.hpp>
#include <boost/test/unit_test.hpp>

#include <string>

using namespace replica;
namespace hana = boost::hana;

namespace {

template <class Struct>
std::string names() {
    std::string all;
    hana::for_each(hana::accessors<Struct>(), [&](auto pair) {
        all.append(all.empty() ? "" : " ").append(hana::to<const char*>(hana::first(pair)));
    });
    return all;
}

} // namespace

BOOST_AUTO_TEST_CASE(an_info_has_the_keys_of_a_stock_reply_in_their_order) {
    BOOST_TEST(names<AccountInfo>() ==
               "account created_at put_timestamp delete_timestamp status_changed_at object_count "
               "bytes_used hash id count metadata max_row");
    BOOST_TEST(names<ContainerInfo>() ==
               "account container created_at put_timestamp delete_timestamp status "
               "status_changed_at bytes_used reported_put_timestamp reported_delete_timestamp "
               "reported_object_count reported_bytes_used hash id x_container_sync_point1 "
               "x_container_sync_point2 storage_policy_index db_state count metadata max_row "
               "shard_max_row");
}

BOOST_AUTO_TEST_CASE(a_row_has_the_columns_of_its_table) {
    BOOST_TEST(names<ObjectRow>() ==
               "rowid name created_at size content_type etag deleted storage_policy_index");
    BOOST_TEST(names<ContainerRow>() ==
               "rowid name put_timestamp delete_timestamp object_count bytes_used deleted "
               "storage_policy_index");
    const std::string point = names<SyncPoint>();
    BOOST_TEST(point == "sync_point remote_id");
}
