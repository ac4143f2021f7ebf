#include <replica/send/pass.hpp>

#define BOOST_TEST_MODULE pass
#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

using namespace replica;
using namespace replica::test;
using namespace std::chrono_literals;

namespace {

using Containers = Duo<ContainerKind>;

/// What one request to the other node comes to.
Result<Reply> ask(Containers& duo, const std::string& body, bool expect_success = false,
                  Seconds timeout = Seconds(10)) {
    return duo.with_task([&](auto& task, const Device& device) {
        PeerSession peer(task.pass, task.heartbeat, device, task.place);
        return expect_success ? peer.expect_success(body, timeout) : peer.send(body, timeout);
    });
}

const std::string harmless = "[\"merge_syncs\", []]";

} // namespace

// ---- Memory.

BOOST_AUTO_TEST_CASE(what_cannot_be_written_to_a_database_is_remembered_until_it_can) {
    Containers duo;
    const auto noted = [&] { return duo.open().sync_point("a key", Direction::outgoing); };
    duo.with_task([&](auto& task, const Device&) {
        BOOST_TEST(task.note("a key") == -1);
        duo.here().disk.fail_next(SimCall::vfs_write, duo.path(), Error::no_space, 1);
        task.set_note("a key", 5);
        BOOST_TEST(noted() == -1);
        BOOST_TEST(task.note("a key") == 5);
        return 0;
    });
    duo.with_task([&](auto& task, const Device&) { // the next pass
        BOOST_TEST(task.note("a key") == 5);
        task.set_note("a key", 3);
        BOOST_TEST(noted() == 3);
        BOOST_TEST(task.note("a key") == 3);
        task.set_note("a key", -1);
        BOOST_TEST(task.note("a key") == -1);
        return 0;
    });
    BOOST_TEST(noted() == -1);
}

BOOST_AUTO_TEST_CASE(notes_are_read_once_and_again_after_one_was_written) {
    Containers duo;
    duo.open().set_sync_point({7, "another key"}, Direction::outgoing);
    duo.with_task([&](auto& task, const Device&) {
        int reads = 0;
        duo.here().disk.on_call(
            [&](SimCall call, const std::string&) { reads += call == SimCall::vfs_read ? 1 : 0; });
        BOOST_TEST(task.note("a key") == -1);
        BOOST_TEST(task.note("another key") == 7);
        BOOST_TEST(task.note("a key") == -1);
        BOOST_TEST(reads == 1); // of the header, for the first note
        duo.here().disk.on_call(nullptr);
        task.set_note("a key", 5);
        BOOST_TEST(task.note("a key") == 5);
        renew_id(task, "whose notes are gone");
        BOOST_TEST(task.note("another key") == -1);
        return 0;
    });
}

BOOST_AUTO_TEST_CASE(a_note_that_is_not_written_since_the_file_is_gone_is_no_note) {
    Containers duo;
    duo.with_task([&](auto& task, const Device&) {
        duo.here().disk.remove(duo.path());
        BOOST_CHECK_THROW(task.set_note("a key", 5), Failure);
        return 0;
    });
}

BOOST_AUTO_TEST_CASE(a_name_stays_with_an_upload_until_it_is_finished) {
    Memory memory;
    BOOST_TEST(memory.pending_upload_name("db peer", "first") == "first");
    BOOST_TEST(memory.pending_upload_name("db peer", "second") == "first");
    BOOST_TEST(memory.pending_upload_name("db other", "second") == "second");
    memory.finished("db peer");
    BOOST_TEST(memory.pending_upload_name("db peer", "third") == "third");
    BOOST_TEST(memory.pending_upload_name("db other", "third") == "second");
}

// ---- Counters.

BOOST_AUTO_TEST_CASE(failures_are_counted_by_node_and_device) {
    Containers duo;
    Device device;
    device.replication_ip = "10.0.0.9";
    device.device = "sdq";
    duo.pass.count_failure(device);
    duo.pass.count_failure(device);
    duo.pass.count(&Stats::rows, 7);
    duo.pass.count(&Stats::attempted);
    const auto [stats, nodes] = duo.pass.counted();
    BOOST_TEST(stats.failure == 2);
    BOOST_TEST(stats.rows == 7);
    BOOST_TEST(stats.attempted == 1);
    BOOST_TEST(nodes.at("10.0.0.9").at("sdq") == 2);
}

