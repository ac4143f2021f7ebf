#include <replica/words/hash_path.hpp>

#define BOOST_TEST_MODULE hash_path
#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

using namespace replica;

namespace {

const std::string hash = "e28cc9c78696a68b7920b82ab697f9c3";

} // namespace

BOOST_AUTO_TEST_CASE(a_name_hashes_as_in_swift) {
    // hash_path("AUTH_test", "c") of Swift 2.30.1 with these two secrets.
    const HashPath both{"changeme", "secret"};
    BOOST_TEST(both("/AUTH_test/c") == to_hex(md5("changeme/AUTH_test/csecret")));
    BOOST_TEST(HashPath{}("/a") == to_hex(md5("/a")));
    BOOST_TEST(both("/a") != (HashPath{"changeme", ""}("/a")));
    BOOST_TEST(both("/a") != (HashPath{"", "secret"}("/a")));
}

BOOST_AUTO_TEST_CASE(only_32_lower_case_digits_are_a_hash) {
    static_assert(is_hash("0123456789abcdef0123456789abcdef"));
    BOOST_TEST(is_hash(hash));
    BOOST_TEST(!is_hash(""));
    BOOST_TEST(!is_hash(hash.substr(1)));
    BOOST_TEST(!is_hash(hash + "0"));
    BOOST_TEST(!is_hash("E28CC9C78696A68B7920B82AB697F9C3"));
    BOOST_TEST(!is_hash("g28cc9c78696a68b7920b82ab697f9c3"));
    BOOST_TEST(!is_hash("../cc9c78696a68b7920b82ab697f9c3"));
    BOOST_TEST(!is_hash(std::string_view("e28cc9c78696a68b7920b82ab697f9c\0", 32)));
}

BOOST_AUTO_TEST_CASE(a_partition_is_a_plain_decimal_number_below_the_count) {
    static_assert(parse_partition("0", 1) == 0U);
    static_assert(parse_partition("1023", 1024) == 1023U);
    static_assert(!parse_partition("1024", 1024));
    for (const std::string_view bad : {"", "-1", "+1", " 1", "1 ", "01", "00", "1_0", "0x1", "1.0",
                                       "a", "\xd9\xa1", "4294967296", "99999999999999999999"}) {
        BOOST_TEST_CONTEXT("'" << bad << "'") {
            BOOST_TEST(!parse_partition(bad, 4294967295U).has_value());
        }
    }
    BOOST_TEST(parse_partition("4294967294", 4294967295U).value() == 4294967294U);
    BOOST_TEST(!parse_partition(std::string_view("1\0", 2), 10).has_value());
}

BOOST_AUTO_TEST_CASE(a_name_that_could_leave_its_directory_is_not_safe) {
    BOOST_TEST(is_safe_name("sdb1"));
    BOOST_TEST(is_safe_name("0d1a7c54-9a4c-4d4c-8f0e-3f8d3b3a2f11-sdb1"));
    BOOST_TEST(is_safe_name("a b"));
    BOOST_TEST(is_safe_name("a..b"));
    BOOST_TEST(is_safe_name(std::string(255, 'x')));
    for (const std::string& bad :
         {std::string(), std::string("."), std::string(".."), std::string(".hidden"),
          std::string("a/b"), std::string("/etc"), std::string("a\0b", 3), std::string("a\nb"),
          std::string("a\x7f"), std::string(256, 'x')}) {
        BOOST_TEST_CONTEXT("'" << bad << "'") {
            BOOST_TEST(!is_safe_name(bad));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_file_name_is_taken_apart) {
    const std::string plain_name = hash + ".db";
    const auto plain = DatabaseName::parse(plain_name);
    BOOST_REQUIRE(plain.has_value());
    BOOST_TEST(plain->hash == hash);
    BOOST_TEST(plain->epoch.empty());
    const std::string sharded_name = hash + "_1402464677.04188.db";
    const auto sharded = DatabaseName::parse(sharded_name);
    BOOST_REQUIRE(sharded.has_value());
    BOOST_TEST(sharded->hash == hash);
    BOOST_TEST(sharded->epoch == "1402464677.04188");
}

BOOST_AUTO_TEST_CASE(other_files_beside_a_database_are_no_databases) {
    for (const std::string& name :
         {hash, hash + ".db.pending", hash + ".db-journal", hash + ".DB", hash + "_.db",
          hash + "-1.db", hash + "_x.db", hash + "_1_2.db", hash + "1.db", std::string(".db"),
          std::string("x.db"), std::string(), hash.substr(1) + ".db", hash + ".db/", "a" + hash}) {
        BOOST_TEST_CONTEXT("'" << name << "'") {
            BOOST_TEST(!DatabaseName::parse(name).has_value());
        }
    }
}

BOOST_AUTO_TEST_CASE(a_database_lies_below_the_last_digits_of_its_hash) {
    BOOST_TEST(storage_directory("containers", "906", hash) == "containers/906/9c3/" + hash);
    BOOST_TEST(storage_directory("accounts", "0", hash) == "accounts/0/9c3/" + hash);
}

BOOST_AUTO_TEST_CASE(rows_of_every_epoch_wait_in_one_file) {
    BOOST_TEST(pending_path("/d_1/" + hash + ".db") == "/d_1/" + hash + ".db.pending");
    BOOST_TEST(pending_path("/d/" + hash + "_1402464677.04188.db") == "/d/" + hash + ".db.pending");
    BOOST_TEST(pending_path("/tmp/an_upload") == "/tmp/an_upload.pending");
}

BOOST_AUTO_TEST_CASE(files_of_ours_in_tmp_have_names_of_their_own) {
    for (const char* name : {"a.copy", "a.claimed", "a.part", "a.removed", "a.kept", ".part"}) {
        BOOST_TEST(replica::is_private_name(name), name);
    }
    for (const char* name : {"", "a", "0b9bf4b1-2f06-sdb1", "a.part.b", "part", "a.parts"}) {
        BOOST_TEST(!replica::is_private_name(name), name);
    }
}
