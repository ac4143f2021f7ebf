#include <replica/daemon/recon.hpp>

#define BOOST_TEST_MODULE daemon_recon
#include <boost/test/unit_test.hpp>

#include <support/daemon.hpp>
#include <sys/wait.h>

#include <filesystem>
#include <latch>
#include <string>
#include <thread>
#include <vector>

using namespace replica;
using namespace replica::daemon;

namespace {

boost::json::object merged(std::string_view cache, std::string_view update) {
    auto result = boost::json::parse(cache).as_object();
    merge_recon(result, boost::json::parse(update).as_object());
    return result;
}

// A lock on the file as another daemon would hold it.
class Held {
public:
    explicit Held(const std::string& path)
        : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT, 0644)) {
        BOOST_REQUIRE(::flock(descriptor_, LOCK_EX) == 0);
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() { ::close(descriptor_); }

private:
    int descriptor_;
};

Error failure(const std::string& path, Seconds timeout = Seconds{2}) {
    try {
        update_recon(path, {{"a", 1}}, timeout);
    } catch (const Failure& failure) {
        BOOST_TEST(std::string{failure.what()}.find(path) != std::string::npos);
        return failure.error();
    }
    return Error{};
}

std::size_t files_in(const support::Directory& directory) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory.path(""))) {
        BOOST_TEST_MESSAGE(entry.path());
        ++count;
    }
    return count;
}

} // namespace

BOOST_AUTO_TEST_CASE(keys_are_merged_one_by_one) {
    struct Case {
        std::string_view cache;
        std::string_view update;
        std::string_view expected;
    };
    for (const auto& [cache, update, expected] : std::vector<Case>{
             {R"({})", R"({"a":1})", R"({"a":1})"},
             {R"({"a":1,"b":2})", R"({"a":3})", R"({"a":3,"b":2})"},
             {R"({"a":{"x":1,"y":2}})", R"({"a":{"x":3}})", R"({"a":{"x":3,"y":2}})"},
             {R"({"a":{"x":1,"y":2}})", R"({"a":{"x":{}}})", R"({"a":{"y":2}})"},
             {R"({"a":{"x":{"p":1}}})", R"({"a":{"x":{"q":2}}})", R"({"a":{"x":{"q":2}}})"},
             {R"({"a":{"x":1}})", R"({"a":{}})", R"({})"},
             {R"({"a":1})", R"({"a":{}})", R"({})"},
             {R"({"a":1})", R"({"b":{}})", R"({"a":1})"},
             {R"({"a":1})", R"({"a":{"x":2}})", R"({"a":{"x":2}})"},
             {R"({"a":{"x":2}})", R"({"a":1})", R"({"a":1})"},
             {R"({"a":{"x":2}})", R"({"a":null})", R"({"a":null})"},
             {R"({})", R"({"a":{"x":{}}})", R"({"a":{}})"}}) {
        BOOST_TEST(merged(cache, update) == boost::json::parse(expected).as_object(),
                   cache << " + " << update);
    }
}

BOOST_AUTO_TEST_CASE(a_new_file_holds_one_sorted_line) {
    const support::Directory directory;
    const auto path = directory.path("container.recon");
    update_recon(path, {{"replication_time", 1.5},
                        {"replication_stats", {{"success", 2}, {"attempted", 1}}},
                        {"replication_last", 1700000000.0},
                        {"list", {3, "x", nullptr, true}}});
    BOOST_TEST(directory.text("container.recon") ==
               "{\"list\": [3, \"x\", null, true], \"replication_last\": 1700000000.0, "
               "\"replication_stats\": {\"attempted\": 1, \"success\": 2}, "
               "\"replication_time\": 1.5}\n");
    BOOST_TEST(files_in(directory) == 1u);
}

BOOST_AUTO_TEST_CASE(the_keys_of_other_daemons_stay) {
    const support::Directory directory;
    const auto path = directory.file(
        "container.recon",
        R"({"container_updater_sweep": 0.25, "sharding_stats": {"a": {"b": [1, 2.5]}}})"
        "\n");
    update_recon(path, {{"replication_time", 2}});
    BOOST_TEST(directory.text("container.recon") ==
               R"({"container_updater_sweep": 0.25, "replication_time": 2, )"
               R"("sharding_stats": {"a": {"b": [1, 2.5]}}})"
               "\n");
}

BOOST_AUTO_TEST_CASE(text_beyond_ascii_is_escaped_and_survives) {
    const support::Directory directory;
    const auto path = directory.file("a.recon", "{\"\\u00e4\\ud83d\\ude00\": \"\\u0001\"}");
    update_recon(path, {{"b", "\xc3\xa4"}});
    BOOST_TEST(directory.text("a.recon") ==
               "{\"b\": \"\\u00e4\", \"\\u00e4\\ud83d\\ude00\": \"\\u0001\"}\n");
}

BOOST_AUTO_TEST_CASE(a_number_too_large_for_us_stays_a_number) {
    std::string text;
    daemon::append_sorted(text, boost::json::parse(R"({"high": 1e400, "low": [-1e400, 0e400]})"));
    BOOST_TEST(text == R"({"high": 1e999, "low": [-1e999, 0.0]})");
    std::string again;
    daemon::append_sorted(again, boost::json::parse(text));
    BOOST_TEST(again == text);
}

