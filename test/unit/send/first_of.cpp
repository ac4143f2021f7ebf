#include <replica/send/first_of.hpp>

#define BOOST_TEST_MODULE first_of
#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>

using namespace replica;

namespace {

/// What happens, and what is asked.
struct Story {
    bool takes = true;
    bool takes_after_failure = true;
    bool works = true;
    std::string told{};
};

struct First {
    std::shared_ptr<Story> story;

    [[nodiscard]] bool takes(const Source auto& /*source*/, const Upload& /*upload*/,
                             Instant /*deadline*/, const std::stop_token& /*stop*/) const {
        story->told += '?';
        return story->takes;
    }
    [[nodiscard]] Result<Sent> send(Source auto& /*source*/, const Upload& /*upload*/,
                                    Instant /*deadline*/, const std::stop_token& /*stop*/) const {
        story->told += '1';
        if (!story->works) {
            story->takes = story->takes_after_failure;
            return Fault{Error::transfer_failed, "the first way"};
        }
        return Sent{1, true};
    }
};

struct Second {
    std::shared_ptr<Story> story;

    [[nodiscard]] Result<Sent> send(Source auto& /*source*/, const Upload& /*upload*/,
                                    Instant /*deadline*/, const std::stop_token& /*stop*/) const {
        story->told += '2';
        return Sent{2, false};
    }
};

static_assert(SelectiveFileSync<First> && !SelectiveFileSync<Second>);
static_assert(FileSync<FirstOf<First, Second>> && !SelectiveFileSync<FirstOf<First, Second>>);

Result<Sent> send(const std::shared_ptr<Story>& story) {
    FirstOf files(First{story}, Second{story});
    AnySource source;
    return files.send(source, Upload{}, Instant::max(), {});
}

} // namespace

BOOST_AUTO_TEST_CASE(where_the_first_way_goes_the_second_is_not_taken) {
    const auto story = std::make_shared<Story>();
    const auto sent = send(story);
    BOOST_TEST(sent->bytes == 1);
    BOOST_TEST(sent->snapshot);
    BOOST_TEST(story->told == "?1");
}

BOOST_AUTO_TEST_CASE(where_the_first_way_does_not_go_the_second_does) {
    const auto story = std::make_shared<Story>(Story{.takes = false});
    BOOST_TEST(send(story)->bytes == 2);
    BOOST_TEST(story->told == "?2");
}

BOOST_AUTO_TEST_CASE(a_failure_on_the_first_way_is_the_result) {
    const auto story = std::make_shared<Story>(Story{.works = false});
    const auto sent = send(story);
    BOOST_TEST(sent.error().what == "the first way");
    BOOST_TEST(story->told == "?1?");
}

BOOST_AUTO_TEST_CASE(a_target_that_turns_out_to_be_another_is_reached_on_the_second_way) {
    const auto story = std::make_shared<Story>(Story{.takes_after_failure = false, .works = false});
    BOOST_TEST(send(story)->bytes == 2);
    BOOST_TEST(story->told == "?1?2");
}
