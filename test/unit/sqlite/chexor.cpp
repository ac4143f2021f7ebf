#include <replica/sqlite/chexor.hpp>

#define BOOST_TEST_MODULE sqlite_chexor
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <string>

using replica::sqlite::Chexor;
using replica::test::StockConnection;

namespace {

const std::string zeros(32, '0');

} // namespace

BOOST_AUTO_TEST_CASE(rows_can_be_put_in_and_taken_out_in_any_order) {
    Chexor hash;
    BOOST_TEST(hash.text() == zeros);
    hash.toggle("a", "0000000001.00000");
    BOOST_TEST(hash.text() == replica::to_hex(replica::md5("a-0000000001.00000")));
    hash.toggle("b", "0000000002.00000");
    Chexor other;
    other.toggle("b", "0000000002.00000");
    other.toggle("a", "0000000001.00000");
    BOOST_TEST((hash == other));
    hash.toggle("a", "0000000001.00000");
    hash.toggle("b", "0000000002.00000");
    BOOST_TEST(hash.text() == zeros);
}

BOOST_AUTO_TEST_CASE(the_hash_is_the_one_swift_writes) {
    // chexor(chexor('0' * 32, 'name', '1402464677.04188'), '\u00e9', '1402464678.00000')
    Chexor hash;
    hash.toggle("name", "1402464677.04188");
    hash.toggle("\xc3\xa9", "1402464678.00000");
    BOOST_TEST(hash.text() == "f760dc77205056d52e6767fd4c4b241b");
}

BOOST_AUTO_TEST_CASE(a_stored_hash_comes_back) {
    const std::string text = "0123456789abcdef0123456789abcdef";
    BOOST_TEST(Chexor::parse(text)->text() == text);
    BOOST_TEST(Chexor::parse("0123456789ABCDEF0123456789ABCDEF")->text() == text);
    for (const std::string& bad :
         {std::string(), text.substr(1), text + "0", "g" + text.substr(1), " " + text.substr(1)}) {
        BOOST_TEST(!Chexor::parse(bad).has_value());
    }
}

BOOST_AUTO_TEST_CASE(the_sql_function_does_the_same) {
    StockConnection file(":memory:");
    Chexor hash;
    hash.toggle("n", "1");
    BOOST_TEST(file.rows("SELECT chexor('" + zeros + "', 'n', '1')") == hash.text() + "|");
    Chexor none;
    none.toggle("n", "None");
    BOOST_TEST(file.rows("SELECT chexor('" + zeros + "', 'n', NULL)") == none.text() + "|");
    Chexor number;
    number.toggle("n", "5");
    BOOST_TEST(file.rows("SELECT chexor('" + zeros + "', 'n', 5)") == number.text() + "|");
}

BOOST_AUTO_TEST_CASE(the_sql_function_refuses_a_row_without_a_name_or_hash) {
    StockConnection file(":memory:");
    const auto fails = [&](const std::string& sql) {
        return sqlite3_exec(file.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK;
    };
    BOOST_TEST(fails("SELECT chexor('" + zeros + "', NULL, '1')"));
    BOOST_TEST(fails("SELECT chexor('no hash', 'n', '1')"));
    BOOST_TEST(fails("SELECT chexor(NULL, 'n', '1')"));
    BOOST_TEST(!fails("SELECT chexor('" + zeros + "', 'n', '1')"));
}
