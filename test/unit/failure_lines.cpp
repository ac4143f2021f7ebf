#include <replica/failure_lines.hpp>

#define BOOST_TEST_MODULE failure_lines
#include <replica/ring/full_ring.hpp>
#include <replica/sim/machine.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace replica;

namespace {

struct Note {
    BOOST_HANA_DEFINE_STRUCT(Note, (std::string, id), (std::string, text));
};

struct Fixture {
    const std::vector<std::string>& after_a_pass() {
        one.pass(ring, FailureLines([this](const std::string& line) { lines.push_back(line); }));
        return lines;
    }

    bool is_said(const std::string& part) const {
        return std::ranges::any_of(
            lines, [&](const std::string& line) { return line.find(part) != std::string::npos; });
    }

    SimWorld world;
    SimMachine<Note> one{world, 1};
    SimMachine<Note> other{world, 2};
    FullRing ring{{one.device, other.device}};
    std::vector<std::string> lines;
};

std::string line_of(const auto& event) {
    std::string said;
    const FailureLines lines([&](const std::string& line) { said = line; });
    lines(event);
    return said;
}

} // namespace

BOOST_FIXTURE_TEST_CASE(a_pass_without_a_failure_says_nothing, Fixture) {
    one.open("mine").put({"milk", "buy milk"});
    BOOST_TEST(after_a_pass().empty());
    BOOST_TEST(other.open("mine").get("milk").has_value());
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_is_off_is_named_once, Fixture) {
    one.open("mine").put({"milk", "buy milk"});
    other.switch_off();
    BOOST_TEST(after_a_pass().size() == 1U);
    BOOST_TEST(is_said("10.0.0.2:6201"));
}

BOOST_FIXTURE_TEST_CASE(a_device_that_is_not_mounted_is_named_here_and_there, Fixture) {
    one.open("mine").put({"milk", "buy milk"});
    other.disk.unmount("/srv/node/sda");
    after_a_pass();
    BOOST_TEST(is_said("10.0.0.2/sda is not mounted"));
    one.disk.unmount("/srv/node/sda");
    after_a_pass();
    BOOST_TEST(is_said("/srv/node/sda is not mounted"));
}

BOOST_FIXTURE_TEST_CASE(a_ring_without_this_program_is_told, Fixture) {
    one.open("mine").put({"milk", "buy milk"});
    ring = FullRing({other.device});
    BOOST_TEST(after_a_pass().size() == 1U);
    BOOST_TEST(is_said("no device of the ring is this program's"));
}

BOOST_FIXTURE_TEST_CASE(a_database_that_is_no_database_is_named, Fixture) {
    one.open("mine").put({"milk", "buy milk"});
    const std::string path = SimMachine<Note>::Store::path(one.settings, ring, "sda", "mine");
    one.disk.write(path, std::string(8192, 'x'));
    after_a_pass();
    BOOST_TEST(is_said(path));
}

BOOST_AUTO_TEST_CASE(each_failure_names_its_place_and_its_reason) {
    const std::string path = "/srv/node/sda/notes/a.db";
    const std::string what = "why not";
    const std::string device = "sda";
    const std::string name = "/mine";
    BOOST_TEST(line_of(event::PassFailed{what}) == "why not");
    BOOST_TEST(line_of(event::DatabaseFailed{path, what}) == "why not"); // names the file itself
    BOOST_TEST(line_of(event::ListingFailed{path, what}) == path + ": why not");
    BOOST_TEST(line_of(event::SetAside{path, what}) == path + ": why not");
    BOOST_TEST(line_of(event::ServeFailed{path, what, {}}) == path + ": why not");
    BOOST_TEST(line_of(event::Quarantined{path, name, what}) == path + ": why not");
    BOOST_TEST(line_of(event::Braked{device, what}) == "sda: why not");
    BOOST_TEST(line_of(event::DeviceStalled{device, Seconds(60)}) ==
               "sda: the disk does not answer");
    BOOST_TEST(line_of(event::WrongHash{path, name}).find("hash_path_suffix") != std::string::npos);
    BOOST_TEST(line_of(event::Stale{path, {}, false}).ends_with("not sent"));
    BOOST_TEST(line_of(event::Stale{path, {}, true}).ends_with("deleted"));
    BOOST_TEST(line_of(event::Stale{path, {}, false, true}).ends_with("nothing is sent again"));
    BOOST_TEST(line_of(event::DatabaseBegan{path}).empty());
}