// ---- PeerSession.

BOOST_AUTO_TEST_CASE(a_request_names_device_partition_and_hash) {
    Containers duo;
    Request seen;
    duo.nodes.network().before([&](const SimExchange&, const Request& request) { seen = request; });
    BOOST_TEST(ask(duo, harmless)->status == 404);
    BOOST_TEST(seen.device == "sda");
    BOOST_TEST(seen.partition == std::to_string(duo.name.partition));
    BOOST_TEST(seen.hash == duo.name.hash);
    BOOST_TEST(seen.body == harmless);
    BOOST_TEST(seen.repeatable);
}

BOOST_AUTO_TEST_CASE(each_status_has_its_meaning) {
    struct Case {
        int status;
        std::string reason;
        Error error;
    };
    const std::vector<Case> cases{{400, "", Error::peer_refused},
                                  {405, "", Error::peer_refused},
                                  {404, "", Error::missing},
                                  {500, "", Error::peer_failed},
                                  {503, "", Error::peer_failed},
                                  {302, "", Error::peer_refused},
                                  {507, "", Error::not_mounted},
                                  {507, "sda is not mounted", Error::not_mounted},
                                  {507, "sda is full", Error::no_space}};
    for (const auto& [status, reason, error] : cases) {
        Containers duo;
        duo.nodes.network().answer({}, Reply{status, "text/plain", "", reason}, 2);
        BOOST_TEST(ask(duo, harmless)->status == status); // any status is a reply
        const auto strict = ask(duo, harmless, true);
        BOOST_REQUIRE(!strict);
        BOOST_TEST((strict.error().code == error), status);
        BOOST_TEST(strict.error().what == "10.0.0.2:6201/sda answered " + std::to_string(status) +
                                              (reason.empty() ? reason : ' ' + reason));
    }
    Containers duo;
    duo.nodes.network().answer({}, Reply{202, "", "", ""}, 1);
    BOOST_TEST(ask(duo, harmless, true)->status == 202);
}

BOOST_AUTO_TEST_CASE(a_507_without_words_is_cleared_up_once_in_a_pass) {
    Containers duo;
    const std::string page = "/recon/diskusage";
    duo.nodes.network().answer(duo.verb(page),
                               Reply{200, "", R"([{"device": "sda", "mounted": true}])", ""}, 0);
    duo.nodes.network().answer({}, Reply{507, "", "", ""}, 0);
    for (int i = 0; i < 3; ++i) {
        const auto strict = ask(duo, harmless, true);
        BOOST_REQUIRE(!strict);
        BOOST_TEST((strict.error().code == Error::no_space));
        BOOST_TEST((strict.error().code != Condition::hand_off));
        BOOST_TEST(strict.error().what ==
                   "10.0.0.2:6201/sda answered 507 and is mounted, so it is full");
    }
    const auto said = duo.said();
    BOOST_TEST(std::ranges::count(said, page + " 200") == 1);
    BOOST_TEST(said.size() == 4U);
}

BOOST_AUTO_TEST_CASE(
    recon_that_does_not_answer_costs_one_wait_and_does_not_count_against_the_peer) {
    Containers duo;
    duo.nodes.network().fail(duo.verb("/recon/diskusage"), SimFault::silent, 0);
    duo.nodes.network().answer({}, Reply{507, "", "", ""}, 0);
    const Instant began = duo.clock.monotonic();
    for (int i = 0; i < 5; ++i) {
        BOOST_TEST((ask(duo, harmless, true).error().code == Error::not_mounted));
    }
    BOOST_TEST((duo.clock.monotonic() == began + 10s));
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_answer_is_left_alone_for_a_while) {
    Containers duo;
    duo.nodes.network().fail({}, SimFault::silent, 0);
    for (int i = 0; i < 3; ++i) {
        const Instant began = duo.clock.monotonic();
        BOOST_TEST((ask(duo, harmless).error().code == Error::timed_out));
        BOOST_TEST((duo.clock.monotonic() == began + 10s));
    }
    const Instant began = duo.clock.monotonic();
    BOOST_TEST((ask(duo, harmless).error().code == Error::held_back));
    BOOST_TEST((duo.clock.monotonic() == began)); // no time was lost
    duo.nodes.network().heal();
    duo.clock.advance(Seconds(59));
    BOOST_TEST((ask(duo, harmless).error().code == Error::held_back));
    duo.clock.advance(Seconds(1));
    BOOST_TEST(ask(duo, harmless).has_value());
    BOOST_TEST(ask(duo, harmless).has_value());
}

