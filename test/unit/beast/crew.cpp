#include <replica/beast/crew.hpp>

#define BOOST_TEST_MODULE beast_crew
#include <boost/test/unit_test.hpp>

#include <support/loopback.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>
#include <vector>

using namespace replica;
using loopback::in;

namespace {

// A crew, and calls that run until they are let go. This thread is the one of `io`.
struct Office {
    explicit Office(const http::CrewLimits& limits) : crew(io, limits) {}
    ~Office() { let_go(1000); }

    bool take(const std::string& key) {
        return crew.take(
            key,
            [this, key] {
                {
                    const std::lock_guard lock(mutex);
                    begun.push_back(key);
                }
                go.acquire();
            },
            [this] { ++done; });
    }

    void let_go(int count) { go.release(count); }

    // Runs `io` until so many calls have begun, and are done; false if that does not happen.
    bool until(std::size_t wanted, int wanted_done = 0) {
        for (const auto end = in(10); began().size() < wanted || done < wanted_done;) {
            if (SystemClock().monotonic() > end) {
                return false;
            }
            io.run_one_for(std::chrono::milliseconds(2));
        }
        return began().size() == wanted && done == wanted_done;
    }

    std::vector<std::string> began() {
        const std::lock_guard lock(mutex);
        return begun;
    }

    boost::asio::io_context io{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{
        io.get_executor()};
    std::counting_semaphore<> go{0};
    std::mutex mutex;
    std::vector<std::string> begun;
    int done = 0;
    http::Crew crew; // last: it waits for the calls, which use the rest
};

http::CrewLimits patient(std::size_t at_once) {
    http::CrewLimits limits;
    limits.at_once = at_once;
    limits.late = Seconds{1000};
    return limits;
}

using Keys = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_CASE(a_call_is_run_and_then_done) {
    Office office(patient(4));
    BOOST_TEST(office.take("a"));
    BOOST_TEST(office.until(1, 0));
    office.let_go(1);
    BOOST_TEST(office.until(1, 1));
}

BOOST_AUTO_TEST_CASE(a_key_has_a_quarter_of_the_threads) {
    Office office(patient(8));
    for (int i = 0; i < 5; ++i) {
        BOOST_TEST(office.take("a"));
    }
    BOOST_TEST(office.take("b"));
    BOOST_TEST(office.until(3));
    const Keys began = office.began();
    BOOST_TEST(std::ranges::count(began, "a") == 2);
    BOOST_TEST(std::ranges::count(began, "b") == 1);
    office.let_go(6);
    BOOST_TEST(office.until(6, 6));
}

BOOST_AUTO_TEST_CASE(no_more_run_at_once_than_was_said) {
    Office office(patient(4));
    for (const char* key : {"a", "b", "c", "d", "e", "f"}) {
        BOOST_TEST(office.take(key));
    }
    BOOST_TEST(office.until(4));
    office.let_go(1); // whichever it is
    BOOST_TEST(office.until(5, 1));
    office.let_go(5);
    BOOST_TEST(office.until(6, 6));
}

BOOST_AUTO_TEST_CASE(a_late_call_makes_room_for_another) {
    auto limits = patient(1);
    limits.late = Seconds{0.02};
    Office office(limits);
    for (const char* key : {"a", "a", "b"}) {
        BOOST_TEST(office.take(key));
    }
    BOOST_TEST(office.until(3));
    BOOST_TEST((office.began() == Keys{"a", "b", "a"})); // b had none running
    office.let_go(3);
    BOOST_TEST(office.until(3, 3));
    BOOST_TEST(office.take("c")); // all is as it was
    BOOST_TEST(office.take("d"));
    BOOST_TEST(office.until(4, 3));
    office.let_go(2);
    BOOST_TEST(office.until(5, 5));
}

BOOST_AUTO_TEST_CASE(keys_with_a_late_call_leave_half_of_the_threads_to_the_others) {
    auto limits = patient(4);
    limits.late = Seconds{0.05};
    Office office(limits);
    for (const char* key : {"a", "b", "c", "d"}) {
        BOOST_TEST(office.take(key));
    }
    BOOST_TEST(office.until(4));
    for (const auto end = in(0.2); SystemClock().monotonic() < end;) {
        office.io.run_one_for(std::chrono::milliseconds(2)); // all four are late by now
    }
    for (const char* key : {"a", "b", "c", "d"}) {
        BOOST_TEST(office.take(key));
    }
    BOOST_TEST(office.take("healthy"));
    BOOST_TEST(office.until(7)); // two of those, at once the healthy one
    BOOST_TEST(std::ranges::count(office.began(), "healthy") == 1);
    BOOST_TEST(office.until(9)); // and the others when those are late
}

BOOST_AUTO_TEST_CASE(what_is_too_much_for_a_key_or_for_all_is_not_taken) {
    auto limits = patient(16);
    limits.per_key = 2;
    limits.most = 30;
    Office office(limits);
    BOOST_TEST(office.take("a"));
    BOOST_TEST(office.take("a"));
    BOOST_TEST(!office.take("a"));
    int taken = 2;
    for (int i = 0; i < 100; ++i) {
        taken += office.take("key" + std::to_string(i));
    }
    BOOST_TEST(taken == 30);
    office.let_go(1000);
    BOOST_TEST(office.until(30, 30));
    BOOST_TEST(office.take("a")); // all places are free again
    BOOST_TEST(office.take("a"));
    BOOST_TEST(office.until(32, 32));
}

BOOST_AUTO_TEST_CASE(calls_that_have_not_begun_at_the_end_are_forgotten) {
    const auto token = std::make_shared<int>();
    {
        Office office(patient(1));
        BOOST_TEST(office.take("a"));
        BOOST_TEST(office.until(1));
        BOOST_TEST(office.crew.take(
            "b", [token] { ++*token; }, [token] { ++*token; }));
        office.let_go(1);
        office.crew.join();
    }
    BOOST_TEST(*token == 0);
    BOOST_TEST(token.use_count() == 1);
}
