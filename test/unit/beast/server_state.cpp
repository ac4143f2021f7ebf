#include <replica/beast/server_state.hpp>

#define BOOST_TEST_MODULE beast_hall
#include <replica/beast/session.hpp> // what a hall has sessions of

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace replica;

namespace {

http::ServerState hall_of(const ServerOptions& options) {
    return {options, [](const Request&) { return Reply{}; }, {}};
}

} // namespace

BOOST_AUTO_TEST_CASE(long_bodies_have_room_until_there_is_none_and_somebody_hears_of_it) {
    std::vector<std::string> heard;
    ServerOptions options;
    options.on_busy = [&](const std::string& device) { heard.push_back(device); };
    http::ServerState hall = hall_of(options);
    {
        std::vector<Admission::Place> places;
        for (const char* device : {"sda", "sdb", "sdc", "sdd"}) {
            auto place = hall.room_for(device, options.max_body);
            BOOST_REQUIRE(place.has_value());
            places.push_back(std::move(*place));
        }
        BOOST_TEST(heard.empty());
        BOOST_TEST(!hall.room_for("sde", 65'537).has_value());
        BOOST_TEST(!hall.room_for("sda", 65'537).has_value());
        BOOST_TEST((heard == std::vector<std::string>{"sde", "sda"}));
        BOOST_TEST(hall.room_for("sde", 65'536).has_value()); // short
    }
    BOOST_TEST(hall.room_for("sde", options.max_body).has_value());
}

BOOST_AUTO_TEST_CASE(a_batch_is_taken_from_each_of_many_senders_at_once) {
    http::ServerState hall = hall_of({});
    std::vector<Admission::Place> places;
    for (int sender = 0; sender < 32; ++sender) { // 1000 rows each
        auto place = hall.room_for("sda", 250'000);
        BOOST_REQUIRE(place.has_value());
        places.push_back(std::move(*place));
    }
    BOOST_TEST(hall.room_for("sdb", hall.options.max_body).has_value());
}

BOOST_AUTO_TEST_CASE(nobody_need_listen) {
    ServerOptions options;
    options.max_bodies = 0;
    BOOST_TEST(!hall_of(options).room_for("sda", 1'000'000).has_value());
}
