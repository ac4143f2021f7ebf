#include <replica/error.hpp>

#define BOOST_TEST_MODULE error
#include <boost/test/unit_test.hpp>

#include <set>
#include <string>
#include <vector>

using namespace replica;

namespace {

std::vector<Error> all_errors() {
    std::vector<Error> errors;
    for (int value = static_cast<int>(Error::timed_out);
         value <= static_cast<int>(Error::bad_config); ++value) {
        errors.push_back(static_cast<Error>(value));
    }
    return errors;
}

} // namespace

BOOST_AUTO_TEST_CASE(every_error_has_a_message_of_its_own) {
    std::set<std::string> messages;
    for (const Error error : all_errors()) {
        const boost::system::error_code code = error;
        BOOST_TEST(code.failed());
        BOOST_TEST(code.category().name() == std::string("replica"));
        BOOST_TEST(code.message() != "unknown error");
        messages.insert(code.message());
    }
    BOOST_TEST(messages.size() == all_errors().size());
    BOOST_TEST(make_error_code(static_cast<Error>(9999)).message() == "unknown error");
}

BOOST_AUTO_TEST_CASE(each_error_asks_for_at_most_one_reaction) {
    for (const Error error : all_errors()) {
        const boost::system::error_code code = error;
        int reactions = 0;
        for (const Condition condition : {Condition::hand_off, Condition::quarantine}) {
            reactions += code == condition ? 1 : 0;
        }
        BOOST_TEST_CONTEXT(code.message()) {
            BOOST_TEST(reactions <= 1);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_file_beyond_use_is_quarantined_and_nothing_else_is) {
    const std::set<Error> beyond_use{Error::not_a_database, Error::corrupt, Error::missing_table};
    for (const Error error : all_errors()) {
        const bool quarantined = make_error_code(error) == Condition::quarantine;
        BOOST_TEST_CONTEXT(make_error_code(error).message()) {
            BOOST_TEST(quarantined == beyond_use.contains(error));
        }
    }
}

BOOST_AUTO_TEST_CASE(only_a_device_out_of_use_is_handed_off) {
    for (const Error error : all_errors()) {
        BOOST_TEST((make_error_code(error) == Condition::hand_off) ==
                   (error == Error::not_mounted));
    }
}

BOOST_AUTO_TEST_CASE(codes_of_others_are_none_of_our_conditions) {
    const boost::system::error_code other(1, boost::system::generic_category());
    BOOST_TEST((other != Condition::hand_off));
    BOOST_TEST((other != Condition::quarantine));
    BOOST_TEST((other != make_error_code(Error::timed_out)));
    BOOST_TEST(make_error_condition(Condition::quarantine).message() == "quarantine the database");
    BOOST_TEST(make_error_condition(static_cast<Condition>(77)).message() == "unknown condition");
}

BOOST_AUTO_TEST_CASE(a_failure_keeps_its_code_and_says_exactly_what_it_was_given) {
    const Failure failure(Error::corrupt, "/srv/x.db: page 3 is torn");
    BOOST_TEST((failure.error() == Error::corrupt));
    BOOST_TEST((failure.code() == Condition::quarantine));
    BOOST_TEST(std::string(failure.what()) == "/srv/x.db: page 3 is torn");
}

BOOST_AUTO_TEST_CASE(a_result_without_a_value_gives_its_fault) {
    const auto half = [](int number) -> Result<int> {
        if (number % 2 != 0) {
            return Fault{Error::bad_reply, "10.0.0.1: odd"};
        }
        return number / 2;
    };
    BOOST_TEST(half(4).value() == 2);
    BOOST_TEST(half(3).has_error());
    BOOST_TEST((half(3).error().code == Error::bad_reply));
    BOOST_TEST(half(3).error().what == "10.0.0.1: odd");
    BOOST_CHECK_EXCEPTION(static_cast<void>(half(3).value()), boost::system::system_error,
                          [](const boost::system::system_error& error) {
                              return error.code() == Error::bad_reply &&
                                     std::string(error.what()).find("10.0.0.1") == 0;
                          });
}
