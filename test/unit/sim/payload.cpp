#include <replica/sim/payload.hpp>

#define BOOST_TEST_MODULE sim_payload
#include <replica/account/kind.hpp>
#include <replica/container/kind.hpp>

#include <boost/test/unit_test.hpp>

#include <laws/disk.hpp>

#include <any>
#include <set>
#include <string>
#include <vector>

using namespace replica;
using test::fails_with;

namespace {

using Containers = sim::State<ContainerKind>;
using Accounts = sim::State<AccountKind>;

Containers with_rows(int count) {
    Containers state;
    for (int i = 0; i < count; ++i) {
        ObjectRow row;
        row.name = "o" + std::to_string(i);
        row.created_at = "0000000001.00000";
        state.merge(std::span(&row, 1));
    }
    return state;
}

void finds(Error error, const SimContent& content) {
    BOOST_CHECK_EXCEPTION(static_cast<void>(sim::state_of<ContainerKind>(content, "/d/x.db")),
                          Failure, fails_with(error, "/d/x.db"));
}

} // namespace

BOOST_AUTO_TEST_CASE(an_id_has_the_form_of_swifts_and_ends_in_its_node) {
    const std::string id = sim::id_of("n1", 7);
    BOOST_TEST(id.size() == 36U + 3U);
    BOOST_TEST(id.ends_with("-n1"));
    for (std::size_t at = 0; at < 36; ++at) {
        const bool dash = at == 8 || at == 13 || at == 18 || at == 23;
        const char c = id[at];
        BOOST_TEST(dash == (c == '-'), id);
        BOOST_TEST((dash || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')), id);
    }
}

BOOST_AUTO_TEST_CASE(each_number_of_each_node_is_an_id_and_always_the_same) {
    std::set<std::string> ids;
    for (const std::string node : {"n1", "n2", "n", "n11"}) {
        for (std::uint64_t number = 0; number < 20; ++number) {
            ids.insert(sim::id_of(node, number));
        }
    }
    BOOST_TEST(ids.size() == 4U * 20U);
    BOOST_TEST(sim::id_of("n1", 7) == sim::id_of("n1", 7));
    // "n1" with 1 and "n" with 11 must not be hashed from one text.
    BOOST_TEST(sim::id_of("n1", 1).substr(0, 36) != sim::id_of("n", 11).substr(0, 36));
}

BOOST_AUTO_TEST_CASE(a_database_looks_like_sqlite_from_outside_and_grows_with_its_rows) {
    const SimContent empty = sim::content_of(Containers());
    BOOST_TEST(empty.bytes == std::string("SQLite format 3\0", 16));
    BOOST_TEST(empty.size == 4096); // one page
    BOOST_TEST(sim::content_of(with_rows(3)).size == 4096 + 300);
}

BOOST_AUTO_TEST_CASE(what_was_put_into_a_file_is_found_again) {
    const SimContent content = sim::content_of(with_rows(3));
    const auto state = sim::find_state<ContainerKind>(content);
    BOOST_REQUIRE(state);
    BOOST_TEST(state->rows.size() == 3U);
    BOOST_TEST(sim::state_of<ContainerKind>(content, "/x.db") == state);
}

BOOST_AUTO_TEST_CASE(a_copied_file_shares_the_value_which_nobody_can_change) {
    const SimContent content = sim::content_of(with_rows(3));
    const SimContent copy = content;
    BOOST_TEST(sim::find_state<ContainerKind>(copy) == sim::find_state<ContainerKind>(content));
    static_assert(std::is_const_v<sim::Snapshot<ContainerKind>::element_type>);
}

BOOST_AUTO_TEST_CASE(a_database_of_the_other_kind_is_none_and_has_not_the_tables) {
    const SimContent account = sim::content_of(Accounts());
    BOOST_TEST(!sim::find_state<ContainerKind>(account));
    BOOST_TEST(sim::find_state<AccountKind>(account) != nullptr);
    finds(Error::missing_table, account);
}

BOOST_AUTO_TEST_CASE(bytes_are_no_database_and_say_what_is_wrong_with_them) {
    finds(Error::missing_table, SimContent::of("")); // an empty file is an empty database
    finds(Error::not_a_database, SimContent::of("hello"));
    finds(Error::not_a_database, SimContent::of("sqlite format 3"));
    finds(Error::corrupt, SimContent::of("SQLite format 3 and then nothing"));
    for (const char* bytes : {"", "hello", "SQLite format 3"}) {
        BOOST_TEST(!sim::find_state<ContainerKind>(SimContent::of(bytes)));
    }
}

BOOST_AUTO_TEST_CASE(a_value_that_is_no_database_has_no_tables) {
    const SimContent pending{"pending", std::any(std::vector<ObjectRow>(1)), 100};
    BOOST_TEST(!sim::find_state<ContainerKind>(pending));
    finds(Error::missing_table, pending);
}

BOOST_AUTO_TEST_CASE(injected_damage_is_what_opening_finds_but_a_journal_of_another_kind_is_none) {
    Containers state = with_rows(1);
    for (const Error error : {Error::corrupt, Error::unknown_schema, Error::missing_table}) {
        state.damage = error;
        const SimContent content = sim::content_of(state);
        finds(error, content);
        BOOST_TEST(sim::find_state<ContainerKind>(content) != nullptr); // for checkers
    }
    state.damage = Error::wal;
    BOOST_TEST(sim::state_of<ContainerKind>(sim::content_of(state), "/x.db")->rows.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_failure_says_in_words_what_was_found) {
    BOOST_CHECK_EXCEPTION(
        static_cast<void>(sim::state_of<ContainerKind>(SimContent::of("hello"), "/d/x.db")),
        Failure, [](const Failure& failure) {
            return std::string(failure.what())
                .starts_with("/d/x.db: " + make_error_code(Error::not_a_database).message());
        });
}