namespace {

/// What a request to a device of the other node comes to, of which nothing is heard if `fault`.
Result<Reply> ask_device(Containers& duo, const std::string& name,
                         std::optional<SimFault> fault = {}) {
    if (fault) {
        duo.nodes.network().fail({}, *fault, 1);
    } else {
        duo.nodes.network().answer({}, Reply{202, "", "", ""}, 1);
    }
    auto reply = duo.with_task([&](auto& task, Device device) {
        device.device = name;
        return PeerSession(task.pass, task.heartbeat, device, task.place)
            .send(harmless, Seconds(10));
    });
    duo.nodes.network().heal();
    return reply;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_disk_that_hangs_on_a_peer_holds_up_no_other_of_its_disks) {
    Containers duo;
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST((ask_device(duo, "sda", SimFault::silent).error().code == Error::timed_out));
    }
    const auto held = ask_device(duo, "sda");
    BOOST_TEST((held.error().code == Error::held_back));
    BOOST_TEST(held.error().what == "10.0.0.2:6201/sda: left alone after recent failures");
    BOOST_TEST(ask_device(duo, "sdb").has_value());
    BOOST_TEST((ask_device(duo, "sda").error().code == Error::held_back)); // the other's answer
    duo.clock.advance(duo.settings.peer_hold);
    BOOST_TEST(ask_device(duo, "sda").has_value());
}

BOOST_AUTO_TEST_CASE(a_node_of_which_three_devices_in_a_row_give_no_answer_is_left_alone) {
    for (const SimFault fault : {SimFault::silent, SimFault::lose_reply}) {
        Containers duo;
        (void)ask_device(duo, "sda", fault);
        (void)ask_device(duo, "sdb", fault);
        BOOST_TEST(ask_device(duo, "sdc").has_value()); // it lives
        (void)ask_device(duo, "sdd", fault);
        (void)ask_device(duo, "sdd", fault); // still one
        (void)ask_device(duo, "sde", fault);
        BOOST_TEST(ask_device(duo, "sdc").has_value());
        for (const char* device : {"sda", "sdb", "sdd"}) {
            BOOST_TEST((ask_device(duo, device, fault).error().code != Error::held_back));
        }
        const auto held = ask_device(duo, "sdc");
        BOOST_REQUIRE(!held);
        BOOST_TEST(held.error().what == "10.0.0.2:6201: left alone after recent failures");
    }
}

BOOST_AUTO_TEST_CASE(a_node_that_cannot_be_connected_to_is_left_alone_with_all_its_devices) {
    Containers duo;
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(
            (ask_device(duo, "sda", SimFault::refuse).error().code == Error::connect_failed));
    }
    const auto held = ask_device(duo, "sdb");
    BOOST_REQUIRE(!held);
    BOOST_TEST(held.error().what == "10.0.0.2:6201: left alone after recent failures");
}

BOOST_AUTO_TEST_CASE(a_stop_says_nothing_about_the_peer) {
    Containers duo;
    duo.stop.request_stop();
    for (int i = 0; i < 5; ++i) {
        BOOST_TEST((ask(duo, harmless).error().code == Error::stopped));
    }
    BOOST_TEST(duo.memory.peers.held("10.0.0.2:6201", "sda", duo.clock.monotonic()).empty());
}

BOOST_AUTO_TEST_CASE(the_watchdog_is_told_how_long_a_request_may_take) {
    Containers duo;
    Instant during;
    duo.with_task([&](auto& task, const Device& device) {
        PeerSession peer(task.pass, task.heartbeat, device, task.place);
        duo.nodes.network().before(
            [&](const SimExchange&, const Request&) { during = task.heartbeat.expected(); });
        const Instant now = duo.clock.monotonic();
        BOOST_TEST(peer.send(harmless, Seconds(300)).has_value());
        BOOST_TEST((during == now + 300s + 60s));
        BOOST_TEST((task.heartbeat.expected() == duo.clock.monotonic() + 60s));
        return 0;
    });
}