BOOST_AUTO_TEST_CASE(content_that_is_no_object_is_replaced) {
    for (const std::string_view text :
         {"", "\n", "not json", "[1]", "{\"a\": ", "{} {}", "7", "{\"x\": NaN}", "\xff"}) {
        const support::Directory directory;
        const auto path = directory.file("a.recon", text);
        update_recon(path, {{"b", 1}});
        BOOST_TEST(directory.text("a.recon") == "{\"b\": 1}\n", text);
    }
}

BOOST_AUTO_TEST_CASE(only_the_first_line_counts) {
    const support::Directory directory;
    const auto path = directory.file("a.recon", "{\"a\": 1}\n{\"c\": 1}\n");
    update_recon(path, {{"b", 1}});
    BOOST_TEST(directory.text("a.recon") == "{\"a\": 1, \"b\": 1}\n");
}

BOOST_AUTO_TEST_CASE(a_file_longer_than_a_block_is_read_whole) {
    const support::Directory directory;
    const std::string text(20'000, 'x');
    const auto path = directory.file("a.recon", "{\"z\": \"" + text + "\"}\n");
    update_recon(path, {{"b", 1}});
    BOOST_TEST(directory.text("a.recon") == "{\"b\": 1, \"z\": \"" + text + "\"}\n");
}

BOOST_AUTO_TEST_CASE(a_missing_directory_is_an_error) {
    const support::Directory directory;
    BOOST_TEST((failure(directory.path("absent/a.recon")) == Error::missing));
}

BOOST_AUTO_TEST_CASE(a_directory_in_the_place_of_the_file_is_an_error) {
    const support::Directory directory;
    std::filesystem::create_directory(directory.path("a.recon"));
    BOOST_TEST((failure(directory.path("a.recon")) == Error::io));
}

BOOST_AUTO_TEST_CASE(a_lock_that_is_held_too_long_is_an_error_and_changes_nothing) {
    const support::Directory directory;
    const auto path = directory.file("a.recon", "{\"a\": 0}\n");
    const Held held{path};
    BOOST_TEST((failure(path, Seconds{0.05}) == Error::locked));
    BOOST_TEST(directory.text("a.recon") == "{\"a\": 0}\n");
    BOOST_TEST(files_in(directory) == 1u);
}

BOOST_AUTO_TEST_CASE(a_stop_ends_the_wait_for_the_lock) {
    const support::Directory directory;
    const auto path = directory.file("a.recon", "{}\n");
    const Held held{path};
    std::stop_source stop;
    stop.request_stop();
    BOOST_CHECK_THROW(
        update_recon(path, {{"a", 1}}, Seconds{3600}, SystemClock{}, stop.get_token()), Failure);
}

BOOST_AUTO_TEST_CASE(a_lock_on_a_replaced_file_is_not_used) {
    const support::Directory directory;
    const auto path = directory.file("a.recon", "{\"old\": 1}\n");
    std::latch held{1};
    std::jthread other{[&] {
        const Held lock{path};
        held.count_down();
        // As another daemon's update: the new file stands under the name before the lock ends.
        (void)directory.file("new", "{\"new\": 1}\n");
        std::filesystem::rename(directory.path("new"), path);
    }};
    held.wait();
    update_recon(path, {{"mine", 1}});
    other.join();
    const auto text = directory.text("a.recon");
    BOOST_TEST(text.find("\"mine\": 1") != text.npos, text);
    BOOST_TEST(text.find("\"new\": 1") != text.npos, text);
}

BOOST_AUTO_TEST_CASE(threads_that_write_at_once_lose_nothing) {
    const support::Directory directory;
    const auto path = directory.path("a.recon");
    {
        std::vector<std::jthread> writers;
        for (int writer = 0; writer < 4; ++writer) {
            writers.emplace_back([&path, writer] {
                for (int round = 0; round < 10; ++round) {
                    const auto key = std::to_string(writer) + "-" + std::to_string(round);
                    update_recon(path, {{key, round}}, Seconds{30});
                }
            });
        }
    }
    const auto cache = boost::json::parse(directory.text("a.recon")).as_object();
    BOOST_TEST(cache.size() == 40u);
    BOOST_TEST(files_in(directory) == 1u);
}

BOOST_AUTO_TEST_CASE(processes_that_write_at_once_lose_nothing) {
    const support::Directory directory;
    const auto path = directory.path("a.recon");
    std::vector<pid_t> children;
    for (int writer = 0; writer < 3; ++writer) {
        const pid_t child = ::fork();
        BOOST_REQUIRE(child >= 0);
        if (child == 0) {
            int code = 0;
            try {
                for (int round = 0; round < 10; ++round) {
                    const auto key = std::to_string(writer) + "-" + std::to_string(round);
                    update_recon(path, {{key, round}}, Seconds{30});
                }
            } catch (const std::exception&) {
                code = 1;
            }
            ::_exit(code);
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = -1;
        BOOST_TEST(::waitpid(child, &status, 0) == child);
        BOOST_TEST(status == 0);
    }
    BOOST_TEST(boost::json::parse(directory.text("a.recon")).as_object().size() == 30u);
}
