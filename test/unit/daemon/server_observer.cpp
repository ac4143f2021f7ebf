#include <replica/daemon/server_observer.hpp>

#define BOOST_TEST_MODULE daemon_server_observer
#include <boost/test/unit_test.hpp>

#include <support/daemon.hpp>
#include <support/kept_lines.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::daemon;

namespace {

/// The observer of a receiver with a log and a statsd server.
struct Watched {
    support::Listener listener{};
    std::shared_ptr<support::Kept> kept = std::make_shared<support::Kept>();
    std::shared_ptr<spdlog::logger> logger = std::make_shared<spdlog::logger>("t", kept);
    DaemonSettings settings = [this] {
        DaemonSettings made;
        made.log_statsd_host = "127.0.0.1";
        made.log_statsd_port = listener.port();
        made.log_name = "t";
        return made;
    }();
    Statsd statsd{settings};
    ServerObserver observer = [this] {
        logger->set_level(spdlog::level::trace);
        statsd.resolve();
        return ServerObserver(Log(logger), statsd);
    }();

    [[nodiscard]] bool has(const std::string& line) const {
        return std::ranges::count(kept->lines, line) > 0;
    }
};

const std::string path = "/srv/node/sda/containers/1/abc/x/x.db";
const std::string device = "sda";

} // namespace

BOOST_AUTO_TEST_CASE(requests_are_measured_as_by_a_stock_server) {
    Watched watched;
    watched.observer(event::Served{device, "sync", 200, Seconds{0.25}});
    watched.observer(event::Served{device, "sync", 507, Seconds{0.25}});
    watched.observer(event::Served{device, "sync", 500, Seconds{0.5}});
    watched.observer(event::DatabaseBegan{path}); // not its business
    BOOST_TEST(watched.listener.next().value_or("") == "t.REPLICATE.timing:250|ms");
    BOOST_TEST(watched.listener.next().value_or("") == "t.REPLICATE.timing:250|ms");
    BOOST_TEST(watched.listener.next().value_or("") == "t.REPLICATE.errors.timing:500|ms");
    BOOST_TEST(!watched.listener.next(0).has_value());
}

BOOST_AUTO_TEST_CASE(a_collector_of_labels_gets_method_status_and_reason) {
    Watched watched;
    auto settings = watched.settings;
    settings.statsd_label_mode = "graphite";
    settings.statsd_emit_legacy = false;
    Statsd statsd{settings};
    const ServerObserver observer(Log(watched.logger), statsd);
    observer(event::Served{device, "sync", 507, Seconds{0.25}});
    BOOST_TEST(watched.listener.next().value_or("") ==
               "swift_t_request_timing;method=REPLICATE;status=507:250|ms");
    observer(event::Doubted{"10.0.0.9", "stranger", "who is it?", true});
    BOOST_TEST(watched.listener.next().value_or("") ==
               "swift_t_requests_refused;method=REPLICATE;reason=stranger:1|c");
    observer(event::Doubted{"10.0.0.9", "stranger", "who is it?", false});
    BOOST_TEST(watched.listener.next().value_or("") ==
               "swift_t_requests_doubted;method=REPLICATE;reason=stranger:1|c");
}

BOOST_AUTO_TEST_CASE(a_doubted_request_is_counted_each_time_and_said_once) {
    Watched watched;
    const std::string one = "10.0.0.9";
    const std::string other = "10.0.0.10";
    const auto both = watched.observer; // copies speak with one voice
    for (int count = 0; count < 3; ++count) {
        both(event::Doubted{one, "unsigned", "the request is not signed", true});
        watched.observer(event::Doubted{one, "unsigned", "the request is not signed", true});
    }
    watched.observer(event::Doubted{other, "unsigned", "the request is not signed", true});
    watched.observer(event::Doubted{one, "stranger", "no device has it", false});
    for (int count = 0; count < 7; ++count) {
        BOOST_TEST(watched.listener.next().value_or("") == "t.REPLICATE.refused.unsigned:1|c");
    }
    BOOST_TEST(watched.listener.next().value_or("") == "t.REPLICATE.doubted.stranger:1|c");
    BOOST_TEST((both.doubts() == std::map<std::string, std::uint64_t>{{"refused.unsigned", 7},
                                                                      {"doubted.stranger", 1}}));
    BOOST_TEST((watched.kept->lines ==
                std::vector<std::string>{
                    "warning: REPLICATE of 10.0.0.9 is refused: the request is not signed",
                    "warning: REPLICATE of 10.0.0.10 is refused: the request is not signed",
                    "warning: REPLICATE of 10.0.0.9 is served all the same: no device has it"}));
}

BOOST_AUTO_TEST_CASE(what_goes_wrong_names_the_database) {
    Watched watched;
    watched.observer(event::ServeFailed{path, "no space"});
    watched.observer(event::SetAside{path, "row 7: no name"});
    watched.observer(event::Quarantined{path, "/q/x", "corrupt"});
    BOOST_TEST(watched.has("error: ERROR serving REPLICATE of " + path + ": no space"));
    BOOST_TEST(watched.has("error: " + path + ": row 7: no name"));
    BOOST_TEST(watched.has("error: Quarantining DB " + path + ": corrupt"));
}
