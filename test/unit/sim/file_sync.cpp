#include <replica/sim/file_sync.hpp>

#define BOOST_TEST_MODULE sim_file_sync
#include <boost/test/unit_test.hpp>

#include <laws/file_sync.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

using namespace replica;

namespace {

struct PathSource {
    std::string file;
    [[nodiscard]] std::string path() const { return file; }
    void copy_to(const std::string&, Instant) const {}
};

/// One node that sends, one that takes.
struct World {
    World() {
        there.make_directories("/srv/node/sdb1/tmp");
        there.settle();
        files.attach("10.0.0.2", 6201, "sdb1", there);
    }

    [[nodiscard]] Device device() const { return named("sdb1"); }
    [[nodiscard]] Device out_of_reach() const { return named("sdz9"); }
    [[nodiscard]] Instant now() const { return clock.monotonic(); }

    [[nodiscard]] PathSource source(const std::string& content) const {
        here.write("/srv/node/sda1/file", content);
        return {"/srv/node/sda1/file"};
    }
    [[nodiscard]] PathSource missing() const { return {"/srv/node/sda1/none"}; }

    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (const Entry& entry : there.list("/srv/node/sdb1/tmp")) {
            names.push_back(entry.name);
        }
        std::ranges::sort(names);
        return names;
    }
    [[nodiscard]] std::string content(const std::string& name) const {
        return there.content("/srv/node/sdb1/tmp/" + name)->bytes;
    }

    [[nodiscard]] static Device named(const std::string& name) {
        Device device;
        device.replication_ip = "10.0.0.2";
        device.replication_port = 6201;
        device.device = name;
        return device;
    }

    Result<Sent> send(PathSource source, Seconds patience = Seconds(10)) {
        return files.from(here).send(source, Upload{device(), "id", false, true},
                                     now() + to_duration(patience), {});
    }

    SimClock clock;
    SimDisk here{clock};
    SimDisk there{clock};
    SimFileSync files{"/srv/node"};
};

boost::system::error_code code_of(const Result<Sent>& sent) {
    BOOST_REQUIRE(sent.has_error());
    BOOST_TEST_MESSAGE("  " << sent.error().what);
    BOOST_TEST(sent.error().what.find("10.0.0.2:6201/sdb1/tmp/id") != std::string::npos);
    return sent.error().code;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_simulated_transfer_obeys_the_laws) {
    World world;
    test::check_file_sync_laws(world.files.from(world.here), world);
}

BOOST_AUTO_TEST_CASE(what_arrives_is_a_file_of_its_own_and_not_durable) {
    World world;
    const auto source = world.source("0123456789");
    BOOST_TEST(world.send(source)->bytes == 10);
    world.there.write("/srv/node/sdb1/tmp/id", "changed");
    BOOST_TEST(world.here.content(source.file)->bytes == "0123456789");
    BOOST_TEST(world.send(source).has_value());
    BOOST_TEST(world.content("id") == "0123456789");
    world.there.crash();
    BOOST_TEST(world.names().empty());
}

BOOST_AUTO_TEST_CASE(who_has_an_earlier_upload_open_keeps_it_when_another_comes_under_its_name) {
    World world;
    const std::string path = "/srv/node/sdb1/tmp/id";
    BOOST_TEST(world.send(world.source("first")).has_value());
    const auto opened = world.there.stat(path)->inode;
    BOOST_TEST(world.send(world.source("second")).has_value());
    BOOST_TEST(world.content("id") == "second");
    BOOST_TEST(world.there.stat(path)->inode != opened);
    BOOST_TEST(world.names() == std::vector<std::string>{"id"});
}

