#include <replica/ring/watched_ring.hpp>

#define BOOST_TEST_MODULE ring_watched_ring
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>

#include <boost/test/unit_test.hpp>

#include <support/table_ring.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <future>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;
using namespace std::chrono_literals;

namespace {

const std::string path = "/etc/ring";

/// The shortest format: the bytes are all that a version knows.
struct Word : TableRing {
    static constexpr std::size_t max_bytes = 8;

    /// Called by each parse, after the file was read.
    inline static std::function<void()> meanwhile;

    explicit Word(std::string_view bytes) : TableRing({}, 0, 0), text(bytes) {}

    static Word parse(std::string_view bytes, const std::string& file) {
        if (meanwhile) {
            meanwhile();
        }
        if (bytes.starts_with("bad")) {
            throw Failure(Error::bad_config, file + ": " + std::string(bytes));
        }
        if (bytes == "huge") {
            throw std::bad_alloc();
        }
        return Word(bytes);
    }

    std::string text;
};

static_assert(RingFormat<Word>);

struct Fixture {
    using Ring = WatchedRing<Word, SimClock, SimDisk>;

    Fixture() { write("one"); }
    ~Fixture() { Word::meanwhile = nullptr; }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    /// A new file in place of the old.
    void write(const std::string& text) const {
        disk.write(path + ".new", text);
        disk.rename(path + ".new", path);
    }

    [[nodiscard]] Ring open() {
        return Ring(path, clock, disk, [this](const std::optional<Failure>& failure) {
            reports.emplace_back(failure ? failure->what() : "good");
        });
    }

    /// What the ring says after a look that is due.
    [[nodiscard]] std::string next(Ring& ring) {
        clock.advance(Seconds(15));
        return ring.version().text;
    }

    void refused(Error error, const std::string& reason) {
        BOOST_CHECK_EXCEPTION((void)open(), Failure, [&](const Failure& failure) {
            return failure.error() == error && std::string(failure.what()).starts_with(reason);
        });
    }

    SimClock clock;
    SimDisk disk{clock};
    std::vector<std::string> reports;
};

using Lines = std::vector<std::string>;

} // namespace

BOOST_FIXTURE_TEST_SUITE(watched, Fixture)

BOOST_AUTO_TEST_CASE(a_first_file_that_cannot_be_used_is_an_error_of_whoever_opens_it) {
    BOOST_TEST(open().version().text == "one");
    write("bad");
    refused(Error::bad_config, path + ": bad");
    write("12345678");
    BOOST_TEST(open().version().text == "12345678");
    write("123456789");
    refused(Error::bad_config, path + ": larger than 8 bytes");
    for (const SimCall call : {SimCall::stat, SimCall::read}) {
        disk.fail_next(call, path, Error::io);
        refused(Error::io, path);
    }
    disk.remove(path);
    refused(Error::missing, path);
    BOOST_TEST(reports.empty()); // it was thrown
}

BOOST_AUTO_TEST_CASE(the_file_is_looked_at_15_s_after_the_last_look_and_no_sooner) {
    Ring ring = open();
    int looks = 0;
    disk.on_call([&](SimCall call, const std::string&) { looks += call == SimCall::stat ? 1 : 0; });
    const auto looks_after = [&](double time) {
        clock.advance(Seconds(time));
        (void)ring.version();
        return std::exchange(looks, 0);
    };
    BOOST_TEST(looks_after(0) == 0);
    BOOST_TEST(looks_after(14.9) == 0);
    BOOST_TEST(looks_after(5) == 1); // nobody asked in between
    BOOST_TEST(looks_after(14.9) == 0);
    BOOST_TEST(looks_after(0.1) == 1);
    BOOST_TEST(looks_after(3600) == 1);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_as_it_was_is_not_read_again) {
    Ring ring = open();
    disk.fail_next(SimCall::read, path, Error::io, 0);
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(next(ring) == "one");
    }
    BOOST_TEST(!ring.last_error());
}

BOOST_AUTO_TEST_CASE(a_changed_file_counts_for_all_copies_and_not_for_versions_at_work) {
    Ring ring = open();
    Ring copy = ring;
    const Word old = ring.version();
    write("two");
    BOOST_TEST(ring.version().text == "one");
    BOOST_TEST(next(ring) == "two");
    BOOST_TEST(copy.version().text == "two");
    BOOST_TEST(old.text == "one");
    BOOST_TEST(reports.empty());
}

