#include <replica/send/ledger.hpp>

#define BOOST_TEST_MODULE ledger
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

using namespace replica;

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t now_s = 1'700'000'000;
constexpr Timestamp now{now_s * Timestamp::ticks_per_second, 0};
constexpr Timestamp later = Timestamp{(now_s + 80'000) * Timestamp::ticks_per_second, 0};

/// A database nobody has touched for an hour.
FileStatus old_file() {
    return {.device = 1,
            .inode = 2,
            .size = 40'960,
            .modified_ns = (now_s - 3600) * second_ns,
            .changed_ns = (now_s - 3600) * second_ns,
            .directory = false,
            .regular = true};
}

Primaries primaries_of(std::initializer_list<std::int64_t> ids) {
    std::vector<Device> devices;
    for (const std::int64_t id : ids) {
        Device device;
        device.id = id;
        device.device = "sda";
        device.replication_ip = "10.0.0." + std::to_string(id);
        devices.push_back(device);
    }
    return Primaries(devices);
}

/// A hash that is rechecked in passes whose number leaves `turn` when divided by 10.
std::string hash_of(int turn) {
    return std::string(31, '0') + std::to_string(turn);
}

const FileState state = *state_of(old_file(), now);
const Primaries primaries = primaries_of({1, 2, 3});
constexpr int recheck = 10;

/// A ledger in its first pass, with a database whose turn is pass 5.
struct Confirmed : Ledger {
    explicit Confirmed(int recheck_passes = recheck) {
        begin_pass(recheck_passes);
        confirm(hash_of(5), state, primaries, 7, later, 99);
    }

    [[nodiscard]] bool skips(const FileState& seen = state, const Primaries& ring = primaries,
                             Timestamp at = now) {
        return may_skip(hash_of(5), seen, ring, at);
    }

    void all_agree() {
        for (const std::int64_t device : {1, 2, 3}) {
            agree(device, {});
        }
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_file_that_was_left_alone_has_a_state) {
    BOOST_TEST(state_of(old_file(), now).has_value());
    BOOST_TEST((state_of(old_file(), now) == state_of(old_file(), later)));
}

BOOST_AUTO_TEST_CASE(whatever_a_write_changes_is_another_state) {
    const std::vector<std::pair<std::string, std::function<void(FileStatus&)>>> changes{
        {"device", [](FileStatus& it) { it.device = 9; }},
        {"inode", [](FileStatus& it) { it.inode = 9; }},
        {"size", [](FileStatus& it) { it.size += 4096; }},
        {"mtime", [](FileStatus& it) { it.modified_ns += 1; }},
        {"ctime", [](FileStatus& it) { it.changed_ns += 1; }},
        {"swapped", [](FileStatus& it) { std::swap(it.device, it.inode); }}};
    for (const auto& [name, change] : changes) {
        FileStatus status = old_file();
        change(status);
        const auto changed = state_of(status, now);
        BOOST_REQUIRE(changed.has_value());
        BOOST_TEST((*changed != state), name);
    }
}

BOOST_AUTO_TEST_CASE(what_may_still_change_without_a_trace_has_no_state) {
    const std::vector<std::pair<std::string, std::function<void(FileStatus&)>>> young{
        {"written a second ago", [](FileStatus& it) { it.modified_ns = (now_s - 1) * second_ns; }},
        {"renamed a second ago", [](FileStatus& it) { it.changed_ns = (now_s - 1) * second_ns; }},
        {"just under two", [](FileStatus& it) { it.modified_ns = (now_s - 2) * second_ns + 1; }},
        {"in the future", [](FileStatus& it) { it.changed_ns = (now_s + 3600) * second_ns; }},
        {"a directory",
         [](FileStatus& it) {
             it.regular = false;
             it.directory = true;
         }},
        {"a FIFO", [](FileStatus& it) { it.regular = false; }}};
    for (const auto& [name, change] : young) {
        FileStatus status = old_file();
        change(status);
        BOOST_TEST(!state_of(status, now).has_value(), name);
    }
    BOOST_TEST(!state_of(std::nullopt, now).has_value());
    FileStatus settled = old_file();
    settled.modified_ns = settled.changed_ns = (now_s - 2) * second_ns;
    BOOST_TEST(state_of(settled, now).has_value());
}

BOOST_AUTO_TEST_CASE(a_database_that_all_peers_have_is_skipped) {
    Confirmed ledger;
    BOOST_TEST(ledger.skips());
    BOOST_TEST(ledger.skips());
    BOOST_TEST(!ledger.may_skip(hash_of(6), state, primaries, now)); // never seen
}

BOOST_AUTO_TEST_CASE(what_was_found_otherwise_once_is_confirmed_anew_before_it_is_skipped) {
    FileStatus written = old_file();
    written.modified_ns += 4'000'000;
    std::vector<Device> elsewhere = primaries.devices;
    elsewhere[1].replication_ip = "10.0.0.9";
    std::vector<Device> other_disk = primaries.devices;
    other_disk[1].device = "sdb";
    std::vector<Device> other_port = primaries.devices;
    other_port[1].replication_port = 1;
    const std::vector<std::pair<FileState, Primaries>> others{
        {*state_of(written, now), primaries}, {state, primaries_of({1, 2, 4})},
        {state, primaries_of({1, 2})},        {state, primaries_of({2, 1, 3})},
        {state, Primaries(elsewhere)},        {state, Primaries(other_disk)},
        {state, Primaries(other_port)}};
    for (const auto& [seen, ring] : others) {
        Confirmed ledger;
        BOOST_TEST(!ledger.skips(seen, ring));
        BOOST_TEST(!ledger.skips()); // it is as before, but what happened meanwhile is not known
        ledger.confirm(hash_of(5), state, primaries, 7, later, 99);
        BOOST_TEST(ledger.skips());
    }
}

BOOST_AUTO_TEST_CASE(what_time_makes_due_is_not_skipped) {
    Confirmed ledger;
    ledger.confirm(hash_of(5), state, primaries, 7, now.plus(Seconds(100)), 99);
    BOOST_TEST(ledger.skips(state, primaries, now.plus(Seconds(99))));
    BOOST_TEST(!ledger.skips(state, primaries, now.plus(Seconds(100))));
    ledger.confirm(hash_of(5), state, primaries, 7, Timestamp{}, 99);
    BOOST_TEST(!ledger.skips());
    const Timestamp last{Timestamp::max_ticks - 1, 0}; // more seconds than an entry has room for
    ledger.confirm(hash_of(5), state, primaries, 7, last, 99);
    BOOST_TEST(!ledger.skips(state, primaries, later));
    const Timestamp ahead = now.plus(Seconds(3e8)); // a clock that was put right after a restart
    ledger.confirm(hash_of(5), state, primaries, 7, ahead.plus(Ledger::longest_rest), 99);
    BOOST_TEST(ledger.skips(state, primaries, ahead));
    BOOST_TEST(!ledger.skips());
}

BOOST_AUTO_TEST_CASE(in_one_of_so_many_passes_each_database_is_opened) {
    Ledger ledger;
    ledger.begin_pass(recheck);
    for (int turn = 0; turn < recheck; ++turn) {
        ledger.confirm(hash_of(turn), state, primaries, 7, later, 99);
    }
    std::vector<int> opened(recheck);
    for (int pass = 0; pass < 3 * recheck; ++pass) {
        int in_this_pass = 0;
        ledger.begin_pass(recheck);
        for (int turn = 0; turn < recheck; ++turn) {
            if (!ledger.may_skip(hash_of(turn), state, primaries, now)) {
                ledger.confirm(hash_of(turn), state, primaries, 7, later, 99);
                ++opened[static_cast<std::size_t>(turn)];
                ++in_this_pass;
            }
        }
        BOOST_TEST(in_this_pass == 1);
    }
    BOOST_TEST((opened == std::vector<int>(recheck, 3)));
}

BOOST_AUTO_TEST_CASE(with_a_recheck_in_every_pass_nothing_is_remembered) {
    Confirmed ledger(1);
    BOOST_TEST(!ledger.skips());
    BOOST_TEST(ledger.size() == 0U);

    Confirmed before; // of a service with other settings
    before.begin_pass(1);
    before.all_agree();
    BOOST_TEST(!before.skips());
}

BOOST_AUTO_TEST_CASE(a_peer_that_lost_something_is_not_believed_in_what_it_said_before) {
    Confirmed ledger;
    ledger.confirm(hash_of(6), state, primaries_of({4, 5, 6}), 7, later, 99);
    ledger.distrust(2);
    BOOST_TEST(!ledger.skips());
    BOOST_TEST(ledger.may_skip(hash_of(6), state, primaries_of({4, 5, 6}), now));
    ledger.begin_pass(recheck);
    BOOST_TEST(!ledger.skips());
    ledger.confirm(hash_of(5), state, primaries, 7, later, 99); // it has been asked again
    BOOST_TEST(ledger.skips());
    ledger.distrust(2);
    BOOST_TEST(!ledger.skips());
}

BOOST_AUTO_TEST_CASE(what_all_had_is_known_although_the_file_has_changed) {
    Confirmed ledger;
    FileStatus written = old_file();
    written.modified_ns += 1;
    const auto now_state = state_of(written, now);
    BOOST_REQUIRE(now_state.has_value());
    ledger.begin_pass(recheck);
    BOOST_TEST(!ledger.may_skip(hash_of(5), *now_state, primaries, now)); // so it is opened
    const Known known = ledger.take(hash_of(5), now_state);
    BOOST_TEST(!known.same);
    BOOST_TEST(known.max_row == 7);
    BOOST_TEST(ledger.take(hash_of(5), now_state).max_row == -1);
    BOOST_TEST(ledger.take(hash_of(6), now_state).max_row == -1); // never heard of
}

BOOST_AUTO_TEST_CASE(a_database_that_is_opened_is_known_once_as_confirmed) {
    Confirmed ledger;
    ledger.distrust(1);
    BOOST_TEST(ledger.take(hash_of(5), state).same); // the next peer may have lost it as well
    BOOST_TEST(!ledger.take(hash_of(5), state).same);
    BOOST_TEST(!ledger.skips());
    FileStatus written = old_file();
    written.size += 1;
    ledger.confirm(hash_of(5), state, primaries, 7, later, 99);
    BOOST_TEST(!ledger.take(hash_of(5), state_of(written, now)).same);
    ledger.confirm(hash_of(5), state, primaries, 7, later, 99);
    BOOST_TEST(!ledger.take(hash_of(5), std::nullopt).same);
    BOOST_TEST(!ledger.take(hash_of(6), state).same);
    BOOST_TEST(ledger.size() == 0U);
}

BOOST_AUTO_TEST_CASE(passes_that_never_come_to_a_database_in_its_turn_do_not_put_it_off_for_ever) {
    Confirmed ledger;
    ledger.begin_pass(recheck);
    int skipped = 0;
    for (; ledger.skips(); ++skipped) { // every other pass is of another part of the device
        ledger.begin_pass(recheck);
        ledger.begin_pass(recheck);
    }
    BOOST_TEST(skipped == recheck);
}

BOOST_AUTO_TEST_CASE(a_database_that_is_gone_is_forgotten_at_the_end_of_a_walk) {
    Confirmed ledger;
    ledger.confirm(hash_of(6), state, primaries, 7, later, 99);
    ledger.begin_pass(recheck);
    BOOST_TEST(ledger.skips());
    BOOST_TEST(ledger.size() == 2U);
    ledger.end_walk(1);
    BOOST_TEST(ledger.size() == 1U);
    BOOST_TEST(ledger.skips());
    BOOST_TEST(!ledger.may_skip(hash_of(6), state, primaries, now));
}

BOOST_AUTO_TEST_CASE(after_a_jump_of_the_clock_nothing_is_known) {
    Confirmed ledger;
    ledger.clear();
    BOOST_TEST(!ledger.skips());
    BOOST_TEST(ledger.size() == 0U);
}

BOOST_AUTO_TEST_CASE(each_device_has_a_ledger_of_its_own) {
    Ledgers ledgers;
    for (const std::string device : {"sda", "sdb"}) {
        ledgers.with(device, [](Ledger& ledger) { ledger.begin_pass(recheck); });
    }
    ledgers.with("sda", [](Ledger& it) { it.confirm(hash_of(5), state, primaries, 7, later, 99); });
    const auto skips = [&](const std::string& device) {
        return ledgers.with(
            device, [](Ledger& it) { return it.may_skip(hash_of(5), state, primaries, now); });
    };
    BOOST_TEST(skips("sda"));
    BOOST_TEST(!skips("sdb"));
    ledgers.distrust(primaries.devices[2]);
    BOOST_TEST(!skips("sda"));
    ledgers.with("sda", [](Ledger& it) { it.confirm(hash_of(5), state, primaries, 7, later, 99); });
    ledgers.clear();
    BOOST_TEST(!ledgers.with("sda", [](Ledger& it) { return it.take(hash_of(5), state).same; }));
}

// ---- For the next start.

BOOST_AUTO_TEST_CASE(a_ledger_that_was_read_skips_what_the_written_one_did) {
    Ledgers written;
    written.with("sda", [](Ledger& it) { it = Confirmed(); });
    written.with("sdb", [](Ledger&) {});
    Ledgers read;
    BOOST_REQUIRE(read.read(written.text()));
    BOOST_TEST(read.text() == written.text());
    read.with("sda", [](Ledger& it) {
        it.begin_pass(recheck);
        BOOST_TEST(it.may_skip(hash_of(5), state, primaries, now));
        BOOST_TEST(!it.may_skip(hash_of(5), state, primaries_of({1, 2, 4}), now)); // the ring
        BOOST_TEST(it.take(hash_of(5), state).max_row == 7);
    });
}

BOOST_AUTO_TEST_CASE(a_peer_that_was_not_believed_is_not_after_a_restart) {
    Ledgers written;
    written.with("sda", [](Ledger& it) {
        it = Confirmed();
        it.distrust(2);
    });
    Ledgers read;
    BOOST_REQUIRE(read.read(written.text()));
    read.with("sda", [](Ledger& it) {
        it.begin_pass(recheck);
        BOOST_TEST(!it.may_skip(hash_of(5), state, primaries, now));
    });
}

BOOST_AUTO_TEST_CASE(any_other_text_is_refused_and_changes_nothing) {
    Ledgers written;
    written.with("sda", [](Ledger& it) { it = Confirmed(); });
    const std::string text = written.text();
    Ledgers read;
    read.with("sdb", [](Ledger& it) { it = Confirmed(); });
    const std::string before = read.text();
    const auto refused = [&](const std::string& other) {
        return !read.read(other) && read.text() == before;
    };
    for (std::size_t size = 0; size < text.size(); ++size) {
        BOOST_TEST(refused(text.substr(0, size)), size);
    }
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::string other = text;
        other[at] = static_cast<char>(other[at] ^ 1);
        BOOST_TEST(refused(other), at);
    }
    BOOST_TEST(refused(text + "x"));
    // With a digest that is right. No such file was written by this program.
    const auto with_digest = [](std::string other) {
        const Md5Digest digest = md5(other);
        words::append_bytes(other, digest);
        return other;
    };
    const std::string body = text.substr(0, text.size() - sizeof(Md5Digest));
    for (std::size_t size = 0; size < body.size(); ++size) {
        BOOST_TEST(refused(with_digest(body.substr(0, size))), size);
    }
    BOOST_TEST(refused(with_digest(body + "x")));
    BOOST_TEST(read.read(text));
}

// ---- Comparing with another node.

BOOST_AUTO_TEST_CASE(what_all_peers_are_known_to_have_is_not_rechecked_in_this_pass) {
    for (const bool all : {true, false}) {
        Confirmed ledger;
        for (int pass = 2; pass <= 5; ++pass) {
            ledger.begin_pass(recheck);
            ledger.agree(1, {});
            ledger.agree(2, {});
            if (all) {
                ledger.all_agree();
            }
            BOOST_TEST(ledger.skips() == (all || pass != 5));
        }
    }
}

BOOST_AUTO_TEST_CASE(what_was_not_in_the_comparison_is_left_to_the_rechecks) {
    Confirmed ledger;
    for (int pass = 2; pass <= 5; ++pass) { // walks that are cut short, as by restarts
        ledger.begin_pass(recheck);
    }
    BOOST_TEST(ledger.summary(2, 8).databases == 0);
    ledger.all_agree();
    BOOST_TEST(!ledger.skips());
}

BOOST_AUTO_TEST_CASE(a_content_that_a_peer_lacks_is_opened) {
    Confirmed ledger;
    ledger.confirm(hash_of(6), state, primaries, 7, later, 100);
    ledger.begin_pass(recheck);
    ledger.agree(2, {99});
    BOOST_TEST(!ledger.may_skip(hash_of(5), state, primaries, now));
    BOOST_TEST(ledger.may_skip(hash_of(6), state, primaries, now));
}

BOOST_AUTO_TEST_CASE(a_summary_has_what_was_met_lately_and_is_shared) {
    Confirmed ledger;
    ledger.confirm(hash_of(6), state, primaries_of({1, 4}), 7, later, 100);
    BOOST_TEST((ledger.peers_of(1) == std::set<std::int64_t>{2, 3, 4}));
    BOOST_TEST(ledger.summary(2, 8).walked == -1); // no walk has ended
    const auto databases = [&](std::int64_t peer) { return ledger.summary(peer, 8).databases; };
    BOOST_TEST(databases(2) == 1);
    BOOST_TEST(databases(4) == 1);
    BOOST_TEST(databases(1) == 2);
    BOOST_TEST(databases(5) == 0);
    Sketch expected(std::size_t{8});
    expected.add(99);
    BOOST_TEST((ledger.summary(2, 8).sketch.cells() == expected.cells()));

    ledger.begin_pass(recheck); // this walk has not come to it yet
    BOOST_TEST(databases(2) == 1);
    FileStatus written = old_file();
    written.size += 1;
    BOOST_TEST(!ledger.may_skip(hash_of(5), *state_of(written, now), primaries, now));
    BOOST_TEST(databases(2) == 0); // what it has is not known any more
    ledger.end_walk(2);
    BOOST_TEST(ledger.summary(2, 8).walked == 2);
    BOOST_TEST(databases(4) == 0); // gone: the walk has not met it
}

BOOST_AUTO_TEST_CASE(a_ledger_that_was_cleared_is_not_that_of_an_empty_device) {
    Confirmed ledger;
    ledger.end_walk(1);
    BOOST_TEST(ledger.summary(2, 8).walked == 1);
    ledger.clear(); // a clock has jumped
    BOOST_TEST(ledger.summary(2, 8).walked == -1);
    BOOST_TEST(ledger.peers_of(1).empty());
}

BOOST_AUTO_TEST_CASE(devices_that_share_nothing_any_more_are_not_asked) {
    Confirmed ledger;
    ledger.confirm(hash_of(6), state, primaries_of({1, 4}), 7, later, 100);
    ledger.begin_pass(recheck);
    BOOST_TEST(ledger.may_skip(hash_of(5), state, primaries, now));
    ledger.end_walk(1); // the other has gone to another device
    BOOST_TEST((ledger.peers_of(1) == std::set<std::int64_t>{2, 3}));
}