BOOST_AUTO_TEST_CASE(bytes_that_change_in_the_middle_arrive_half_old_half_new) {
    World world;
    const auto source = world.source("0123456789");
    const auto arrives = [&](const std::function<void()>& meanwhile) {
        world.files.on_transfer([&](const std::string&, const Upload&) { meanwhile(); });
        BOOST_TEST(world.send(source).has_value());
        world.here.write(source.file, "0123456789");
        return world.content("id");
    };
    BOOST_TEST(arrives([&] { world.here.write(source.file, "abcdefghij"); }) == "01234fghij");
    BOOST_TEST(arrives([&] { world.here.write(source.file, "abcdefghijkl"); }) == "01234fghijkl");
    BOOST_TEST(arrives([&] { world.here.write(source.file, "abc"); }) == "01234");
    BOOST_TEST(arrives([&] { world.here.remove(source.file); }) == "0123456789"); // is still open
    BOOST_TEST(arrives([&] {
                   world.here.remove(source.file);
                   world.here.write(source.file, "abcdefghij");
               }) == "0123456789");
}

BOOST_AUTO_TEST_CASE(an_injected_fault_leaves_nothing_or_a_part) {
    World world;
    const auto source = world.source("0123456789");
    world.files.fail("", SimTransferFault::fail);
    BOOST_TEST(code_of(world.send(source)) == make_error_code(Error::transfer_failed));
    BOOST_TEST(world.names().empty());
    world.files.fail("sdb1", SimTransferFault::silent);
    BOOST_TEST(code_of(world.send(source)) == make_error_code(Error::timed_out));
    BOOST_TEST((world.now() == SimClock().monotonic() + std::chrono::seconds(10)));
    BOOST_TEST(world.names().empty());
    world.files.fail("sdb1", SimTransferFault::partial, 0);
    BOOST_TEST(code_of(world.send(source)) == make_error_code(Error::transfer_failed));
    BOOST_TEST(world.content("id") == "01234");
    BOOST_TEST(code_of(world.send(source)) == make_error_code(Error::transfer_failed));
    world.files.heal();
    world.files.fail("sdb2", SimTransferFault::fail, 0); // another device
    BOOST_TEST(world.send(source).has_value());
    BOOST_TEST(world.content("id") == "0123456789");
}

BOOST_AUTO_TEST_CASE(a_transfer_takes_its_time_and_ends_at_the_deadline_with_a_part) {
    World world;
    const auto source = world.source("0123456789");
    world.files.bandwidth(2);
    BOOST_TEST(world.send(source).has_value());
    BOOST_TEST((world.now() == SimClock().monotonic() + std::chrono::seconds(5)));
    BOOST_TEST(code_of(world.send(source, Seconds(1))) == make_error_code(Error::timed_out));
    BOOST_TEST((world.now() == SimClock().monotonic() + std::chrono::seconds(6)));
    BOOST_TEST(world.content("id") == "01234");

    std::stop_source stop;
    world.clock.at(world.now() + std::chrono::seconds(2), [&stop] { stop.request_stop(); });
    PathSource again = source;
    BOOST_TEST(code_of(world.files.from(world.here)
                           .send(again, Upload{world.device(), "id", false, true},
                                 world.now() + std::chrono::minutes(1), stop.get_token())) ==
               make_error_code(Error::stopped));
    BOOST_TEST((world.now() == SimClock().monotonic() + std::chrono::seconds(8)));
}

BOOST_AUTO_TEST_CASE(a_target_without_room_or_tmp_is_a_failed_transfer) {
    World world;
    const auto source = world.source("0123456789");
    BOOST_TEST(world.there.remove_tree("/srv/node/sdb1/tmp"));
    BOOST_TEST(code_of(world.send(source)) == make_error_code(Error::transfer_failed));
    BOOST_TEST(!world.there.stat("/srv/node/sdb1/tmp"));
    world.there.mount("/srv/node/sdb1", 5);
    world.there.make_directories("/srv/node/sdb1/tmp");
    const auto sent = world.send(source);
    BOOST_TEST(code_of(sent) == make_error_code(Error::transfer_failed));
    BOOST_TEST(sent.error().what.find("no space") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(without_a_disk_to_read_from_nothing_is_sent) {
    World world;
    auto source = world.source("0123456789");
    const auto sent = world.files.send(source, Upload{world.device(), "id", false, true},
                                       world.now() + std::chrono::seconds(1), {});
    BOOST_TEST(code_of(sent) == make_error_code(Error::transfer_failed));
    BOOST_TEST(world.names().empty());
}
