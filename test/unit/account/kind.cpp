#include <replica/account/kind.hpp>

#define BOOST_TEST_MODULE account_server
#include <replica/ring.hpp>
#include <replica/send/walk.hpp>

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace replica;

static_assert(AccountKind::name == "account" && AccountKind::datadir == "accounts" &&
              AccountKind::default_port == 6202);

namespace {

/// Has nothing that a hook could call.
struct Nothing {};

AccountInfo account() {
    AccountInfo info;
    info.account = "AUTH_test";
    info.count = 4;
    info.object_count = 9;
    info.put_timestamp = "1402464677.04188";
    info.delete_timestamp = "1402464678.00000";
    return info;
}

} // namespace

BOOST_AUTO_TEST_CASE(an_account_says_no_more_than_the_seed_did) {
    BOOST_TEST(!AccountKind::sync_arguments(account(), 1));
    BOOST_TEST(!AccountKind::sync_arguments(account(), 3));
}

BOOST_AUTO_TEST_CASE(an_account_has_no_policy_to_agree_on) {
    Nothing database;
    AccountInfo other = account();
    other.status_changed_at = "1";
    BOOST_TEST(!AccountKind::adopt_policy(database, account(), other, Timestamp{}));
}

BOOST_AUTO_TEST_CASE(nobody_waits_to_be_told_of_an_account) {
    BOOST_TEST(AccountKind::reported(account()));
    BOOST_TEST(AccountKind::sends_rows(account()));
    BOOST_TEST(AccountKind::may_remove(account()));
    BOOST_TEST(AccountKind::may_expire(account()));
    BOOST_TEST(!AccountKind::is_sharded(account()));
}

BOOST_AUTO_TEST_CASE(the_rows_of_an_account_are_its_containers_not_their_objects) {
    BOOST_TEST(AccountKind::live_rows(account()) == 4);
}

BOOST_AUTO_TEST_CASE(the_hooks_of_an_account_ask_nothing_of_what_they_are_given) {
    static_assert(std::is_empty_v<AccountKind::pass_state>);
    Nothing nothing;
    const std::vector<decide::Outcome> outcomes;
    AccountKind::device_ready(nothing, Device{});
    AccountKind::after_database(nothing, outcomes);
    AccountKind::merge_more(nothing, nothing);
    BOOST_TEST(!AccountKind::before_rows(nothing, nothing, account()).has_value());
    BOOST_TEST(AccountKind::before_removal(nothing, LocalDatabase{}, account()));
    bool ran = false;
    AccountKind::end_of_pass(nothing, [&](const auto& /*places*/) { ran = true; });
    BOOST_TEST(!ran);
}
