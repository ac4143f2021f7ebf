#include <replica/container/queue_entry.hpp>

#define BOOST_TEST_MODULE container_queue_entry
#include <boost/test/unit_test.hpp>

#include <map>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::reconciler;

namespace {

ContainerInfo container(const std::string& key = {}, const std::string& root = {}) {
    ContainerInfo info;
    info.account = "a";
    info.container = "c";
    if (!key.empty()) {
        Metadata metadata;
        metadata.set({key, root, "1402464677.00000"});
        info.metadata = metadata.text();
    }
    return info;
}

const std::string quoted = "X-Container-Sysmeta-Shard-Quoted-Root";
const std::string plain = "X-Container-Sysmeta-Shard-Root";

} // namespace

BOOST_AUTO_TEST_CASE(a_row_is_queued_in_the_hour_of_its_last_change) {
    const std::map<std::string, std::string> names{
        {"1402464677.04188", "1402462800"},
        {"1402462800.00000", "1402462800"},
        {"1402462799.99999", "1402459200"},
        {"1402464677.04188_00000000000000ab", "1402462800"},
        {"1402464677.04188+0+0", "1402462800"},
        {"1402466399.99999+1", "1402466400"},   // the type has changed in the next hour
        {"1402466399.99999+0+1", "1402466400"}, // the metadata have
        {"1402466400.00000+0-1", "1402462800"}, // and a clock that went back
        {"1402464677.04188-ffffffffff", "1391468400"},
        {"0000000000.00000", "0"},
        {"3599", "0"},
        {"9999999999.99999", "9999997200"}};
    for (const auto& [created_at, name] : names) {
        BOOST_TEST(queue_name(created_at).value_or("none") == name, created_at);
    }
}

BOOST_AUTO_TEST_CASE(what_is_no_time_is_in_no_queue) {
    for (const char* text :
         {"", "x", "-5", "1402464677.04188+", "1402464677.04188+zz", "1402464677.04188+-5",
          "0000000001.00000-fffffff", "nan", "9999999999.99999+1", "1402464677.04188_"}) {
        BOOST_TEST(!queue_name(text), text);
    }
}

BOOST_AUTO_TEST_CASE(a_shard_speaks_for_its_root) {
    BOOST_TEST(root_path(container()).value() == "a/c");
    BOOST_TEST(root_path(container(plain, "AUTH_a/root")).value() == "AUTH_a/root");
    BOOST_TEST(root_path(container(quoted, "AUTH_a/a%20root%C3%A9")).value() ==
               "AUTH_a/a root\xc3\xa9");
    BOOST_TEST(root_path(container(plain, "AUTH_a/100%25")).value() == "AUTH_a/100%25");
    BOOST_TEST(root_path(container(quoted, "")).value() == "a/c"); // a deleted key
    for (const char* root : {"nothing", "/c", "a/", "a/b/c", "a%2F"}) {
        BOOST_TEST(!root_path(container(quoted, root)), root);
    }
}

BOOST_AUTO_TEST_CASE(a_root_is_unquoted_as_python_does_it) {
    BOOST_TEST(unquoted("a%2fb%2F%41") == "a/b/A");
    for (const char* text : {"", "%", "a%", "%4", "%zz", "%%", "+"}) {
        BOOST_TEST(unquoted(text) == text);
    }
    BOOST_TEST(unquoted("%%41") == "%A");
}

BOOST_AUTO_TEST_CASE(an_entry_says_what_to_do_where_and_since_when) {
    const ObjectRow row{7, "o/\n x", "1402464677.04188+1+2", 99, "text/plain", "etag", 0, 3};
    BOOST_TEST(
        (queue_row(row, "a/c") == ObjectRow{-1, "3:/a/c/o/\n x", "1402464677.04188+1+2", 0,
                                            "application/x-put", "1402464677.04188+1+2", 0, 0}));
    ObjectRow gone = row;
    gone.deleted = 1;
    const ObjectRow queued = queue_row(gone, "a/c");
    BOOST_TEST(queued.content_type == "application/x-delete");
    BOOST_TEST(queued.deleted == 0); // an entry is live until the reconciler has dealt with it
    ObjectRow odd;
    odd.name = std::string("nul\0", 4);
    odd.storage_policy_index = -1;
    BOOST_TEST(queue_row(odd, "a/c").name == std::string("-1:/a/c/nul\0", 12));
}