BOOST_AUTO_TEST_CASE(a_file_that_changes_while_it_is_read_is_read_again) {
    Ring ring = open();
    write("two");
    Word::meanwhile = [&] {
        Word::meanwhile = nullptr;
        write("three");
    };
    BOOST_TEST(next(ring) == "two");
    BOOST_TEST(next(ring) == "three");
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_used_is_reported_at_each_look_and_changes_nothing) {
    Ring ring = open();
    const auto look = [&](Error error) {
        for (int i = 0; i < 3; ++i) {
            BOOST_TEST(next(ring) == "one");
            BOOST_REQUIRE(ring.last_error());
            BOOST_TEST((ring.last_error()->error() == error));
            BOOST_TEST(ring.last_error()->what() == reports.back());
        }
    };
    write("bad");
    look(Error::bad_config);
    write("bad too");
    look(Error::bad_config);
    write("123456789");
    look(Error::bad_config);
    disk.remove(path);
    look(Error::missing);
    write("bad");
    look(Error::bad_config);
    BOOST_REQUIRE(reports.size() == 15U);
    const Lines expected{path + ": bad", path + ": bad too", path + ": larger than 8 bytes", path,
                         path + ": bad"};
    for (std::size_t i = 0; i < reports.size(); ++i) {
        BOOST_TEST(reports[i].starts_with(expected[i / 3]), reports[i]);
    }
    write("two");
    BOOST_TEST(next(ring) == "two");
    BOOST_TEST(!ring.last_error());
    BOOST_TEST(reports.size() == 16U);
    BOOST_TEST(reports.back() == "good");
    BOOST_TEST(next(ring) == "two");
    BOOST_TEST(reports.size() == 16U); // that is told once
}

BOOST_AUTO_TEST_CASE(a_file_that_is_put_back_as_it_was_ends_the_error) {
    Ring ring = open();
    disk.rename(path, path + ".kept");
    write("bad");
    BOOST_TEST(next(ring) == "one");
    BOOST_TEST(ring.last_error().has_value());
    disk.rename(path + ".kept", path);
    BOOST_TEST(next(ring) == "one");
    BOOST_TEST(!ring.last_error());
    BOOST_TEST(reports == (Lines{path + ": bad", "good"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_file_that_could_not_be_read_is_tried_again_at_each_look) {
    for (const SimCall call : {SimCall::stat, SimCall::read}) {
        write("one");
        Ring ring = open();
        write("two");
        disk.fail_next(call, path, Error::io, 3);
        for (int i = 0; i < 3; ++i) {
            BOOST_TEST(next(ring) == "one");
            BOOST_TEST((ring.last_error()->error() == Error::io));
        }
        BOOST_TEST(next(ring) == "two");
        BOOST_TEST(!ring.last_error());
    }
    BOOST_TEST(reports.size() == 8U); // three looks and the good one, twice
}

BOOST_AUTO_TEST_CASE(what_is_no_failure_of_ours_is_reported_like_one) {
    Ring ring = open();
    write("huge");
    BOOST_TEST(next(ring) == "one");
    BOOST_TEST(reports == Lines{path + ": std::bad_alloc"}, boost::test_tools::per_element());
    BOOST_TEST((ring.last_error()->error() == Error::io));
    BOOST_TEST(next(ring) == "one");
    BOOST_TEST(reports.size() == 2U);
}

BOOST_AUTO_TEST_CASE(whoever_is_told_may_ask_the_ring) {
    std::optional<Ring> ring;
    std::string heard;
    ring.emplace(path, clock, disk, [&](const std::optional<Failure>&) {
        heard = ring->version().text + ' ' + ring->last_error()->what();
    });
    write("bad");
    BOOST_TEST(next(*ring) == "one");
    BOOST_TEST(heard == "one " + path + ": bad");
}

BOOST_AUTO_TEST_CASE(nobody_need_be_told) {
    Ring ring(path, clock, disk);
    write("bad");
    BOOST_TEST(next(ring) == "one");
    BOOST_TEST(ring.last_error().has_value());
}

BOOST_AUTO_TEST_CASE(others_go_on_while_one_waits_for_a_slow_disk) {
    Ring ring = open();
    write("two");
    std::promise<void> reading;
    std::promise<void> slow;
    disk.on_call([&, answer = slow.get_future().share()](SimCall call, const std::string&) {
        if (call == SimCall::read) {
            reading.set_value();
            answer.wait();
        }
    });
    auto first = std::async(std::launch::async, [&] { return next(ring); });
    reading.get_future().wait();
    BOOST_TEST(ring.version().text == "one");
    BOOST_TEST(next(ring) == "one"); // and nobody else reads it meanwhile
    slow.set_value();
    BOOST_TEST(first.get() == "two");
    BOOST_TEST(ring.version().text == "two");
}

BOOST_AUTO_TEST_CASE(a_partition_is_one_of_the_rings_or_an_error_that_names_both) {
    BOOST_CHECK_NO_THROW(check_partition(0, 1));
    BOOST_CHECK_NO_THROW(check_partition(15, 16));
    BOOST_CHECK_EXCEPTION(check_partition(16, 16), Failure, [](const Failure& failure) {
        return failure.error() == Error::bad_request &&
               std::string(failure.what()) == "partition 16 is not one of the ring's 16";
    });
}

BOOST_AUTO_TEST_SUITE_END()
