#include <replica/send/workers.hpp>

#define BOOST_TEST_MODULE workers
#include <replica/sim/clock.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <latch>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

using namespace replica;
using namespace std::chrono_literals;

namespace {

Limits limits(int concurrency, Seconds watchdog = Seconds(30)) {
    Limits result;
    result.concurrency = concurrency;
    result.watchdog = watchdog;
    return result;
}

const auto no_stall = [](const std::string& device, Seconds) {
    BOOST_ERROR(device << " was given up");
};

/// A door that stays shut until it is opened: what a hung disk is to a thread.
class Door {
public:
    void pass() {
        std::unique_lock lock(mutex_);
        opened_.wait(lock, [this] { return open_; });
    }
    void open() {
        const std::lock_guard guard(mutex_);
        open_ = true;
        opened_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable opened_;
    bool open_ = false;
};

/// Waits until `condition` holds, at most ten seconds.
bool eventually(const auto& condition) {
    const Instant end = SystemClock().monotonic() + 10s;
    while (!condition() && SystemClock().monotonic() < end) {
        std::this_thread::yield();
    }
    return condition();
}

/// Adds a queue of pieces that need no looking for. The one for which `step` returns false is the
/// last.
template <Clock C>
void add(const std::shared_ptr<Workers<C>>& workers, const std::string& device,
         std::function<bool(Heartbeat&)> step) {
    using Work = typename Workers<C>::Work;
    const auto over = std::make_shared<std::atomic<bool>>(false);
    workers->add(device, [step = std::move(step), over](Heartbeat&) {
        return *over ? Work() : Work([=](Heartbeat& heartbeat) {
            if (!step(heartbeat)) {
                *over = true;
            }
        });
    });
}

std::shared_ptr<Workers<SystemClock>> real(const Limits& given, Stalled& stalled) {
    return std::make_shared<Workers<SystemClock>>(SystemClock(), given, stalled);
}

} // namespace

// ---- Threads.

BOOST_AUTO_TEST_CASE(every_piece_of_every_queue_is_done_once) {
    Stalled stalled;
    const auto workers = real(limits(4), stalled);
    std::map<std::string, std::atomic<int>> left;
    std::map<std::string, std::atomic<int>> done;
    for (const std::string device : {"sda", "sdb", "sdc"}) {
        left[device] = 500;
        done[device] = 0;
    }
    for (const std::string device : {"sda", "sdb", "sdc"}) {
        add(workers, device, [&todo = left[device], &count = done[device]](Heartbeat&) {
            if (todo.fetch_sub(1) <= 0) {
                return false;
            }
            ++count;
            return true;
        });
    }
    workers->run({}, no_stall);
    for (const auto& [device, count] : done) {
        BOOST_TEST(count == 500, device);
    }
}

BOOST_AUTO_TEST_CASE(no_queue_no_thread) {
    Stalled stalled;
    real(limits(4), stalled)->run({}, no_stall);
}

BOOST_AUTO_TEST_CASE(no_more_than_concurrency_are_in_flight_and_no_device_has_more_than_its_share) {
    Stalled stalled;
    const auto workers = real(limits(4), stalled);
    std::atomic<int> all{0};
    std::atomic<int> most{0};
    std::atomic<int> most_of_one{0};
    std::vector<std::unique_ptr<std::atomic<int>>> each;
    const auto raise = [](std::atomic<int>& mark, int value) {
        int seen = mark;
        while (seen < value && !mark.compare_exchange_weak(seen, value)) {
        }
    };
    for (int device = 0; device < 2; ++device) {
        each.push_back(std::make_unique<std::atomic<int>>(0));
        auto left = std::make_shared<std::atomic<int>>(200);
        add(workers, "sd" + std::to_string(device), [&, left, &mine = *each.back()](Heartbeat&) {
            raise(most, ++all);
            raise(most_of_one, ++mine);
            std::this_thread::yield();
            --mine;
            --all;
            return left->fetch_sub(1) > 0;
        });
    }
    workers->run({}, no_stall);
    BOOST_TEST(most <= 4);
    BOOST_TEST(most_of_one <= 2);
}

BOOST_AUTO_TEST_CASE(each_device_gets_a_worker_even_if_there_are_more_devices_than_that) {
    Stalled stalled;
    const auto workers = real(limits(1), stalled);
    std::latch together(5);
    for (int device = 0; device < 5; ++device) {
        add(workers, "sd" + std::to_string(device), [&](Heartbeat&) {
            together.arrive_and_wait(); // passes only if all five are at work at once
            return false;
        });
    }
    workers->run({}, no_stall);
    BOOST_TEST(together.try_wait());
}

BOOST_AUTO_TEST_CASE(a_disk_that_hangs_is_given_up_and_the_others_complete) {
    Stalled stalled;
    const auto workers = real(limits(2, Seconds(0.2)), stalled);
    auto door = std::make_shared<Door>();
    auto kept = std::make_shared<int>(7); // what the hanging step needs lives on
    const std::weak_ptr<int> watched = kept;
    std::atomic<int> done{0};
    add(workers, "bad", [door, kept](Heartbeat&) {
        door->pass();
        return *kept == 8;
    });
    kept.reset();
    add(workers, "good", [&](Heartbeat&) { return ++done < 100; });
    std::vector<std::pair<std::string, double>> stalls;
    workers->run({}, [&](const std::string& device, Seconds silent) {
        stalls.emplace_back(device, silent.count());
    });
    BOOST_TEST(done >= 100);
    BOOST_REQUIRE(stalls.size() == 1);
    BOOST_TEST(stalls[0].first == "bad");
    BOOST_TEST(stalls[0].second >= 0.2);
    BOOST_TEST(stalled.contains("bad")); // the next pass leaves it out
    BOOST_TEST(!stalled.contains("good"));
    BOOST_TEST(!watched.expired());
    door->open();
    BOOST_TEST(eventually([&] { return !stalled.contains("bad"); })); // and takes it up again
}

BOOST_AUTO_TEST_CASE(workers_are_looked_after_however_long_a_piece_of_work_takes) {
    Stalled stalled;
    const auto workers = real(limits(1, Seconds(0.2)), stalled);
    std::atomic<int> looks{0};
    std::thread::id by;
    add(workers, "sda", [&](Heartbeat& heartbeat) {
        const SystemClock clock;
        heartbeat.expect(clock.monotonic() + std::chrono::hours(1)); // a file that is being sent
        return !eventually([&] { return looks >= 3; });
    });
    int stalls = 0;
    workers->run(
        {}, [&](const std::string&, Seconds) { ++stalls; },
        [&] {
            by = std::this_thread::get_id();
            ++looks;
        });
    BOOST_TEST(looks >= 3);
    BOOST_TEST(stalls == 0);
    BOOST_TEST((by == std::this_thread::get_id()));
}

BOOST_AUTO_TEST_CASE(two_disks_that_hang_do_not_take_the_workers_of_a_third) {
    // Four workers, three devices: were two to go to each of the first two, the third would wait
    // until they are given up.
    Stalled stalled;
    const auto workers = real(limits(4, Seconds(60)), stalled);
    auto door = std::make_shared<Door>();
    std::atomic<int> done{0};
    std::atomic<int> hanging{0};
    for (const char* device : {"bad", "worse"}) {
        add(workers, device, [&, door](Heartbeat&) {
            ++hanging;
            door->pass();
            return false;
        });
    }
    add(workers, "good", [&](Heartbeat&) { return ++done < 1000; });
    std::jthread pass([&] { workers->run({}, no_stall); });
    BOOST_TEST(eventually([&] { return done >= 1000; }));
    BOOST_TEST(hanging >= 2);
    door->open();
}

BOOST_AUTO_TEST_CASE(one_looks_for_the_next_piece_of_a_device_while_the_others_are_at_work) {
    Stalled stalled;
    const auto workers = real(limits(4), stalled);
    std::atomic<int> looking{0};
    std::atomic<int> together{0};
    std::latch at_work(3);
    int left = 100; // guarded by what is tested here
    workers->add("sda", [&](Heartbeat&) -> Workers<SystemClock>::Work {
        together += looking.fetch_add(1);
        std::this_thread::yield();
        --looking;
        if (left == 0) {
            return {};
        }
        if (left-- <= 97) {
            return [](Heartbeat&) {};
        }
        return [&](Heartbeat&) { at_work.arrive_and_wait(); }; // passes only if all three get here
    });
    workers->run({}, no_stall);
    BOOST_TEST(together == 0);
    BOOST_TEST(left == 0);
    BOOST_TEST(at_work.try_wait());
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_search_that_hangs_goes_as_soon_as_that_is_given_up) {
    Stalled stalled;
    std::atomic<int> ended{0};
    const auto start = [&](std::function<void()> work) {
        std::thread([&ended, work = std::move(work)] {
            work();
            ++ended;
        }).detach();
    };
    const auto workers = std::make_shared<Workers<SystemClock>>(
        SystemClock(), limits(4, Seconds(0.2)), stalled, start);
    auto door = std::make_shared<Door>();
    std::atomic<int> looked{0};
    std::atomic<int> worked{0};
    workers->add("bad", [&, door](Heartbeat&) {
        ++looked;
        door->pass();
        return Workers<SystemClock>::Work([&](Heartbeat&) { ++worked; });
    });
    int stalls = 0;
    workers->run({}, [&](const std::string&, Seconds) { ++stalls; });
    BOOST_TEST(stalls == 1);
    BOOST_TEST(eventually([&] { return ended == 3; })); // all but the one that hangs
    BOOST_TEST(looked == 1);
    door->open();
    BOOST_TEST(eventually([&] { return ended == 4; }));
    BOOST_TEST(!stalled.contains("bad"));
    BOOST_TEST(looked == 1);
    BOOST_TEST(worked == 0); // what it found in the end is for another pass
}

BOOST_AUTO_TEST_CASE(who_says_how_long_it_will_wait_is_not_given_up) {
    Stalled stalled;
    const auto workers = real(limits(1, Seconds(0.1)), stalled);
    const SystemClock clock;
    bool done = false;
    add(workers, "slow", [&](Heartbeat& heartbeat) {
        const Instant until = clock.monotonic() + 400ms;
        heartbeat.expect(until + 10s);
        clock.sleep_until(until, {});
        done = true;
        return false;
    });
    workers->run({}, no_stall);
    BOOST_TEST(done);
}

BOOST_AUTO_TEST_CASE(a_stop_ends_after_the_pieces_at_work) {
    Stalled stalled;
    const auto workers = real(limits(2), stalled);
    std::stop_source stop;
    std::atomic<int> done{0};
    add(workers, "endless", [&](Heartbeat&) {
        if (++done == 10) {
            stop.request_stop();
        }
        return true;
    });
    workers->run(stop.get_token(), no_stall);
    BOOST_TEST(done >= 10);
    BOOST_TEST(done <= 12);
}

BOOST_AUTO_TEST_CASE(a_stop_before_the_start_does_nothing) {
    Stalled stalled;
    const auto workers = real(limits(2), stalled);
    std::stop_source stop;
    stop.request_stop();
    std::atomic<int> done{0};
    add(workers, "sda", [&](Heartbeat&) {
        ++done;
        return true;
    });
    workers->run(stop.get_token(), no_stall);
    BOOST_TEST(done == 0);
}

BOOST_AUTO_TEST_CASE(when_threads_run_out_those_that_began_do_the_work_and_it_is_said) {
    for (const int most : {0, 1, 3}) {
        Stalled stalled;
        std::atomic<int> begun{0};
        std::atomic<int> ended{0};
        const auto start = [&](std::function<void()> work) {
            if (begun == most) {
                throw std::system_error(EAGAIN, std::system_category());
            }
            ++begun;
            std::thread([&ended, work = std::move(work)] {
                work();
                ++ended;
            }).detach();
        };
        const auto workers =
            std::make_shared<Workers<SystemClock>>(SystemClock(), limits(8), stalled, start);
        std::atomic<int> done{0};
        for (const std::string device : {"sda", "sdb"}) {
            add(workers, device,
                [&done, left = std::make_shared<std::atomic<int>>(50)](Heartbeat&) {
                    ++done;
                    return --*left > 0;
                });
        }
        BOOST_CHECK_EXCEPTION(
            workers->run({}, no_stall), std::runtime_error, [&](const std::exception& failure) {
                return std::string(failure.what())
                    .starts_with("only " + std::to_string(most) + " of 8 workers");
            });
        const int after = done;
        BOOST_TEST((most == 0 ? after == 0 : after >= 100));
        BOOST_TEST(eventually([&] { return ended == most; })); // none is left behind
        BOOST_TEST(done == after);
    }
}

// ---- In one thread, with simulated time.

BOOST_AUTO_TEST_CASE(devices_take_turns) {
    Stalled stalled;
    const auto workers = std::make_shared<Workers<SimClock>>(SimClock(), limits(8), stalled);
    std::string order;
    std::map<char, int> left{{'a', 3}, {'b', 1}, {'c', 4}};
    for (const char device : {'a', 'b', 'c'}) {
        add(workers, std::string(1, device), [&, device](Heartbeat&) {
            order += device;
            return --left[device] > 0;
        });
    }
    workers->run({}, no_stall);
    BOOST_TEST(order == "abcacacc"); // an end skips nobody's turn
}

// ---- Stalled.

BOOST_AUTO_TEST_CASE(a_device_is_stalled_until_the_last_of_its_workers_is_back) {
    Stalled stalled;
    stalled.add("sda");
    stalled.add("sda");
    stalled.remove("sda");
    BOOST_TEST(stalled.contains("sda"));
    stalled.remove("sda");
    BOOST_TEST(!stalled.contains("sda"));
}

// ---- Pacing.

BOOST_AUTO_TEST_CASE(starts_are_spread_evenly) {
    const SimClock clock;
    Pacer pacer(clock, 2);
    const Instant began = clock.monotonic();
    for (int i = 0; i < 10; ++i) {
        BOOST_TEST(pacer.wait({}, [](Instant) {}));
        BOOST_TEST((clock.monotonic() == began + i * 500ms));
    }
}

BOOST_AUTO_TEST_CASE(what_was_missed_is_caught_up_only_if_it_was_not_long) {
    const SimClock clock;
    Pacer pacer(clock, 10);
    const auto at_once = [&] {
        int count = 0;
        const Instant now = clock.monotonic();
        while (pacer.wait({}, [](Instant) {}) && clock.monotonic() == now) {
            ++count;
        }
        return count;
    };
    BOOST_TEST(at_once() == 1); // nothing was missed before the first
    clock.advance(Seconds(4));
    BOOST_TEST(at_once() == 40);
    clock.advance(Seconds(60)); // the pause between two passes is no licence for a burst
    BOOST_TEST(at_once() == 1);
}

BOOST_AUTO_TEST_CASE(no_rate_is_no_limit) {
    for (const double rate : {0.0, -1.0}) {
        const SimClock clock;
        Pacer pacer(clock, rate);
        const Instant began = clock.monotonic();
        for (int i = 0; i < 1000; ++i) {
            BOOST_TEST(pacer.wait({}, [](Instant) { BOOST_ERROR("waits"); }));
        }
        BOOST_TEST((clock.monotonic() == began));
    }
}

BOOST_AUTO_TEST_CASE(a_far_turn_is_announced_before_it_is_waited_for) {
    const SimClock clock;
    Pacer pacer(clock, 0.01);
    const Instant began = clock.monotonic();
    BOOST_TEST(pacer.wait({}, [](Instant) { BOOST_ERROR("waits"); }));
    Instant announced;
    BOOST_TEST(pacer.wait({}, [&](Instant turn) { announced = turn; }));
    BOOST_TEST((announced == began + 100s));
    BOOST_TEST((clock.monotonic() == announced));
    Pacer tiny(clock, 1e-300); // no overflow
    BOOST_TEST(tiny.wait({}, [](Instant) {}));
}

BOOST_AUTO_TEST_CASE(a_stop_ends_the_wait_for_a_turn) {
    const SimClock clock;
    std::stop_source stop;
    Pacer pacer(clock, 0.1);
    BOOST_TEST(pacer.wait(stop.get_token(), [](Instant) {}));
    clock.at(clock.monotonic() + 1s, [&] { stop.request_stop(); });
    BOOST_TEST(!pacer.wait(stop.get_token(), [](Instant) {}));
    BOOST_TEST(!Pacer(clock, 0).wait(stop.get_token(), [](Instant) {}));
}
